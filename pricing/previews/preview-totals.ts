import { type InvoiceTerms, type InvoiceTotals, totalsOf } from '../invoices/totals.ts';
import { chargeStep } from '../money.ts';
import { sum } from '../statistics.ts';
import type { PreviewLine } from './preview.ts';

/** Stripe's preview as far as totals go; amounts in minor units. */
export interface StripeTotals {
  lines: readonly { subscriptionItemId: string | null; amountMinor: bigint; netMinor: bigint }[];
  /** As Stripe has them. */
  totals: InvoiceTotals;
  /** By what they come about; null: some of it is of a kind that we do not work out (Stripe Tax, a discount of items). */
  terms: InvoiceTerms | null;
}

/** Why there are no totals. */
export type TotalsReason =
  | 'stripe_unavailable'
  | 'unpriced_line'
  /** Stripe has not counted all usage yet, and does not say whether billing credits are left for it. */
  | 'credits_unknown'
  /** Lines were added to what Stripe has, and its terms are none that we work out. */
  | 'terms_unknown';

/**
 * What the invoice comes to after discounts, credits and tax. Where its lines are Stripe's own, as Stripe says; else by Stripe's
 * terms, which must give what Stripe says for its own lines.
 */
export function previewTotals(
  lines: readonly PreviewLine[],
  stripe: StripeTotals | null,
  currency: string,
): { totals: InvoiceTotals; reason: null } | { totals: null; reason: TotalsReason } {
  const amounts = lines.flatMap(({ amountMinor }) => (amountMinor === null ? [] : [amountMinor]));
  if (amounts.length < lines.length) return { totals: null, reason: 'unpriced_line' };
  if (stripe === null) return { totals: null, reason: 'stripe_unavailable' };
  if (lines.every(({ amountMinor, stripeAmountMinor }) => amountMinor === (stripeAmountMinor ?? 0n)))
    return { totals: stripe.totals, reason: null };
  const { terms } = stripe;
  if (terms === null) return { totals: null, reason: 'terms_unknown' };
  const waiting = lines.filter(({ notYetCounted }) => notYetCounted !== null && notYetCounted > 0n);
  if (!waiting.every((line) => paysBeyondCredits(line, stripe)))
    return { totals: null, reason: 'credits_unknown' };
  const shown = stripe.lines.map(({ amountMinor }) => amountMinor);
  const found = [...new Set([chargeStep(currency), 1n])]
    .filter((step) => [...amounts, ...shown].every((amountMinor) => amountMinor % step === 0n))
    .filter((step) => totalsOf(sum(shown), terms, step).totalMinor === stripe.totals.totalMinor)
    .map((step) => totalsOf(sum(amounts), terms, step));
  const [totals] = found;
  // Whether Stripe rounds to what can be charged its lines need not tell; where that matters, nothing is said.
  const isOne = found.every(({ totalMinor }) => totalMinor === totals?.totalMinor);
  return totals === undefined || !isOne
    ? { totals: null, reason: 'terms_unknown' }
    : { totals, reason: null };
}

/** What is left to pay of a line shows that no billing credit is left for it. */
function paysBeyondCredits({ subscriptionItemId }: PreviewLine, { lines }: StripeTotals): boolean {
  return lines.some((line) => line.subscriptionItemId === subscriptionItemId && line.netMinor > 0n);
}
