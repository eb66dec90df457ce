import type { CreditLeft } from '../invoices/credits.ts';
import {
  type InvoiceTerms,
  type InvoiceTotals,
  type TotalsLine,
  type TotalsReading,
  totalsOf,
} from '../invoices/totals.ts';
import { chargeStep } from '../money.ts';
import { sum } from '../statistics.ts';
import type { PreviewLine } from './preview.ts';
import { type StripeTotalsLine, totalsLines } from './totals-lines.ts';

/** Stripe's preview as far as totals go; amounts in minor units. */
export interface StripeTotals {
  /** In the order in which they stand on the invoice. */
  lines: readonly StripeTotalsLine[];
  /** The invoice's own `period_end`: billing credits that are in effect then are for it. */
  endsAt: Date;
  /** As Stripe has them. */
  totals: InvoiceTotals;
  /** By what they come about, or why that is not known. */
  terms: InvoiceTerms | 'stripe_tax' | 'terms_unknown';
}

/** What is known of a customer's billing credits. */
export interface PreviewCredits {
  /** In the order in which they are used up; null: they could not be read. */
  left: readonly CreditLeft[] | null;
  /** Whether other invoices of the customer, drafts or those of other subscriptions, may take of them before this one. */
  isShared: boolean;
  /** Items whose price has a meter, ours or not: only their lines take credits. */
  itemIds: ReadonlySet<string>;
  /** Prices that items have left: what was used at them is on an invoice item. */
  formerPriceIds: ReadonlySet<string>;
}

/** Why there are no totals. */
type TotalsReason =
  | 'stripe_unavailable'
  | 'unpriced_line'
  /** Stripe has not counted all usage yet, and billing credits that may be left for it could not be read. */
  | 'credits_unknown'
  /** Another invoice of the customer may take the billing credits first. */
  | 'credits_shared'
  /** Lines were added to what Stripe has, and only Stripe Tax knows their tax. */
  | 'stripe_tax'
  /** Lines were added to what Stripe has, and discounts or taxes are not the same for all lines. */
  | 'terms_unknown'
  /** Stripe's own lines do not tell how the account rounds, and it would make a difference. */
  | 'rounding_unknown';

type PreviewTotals = { totals: InvoiceTotals; reason: null } | { totals: null; reason: TotalsReason };

/**
 * What the invoice comes to after discounts, credits and tax. Where its lines are Stripe's own, as Stripe says; else by Stripe's
 * terms, read in every way that gives what Stripe says for its own lines: where these ways part, nothing is said.
 */
export function previewTotals(
  lines: readonly PreviewLine[],
  stripe: StripeTotals | null,
  credits: PreviewCredits,
  currency: string,
): PreviewTotals {
  const amounts = lines.flatMap(({ amountMinor }) => (amountMinor === null ? [] : [amountMinor]));
  if (amounts.length < lines.length) return unknown('unpriced_line');
  if (stripe === null) return unknown('stripe_unavailable');
  const { terms, totals } = stripe;
  const isClaimed = credits.isShared && (totals.creditMinor > 0n || credits.left?.some(isLeft) === true);
  if (isClaimed) return unknown('credits_shared');
  if (lines.every(({ amountMinor, stripeAmountMinor }) => amountMinor === (stripeAmountMinor ?? 0n)))
    return { totals, reason: null };
  if (typeof terms === 'string') return unknown(terms);
  const left = credits.left ?? creditsUsedUp(lines, stripe);
  if (left === null) return unknown('credits_unknown');
  const upcoming = totalsLines(lines, stripe.lines);
  const found = readingsOf([...stripe.lines, ...upcoming], currency).map((reading) => {
    const comeTo = (them: readonly StripeTotalsLine[]) =>
      totalsOf(
        them.map((line) => takingCredits(line, credits, reading)),
        terms,
        left,
        reading,
      );
    return { shown: comeTo(stripe.lines), upcoming: comeTo(upcoming) };
  });
  if (found.every(({ shown }) => shown.creditMinor !== totals.creditMinor)) return unknown('credits_unknown');
  const agreeing = found.filter(({ shown }) => isSame(shown, totals)).map(({ upcoming }) => upcoming);
  const [first] = agreeing;
  return first !== undefined && agreeing.every((other) => isSame(first, other))
    ? { totals: first, reason: null }
    : unknown('rounding_unknown');
}

function unknown(reason: TotalsReason): PreviewTotals {
  return { totals: null, reason };
}

const isLeft = ({ leftMinor }: CreditLeft) => leftMinor > 0n;

function isSame(one: InvoiceTotals, other: InvoiceTotals): boolean {
  return (['discountMinor', 'creditMinor', 'taxMinor', 'totalMinor'] as const).every(
    (name) => one[name] === other[name],
  );
}

interface PreviewReading extends TotalsReading {
  /** Stripe's page has "subscription items", and "one-time invoice items" for none: such an item is a little of both. */
  creditsFormerPrices: boolean;
}

/** Every way in which lines like these may be added up. */
function readingsOf(lines: readonly StripeTotalsLine[], currency: string): PreviewReading[] {
  const steps = [...new Set([chargeStep(currency), 1n])].filter((step) =>
    lines.every(({ amountMinor }) => amountMinor % step === 0n),
  );
  return steps.flatMap((step) =>
    (['line', 'invoice'] as const).flatMap((taxRounding) =>
      (['most_lost', 'last'] as const).flatMap((discountRest) =>
        [false, true].map((creditsFormerPrices) => ({
          step,
          taxRounding,
          discountRest,
          creditsFormerPrices,
        })),
      ),
    ),
  );
}

function takingCredits(
  line: StripeTotalsLine,
  { itemIds, formerPriceIds }: PreviewCredits,
  { creditsFormerPrices }: PreviewReading,
): TotalsLine {
  const { subscriptionItemId: itemId, priceId } = line;
  const takes =
    itemId === null ? creditsFormerPrices && formerPriceIds.has(priceId ?? '') : itemIds.has(itemId);
  return { ...line, creditPriceId: takes ? priceId : null };
}

/**
 * Credits that could not be read, where Stripe's own lines show that they are used up: something is left to pay of every line
 * whose usage Stripe has not counted yet. Null: they do not show it.
 */
function creditsUsedUp(lines: readonly PreviewLine[], stripe: StripeTotals): CreditLeft[] | null {
  const waiting = lines.filter(({ notYetCounted }) => notYetCounted !== null && notYetCounted > 0n);
  const netOf = (itemId: string | null) =>
    sum(stripe.lines.filter((line) => line.subscriptionItemId === itemId).map(({ netMinor }) => netMinor));
  if (!waiting.every(({ subscriptionItemId }) => netOf(subscriptionItemId) > 0n)) return null;
  return stripe.lines.flatMap(({ priceId, creditMinor }) =>
    priceId === null || creditMinor === 0n ? [] : [{ leftMinor: creditMinor, priceIds: [priceId] }],
  );
}
