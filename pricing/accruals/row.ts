import type { AccrualInvoice, Stretch } from './span.ts';

/** Where tokens, or an amount, are at the instant of a report. */
export const ACCRUAL_PLACES = [
  'invoiced',
  'awaiting_invoice',
  'due',
  'uninvoiced',
  'quarantined',
  'written_off',
] as const;
type AccrualPlace = (typeof ACCRUAL_PLACES)[number];

/** `fixed`: a line of an invoice that is for no usage; `late`: an item for usage that missed its invoice. */
export const ACCRUAL_KINDS = ['usage', 'late', 'credit', 'fixed'] as const;
type AccrualKind = (typeof ACCRUAL_KINDS)[number];

/** Usage of a customer, what it comes to, and where it is: up to the instant, and of that within the window. */
export interface AccrualRow {
  /** Empty: of subjects of no customer. */
  customerId: string;
  /** Null: nothing tells. */
  currency: string | null;
  kind: AccrualKind;
  place: AccrualPlace;
  reason: string | null;
  /** Whether an invoice will have it without anybody's act. */
  isAccrued: boolean;
  /** That has it, or had it as a draft at the instant. */
  invoice: AccrualInvoice | null;
  subscriptionId: string | null;
  description: string;
  stripeMeterId: string | null;
  period: Stretch | null;
  /** Used before the instant. */
  tokenCount: bigint;
  /** Of these, in the window. */
  earnedTokenCount: bigint;
  /** In minor units; null: `unvaluedReason` says why. */
  amountMinor: bigint | null;
  /** Of it, earned in the window; null where `amountMinor` is, and of what is not earned by use. */
  earnedAmountMinor: bigint | null;
  unvaluedReason: UnvaluedReason | null;
}

export const UNVALUED_REASONS = [
  'price_not_rateable',
  'no_known_period',
  'lines_not_read',
  'no_price',
  'not_settled',
  'quarantined',
  'written_off',
] as const;
export type UnvaluedReason = (typeof UNVALUED_REASONS)[number];

/** A customer's sums in one currency. An amount is null where it is of tokens alone that have none. */
export interface AccrualTotals {
  /** Null: usage of which nothing tells the currency. */
  currency: string | null;
  /** Used in the window, and what it earned; flat amounts and fees beside usage are not in it. */
  earnedTokenCount: bigint;
  earnedAmountMinor: bigint | null;
  /** Of the tokens, those that have no amount. */
  unvaluedTokenCount: bigint;
  /** On final invoices of the report. */
  invoicedAmountMinor: bigint;
  fixedAmountMinor: bigint;
  /** Used before the instant, and on no invoice then: what invoices to come will have by themselves. */
  accruedTokenCount: bigint;
  accruedAmountMinor: bigint | null;
  /** On no invoice, and on none to come unless a person says so. */
  undecidedTokenCount: bigint;
  undecidedAmountMinor: bigint | null;
  quarantinedTokenCount: bigint;
}

/** The sums of rows, a row for each currency, in their order. */
export function sumAccruals(rows: readonly AccrualRow[]): AccrualTotals[] {
  return [...Map.groupBy(rows, ({ currency }) => currency)]
    .sort(([one], [other]) => ((one ?? '~') < (other ?? '~') ? -1 : 1))
    .map(([currency, its]) => sumOf(currency, its));
}

function sumOf(currency: string | null, rows: readonly AccrualRow[]): AccrualTotals {
  const sum = (its: readonly AccrualRow[], pick: (row: AccrualRow) => bigint | null) =>
    its.reduce((total, row) => total + (pick(row) ?? 0n), 0n);
  const invoiced = rows.filter(({ place }) => place === 'invoiced');
  const usage = invoiced.filter(({ kind }) => kind !== 'fixed');
  const accrued = rows.filter(({ isAccrued }) => isAccrued);
  const undecided = rows.filter(({ place, isAccrued }) => place === 'uninvoiced' && !isAccrued);
  return {
    currency,
    earnedTokenCount: sum(rows, (row) => row.earnedTokenCount),
    earnedAmountMinor: sumKnown(
      rows.map((row) => ({ amountMinor: row.earnedAmountMinor, tokenCount: row.earnedTokenCount })),
    ),
    unvaluedTokenCount: sum(rows, (row) => (row.amountMinor === null ? row.earnedTokenCount : 0n)),
    invoicedAmountMinor: sum(usage, (row) => row.amountMinor),
    fixedAmountMinor: sum(invoiced, (row) => (row.kind === 'fixed' ? row.amountMinor : 0n)),
    accruedTokenCount: sum(accrued, (row) => row.tokenCount),
    accruedAmountMinor: sumKnown(accrued),
    undecidedTokenCount: sum(undecided, (row) => row.tokenCount),
    undecidedAmountMinor: sumKnown(undecided),
    quarantinedTokenCount: sum(rows, (row) => (row.place === 'quarantined' ? row.tokenCount : 0n)),
  };
}

/** What amounts come to, as far as they are known; null: all that was used has none, and so its sum is not zero. */
function sumKnown(its: readonly { amountMinor: bigint | null; tokenCount: bigint }[]): bigint | null {
  const known = its.filter(
    ({ amountMinor, tokenCount }) => amountMinor !== null && (tokenCount > 0n || amountMinor !== 0n),
  );
  const isUnknown = its.some(({ amountMinor, tokenCount }) => amountMinor === null && tokenCount > 0n);
  if (known.length === 0 && isUnknown) return null;
  return known.reduce((total, { amountMinor }) => total + (amountMinor ?? 0n), 0n);
}
