import { splitAmount } from '../rating/rating.ts';

/** What the lines of one meter and period bill together: tiers give several lines. */
export interface StatementGroup {
  groupId: string;
  tokenCount: bigint;
  amountMinor: bigint;
}

/** Tokens of a group that have one value of a dimension (a day, a model, a feature, a user). */
export interface GroupShare {
  groupId: string;
  value: string;
  tokenCount: bigint;
}

export interface BreakdownRow {
  value: string;
  tokenCount: bigint;
  amountMinor: bigint;
}

/** Groups divided by one dimension: the rows and the rest sum to the groups, in tokens and in minor units. */
export interface Breakdown {
  rows: BreakdownRow[];
  /**
   * What the lines bill and the shares do not hold, or (negative) the shares hold and the lines do not bill. Null when the
   * two are equal.
   */
  rest: { tokenCount: bigint; amountMinor: bigint } | null;
}

/**
 * Divides what the groups bill by the values of one dimension. Each group's amount is shared by tokens, whatever tier a
 * token fell into; what the division leaves over goes unit by unit to the largest remainders, so that nothing is lost
 * and nothing is added.
 */
export function breakDown(groups: readonly StatementGroup[], shares: readonly GroupShare[]): Breakdown {
  const rows = new Map<string, BreakdownRow>();
  const rest = { tokenCount: 0n, amountMinor: 0n };
  const byGroup = Map.groupBy(shares, ({ groupId }) => groupId);
  let isWhole = true;
  for (const group of groups) {
    const tokensByValue = new Map<string, bigint>();
    for (const { value, tokenCount } of byGroup.get(group.groupId) ?? []) {
      tokensByValue.set(value, (tokensByValue.get(value) ?? 0n) + tokenCount);
    }
    const values = [...tokensByValue].sort(([one], [other]) => (one < other ? -1 : 1));
    const missing = group.tokenCount - values.reduce((sum, [, tokenCount]) => sum + tokenCount, 0n);
    // Tokens that the lines do not bill bear nothing of their amount.
    const weights = [...values.map(([, tokenCount]) => positive(tokenCount)), positive(missing)];
    const isSharable = weights.some((weight) => weight > 0n);
    const amounts = isSharable ? splitAmount(group.amountMinor, weights) : [];
    for (const [index, [value, tokenCount]] of values.entries()) {
      const row = rows.get(value) ?? { value, tokenCount: 0n, amountMinor: 0n };
      row.tokenCount += tokenCount;
      row.amountMinor += amounts[index] ?? 0n;
      rows.set(value, row);
    }
    const unshared = isSharable ? (amounts[values.length] ?? 0n) : group.amountMinor;
    if (missing !== 0n || unshared !== 0n) isWhole = false;
    rest.tokenCount += missing;
    rest.amountMinor += unshared;
  }
  return { rows: [...rows.values()], rest: isWhole ? null : rest };
}

/** Rows with the largest amounts first, then tokens, then by name. */
export function largestFirst(rows: readonly BreakdownRow[]): BreakdownRow[] {
  return [...rows].sort(
    (one, other) =>
      compare(other.amountMinor, one.amountMinor) ||
      compare(other.tokenCount, one.tokenCount) ||
      (one.value < other.value ? -1 : 1),
  );
}

/** The first rows, and all others summed; null where there are no others. */
export function foldRows(
  rows: readonly BreakdownRow[],
  limit: number,
): { shown: BreakdownRow[]; others: { count: number; tokenCount: bigint; amountMinor: bigint } | null } {
  const folded = rows.slice(limit);
  return {
    shown: rows.slice(0, limit),
    others:
      folded.length === 0
        ? null
        : {
            count: folded.length,
            tokenCount: folded.reduce((sum, row) => sum + row.tokenCount, 0n),
            amountMinor: folded.reduce((sum, row) => sum + row.amountMinor, 0n),
          },
  };
}

function positive(value: bigint): bigint {
  return value > 0n ? value : 0n;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
