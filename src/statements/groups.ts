import { type PackagePrice, packagesOf } from '../../pricing/rating/rate-price.ts';
import type { GroupShare, StatementGroup } from '../../pricing/statements/statement.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import type { StoredInvoiceLine } from '../billing/invoice-lines.ts';
import { usageInWords } from '../pages/words.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { StatementFacts } from './facts.ts';
import type { StatementLineKind } from './schemas.ts';
import type { StatementUsageRows } from './usage.ts';

/** A line as a statement divides it; `amountMinor` null: no price is known yet. */
export interface StatementLine extends Omit<StoredInvoiceLine, 'amountMinor'> {
  amountMinor: bigint | null;
  /** Where it is known and not told by the rest. */
  kind?: StatementLineKind;
}

/** Lines of one meter and period: together they bill all of its usage there. */
export interface LineGroup extends StatementGroup {
  /** In people's words. */
  name: string;
  /** What the name says, for other languages; null: it is a product's name. */
  counted: CountedUsage | null;
  lines: StatementLine[];
}

/** The one kind of usage that a meter counts. */
export interface CountedUsage {
  model: string;
  tokenType: TokenType;
  /** Null: of all features. */
  feature: string | null;
}

/** Two lines may begin together and end apart: at the end of the period, and where an item got another price. */
function groupIdOf(stripeMeterId: string | null, { start, end }: TimeWindow): string {
  return `${stripeMeterId} ${start.getTime()} ${end.getTime()}`;
}

export function groupIdOfRow(row: { stripeMeterId: string; periodStart: Date; periodEnd: Date }): string {
  return groupIdOf(row.stripeMeterId, { start: row.periodStart, end: row.periodEnd });
}

/**
 * Whether the line bills metered usage of its own period: a subscription item's, or an invoice item's at a price that its
 * item has left.
 */
export function isUsageLine(line: Pick<StatementLine, 'stripeMeterId'>): boolean {
  return line.stripeMeterId !== null;
}

/** Rows of usage that some line bills: of a meter and period that it is of. */
export function usageOfLines(
  { usage, users }: StatementUsageRows,
  lines: readonly Pick<StatementLine, 'stripeMeterId' | 'period'>[],
): StatementUsageRows {
  const groupIds = new Set(
    lines.filter(isUsageLine).map((line) => groupIdOf(line.stripeMeterId, line.period)),
  );
  return {
    usage: usage.filter((row) => groupIds.has(groupIdOfRow(row))),
    users: users.filter((row) => groupIds.has(groupIdOfRow(row))),
  };
}

/** The metered lines in groups, in the order of their first lines. */
export function groupLines(
  lines: readonly StatementLine[],
  usage: StatementUsageRows,
  facts: StatementFacts,
): LineGroup[] {
  const metered = lines.filter(isUsageLine);
  const grouped = Map.groupBy(metered, (line) => groupIdOf(line.stripeMeterId, line.period));
  const usageByGroup = Map.groupBy(usage.usage, groupIdOfRow);
  return [...grouped].map(([groupId, its]) => {
    const used = usageByGroup.get(groupId) ?? [];
    const counted = countedBy(its[0]?.stripeMeterId ?? null, used, facts);
    return {
      groupId,
      lines: its,
      tokenCount: tokensOf(its, used, facts),
      amountMinor: its.reduce((sum, line) => sum + (line.amountMinor ?? 0n), 0n),
      name: counted === null ? (its.map((line) => productOf(line, facts))[0] ?? '') : nameOf(counted),
      counted,
    };
  });
}

/**
 * What the lines count. Of a price by the package they may show packages: then it is the usage that makes so many, and where
 * it makes another number, what they show.
 */
function tokensOf(
  lines: readonly StatementLine[],
  usage: StatementUsageRows['usage'],
  facts: StatementFacts,
): bigint {
  const shown = lines.reduce((sum, line) => sum + (line.quantity ?? 0n), 0n);
  const price = lines.map((line) => packagePriceOf(line, facts)).find((one) => one !== null);
  if (price === null || price === undefined) return shown;
  const used = usage.reduce((sum, row) => sum + row.tokenCount, 0n);
  return packagesOf(price, used) === shown ? used : shown;
}

/** Null: the line's price is no price by the package. */
export function packagePriceOf(
  line: Pick<StatementLine, 'priceId'>,
  { items, prices }: StatementFacts,
): PackagePrice | null {
  const known = [...items, ...prices].find(({ priceId }) => priceId === line.priceId);
  return known?.price?.kind === 'per_package' ? known.price : null;
}

/** Model and kind of token where the meter counts exactly one pair; else null. */
export function countedBy(
  stripeMeterId: string | null,
  usage: readonly { model: string; tokenType: TokenType }[],
  facts: Pick<StatementFacts, 'bindings'>,
): CountedUsage | null {
  const bindings = facts.bindings.filter((binding) => binding.stripeMeterId === stripeMeterId);
  const named = bindings.some(({ model }) => model === '*') ? [] : bindings;
  const pairs = new Map(
    [...(named.length === 0 ? usage : []), ...named].map(({ model, tokenType }) => [
      `${model} ${tokenType}`,
      { model, tokenType },
    ]),
  );
  const [pair] = pairs.values();
  if (pair === undefined || pairs.size > 1) return null;
  const features = new Set(bindings.map(({ feature }) => feature));
  const [feature] = features;
  return {
    ...pair,
    feature: features.size === 1 && feature !== undefined && feature !== '*' ? feature : null,
  };
}

function nameOf({ model, tokenType, feature }: CountedUsage): string {
  return `${usageInWords(model, tokenType)}${feature === null ? '' : ` for ${feature}`}`;
}

/** Stripe puts the quantity before a product's name, and the tier behind it. */
function productOf(line: StatementLine, facts: StatementFacts): string {
  const item =
    facts.items.find(({ subscriptionItemId }) => subscriptionItemId === line.subscriptionItemId) ??
    facts.prices.find(({ priceId }) => priceId === line.priceId);
  return item?.productName ?? bareDescription(line.description);
}

/** A description without what the columns beside it say. */
export function bareDescription(description: string): string {
  return description
    .replace(/^[\d,.]+ × /, '')
    .replace(/ \((?:Tier \d+ )?at [^()]*\/ month\)$/, '')
    .replace(/, [\d,]+ tokens(?:, .*)?$/, '');
}

export function kindOf(
  line: StatementLine,
  facts: StatementFacts,
  period: { start: Date },
): StatementLineKind {
  if (isUsageLine(line)) return 'usage';
  const isKnownLate = facts.billedLate.some(({ invoiceItemId }) => invoiceItemId === line.invoiceItemId);
  if (isKnownLate) return 'late';
  if (line.amountMinor !== null && line.amountMinor < 0n) return 'credit';
  if (/\bminimum\b/i.test(line.description)) return 'minimum';
  const isOfBefore =
    line.invoiceItemId !== null && line.period.end <= period.start && (line.quantity ?? 0n) > 1n;
  return isOfBefore ? 'late' : 'other';
}

/** The usage as shares of the groups, by one dimension. */
export function sharesBy(
  rows: StatementUsageRows['usage'],
  readValue: (row: StatementUsageRows['usage'][number]) => string,
): GroupShare[] {
  return rows.map((row) => ({
    groupId: groupIdOfRow(row),
    value: readValue(row),
    tokenCount: row.tokenCount,
  }));
}

export function sharesByUser(rows: StatementUsageRows['users']): GroupShare[] {
  return rows.map((row) => ({
    groupId: groupIdOfRow(row),
    value: row.subject,
    tokenCount: row.tokenCount,
  }));
}
