import { divideHalfUp } from '../money.ts';

/** A whole, in the millionths in which percentages come. */
const WHOLE = 1_000_000n;

/** What is taken off an invoice as a whole and put on it; amounts in minor units, percentages in millionths. */
export interface InvoiceTerms {
  /** In order, each on what the one before it left. */
  discounts: readonly ({ percent: bigint } | { amountMinor: bigint })[];
  taxes: readonly { percent: bigint; isInclusive: boolean }[];
  /** Billing credits, which are taken off metered lines. */
  creditMinor: bigint;
  /** Of the customer: below 0 it pays, above 0 it is owed besides. */
  balanceMinor: bigint;
}

/** What an invoice comes to, part by part, in minor units. */
export interface InvoiceTotals {
  subtotalMinor: bigint;
  discountMinor: bigint;
  creditMinor: bigint;
  /** Exclusive tax; what is included is in the lines. */
  taxMinor: bigint;
  totalMinor: bigint;
  dueMinor: bigint;
}

/**
 * Discounts first, then billing credits, then tax on what is left, rounded for each rate over the whole invoice, then the
 * customer's balance: the order that Stripe documents (docs.stripe.com/billing/subscriptions/coupons, .../billing-credits,
 * docs.stripe.com/billing/taxes/tax-rates).
 * @param step of which every amount is a multiple
 */
export function totalsOf(subtotalMinor: bigint, terms: InvoiceTerms, step: bigint): InvoiceTotals {
  const share = (numerator: bigint, denominator: bigint) =>
    divideHalfUp(numerator, denominator * step) * step;
  let net = subtotalMinor;
  for (const discount of terms.discounts) {
    if (net <= 0n) break;
    if ('percent' in discount) net -= share(net * discount.percent, WHOLE);
    else net -= discount.amountMinor < net ? discount.amountMinor : net;
  }
  const discountMinor = subtotalMinor - net;
  net -= terms.creditMinor;
  const included = terms.taxes.reduce(
    (sum, { percent, isInclusive }) => sum + (isInclusive ? percent : 0n),
    0n,
  );
  const taxMinor = terms.taxes.reduce(
    (sum, { percent, isInclusive }) => sum + (isInclusive ? 0n : share(net * percent, WHOLE + included)),
    0n,
  );
  const totalMinor = net + taxMinor;
  const owed = totalMinor + terms.balanceMinor;
  return {
    subtotalMinor,
    discountMinor,
    creditMinor: terms.creditMinor,
    taxMinor,
    totalMinor,
    dueMinor: owed > 0n ? owed : 0n,
  };
}
