import type Stripe from 'stripe';
import type { InvoiceTerms } from '../../pricing/invoices/totals.ts';
import type { StripeTotals } from '../../pricing/previews/preview-totals.ts';

/** What a preview must be asked for so that its discounts say how much they take off, and of what. */
export const TOTALS_EXPANSION = ['discounts.source.coupon.applies_to'];

/** What an invoice takes off its lines and puts on them, and by which terms. */
export function toStripeTotals(
  invoice: Stripe.Invoice,
  lines: readonly Stripe.InvoiceLineItem[],
): StripeTotals {
  const shown = lines.map((line) => {
    const pretax = line.pretax_credit_amounts ?? [];
    const creditMinor = sum(pretax.filter(({ type }) => type === 'credit_balance_transaction'));
    const discountMinor = sum(line.discount_amounts ?? []);
    const amountMinor = BigInt(line.amount);
    const price = line.pricing?.price_details?.price ?? null;
    return {
      subscriptionItemId: line.parent?.subscription_item_details?.subscription_item ?? null,
      priceId: price === null || typeof price === 'string' ? price : price.id,
      isDiscountable: line.discountable,
      amountMinor,
      discountMinor,
      creditMinor,
      taxMinor: sum((line.taxes ?? []).filter(({ tax_behavior }) => tax_behavior === 'exclusive')),
      netMinor: amountMinor - discountMinor - creditMinor,
    };
  });
  const totalOf = (name: 'amountMinor' | 'discountMinor' | 'creditMinor' | 'taxMinor') =>
    shown.reduce((total, line) => total + line[name], 0n);
  const terms = termsOf(invoice, lines);
  return {
    lines: shown,
    endsAt: new Date(invoice.period_end * 1_000),
    totals: {
      subtotalMinor: totalOf('amountMinor'),
      discountMinor: totalOf('discountMinor'),
      creditMinor: totalOf('creditMinor'),
      taxMinor: totalOf('taxMinor'),
      totalMinor: BigInt(invoice.total),
      dueMinor: BigInt(invoice.amount_due),
    },
    terms: typeof terms === 'string' ? terms : { ...terms, balanceMinor: BigInt(invoice.starting_balance) },
  };
}

/** `terms_unknown`: they are not the same for all lines. */
function termsOf(
  invoice: Stripe.Invoice,
  lines: readonly Stripe.InvoiceLineItem[],
): Pick<InvoiceTerms, 'discounts' | 'taxes'> | 'stripe_tax' | 'terms_unknown' {
  if (invoice.automatic_tax.enabled) return 'stripe_tax';
  const rates = invoice.default_tax_rates;
  const ids = rates
    .map(({ id }) => id)
    .toSorted()
    .join();
  const isTaxedAlike = lines.every(({ taxes, amount }) => {
    const own = (taxes ?? []).map(({ tax_rate_details: details }) => details?.tax_rate ?? '');
    return own.toSorted().join() === ids || (own.length === 0 && amount === 0);
  });
  const discounts = invoice.discounts.map((discount) => offOf(discount, invoice.currency));
  const isDiscountedAlike = lines.every((line) => line.discounts.length === 0);
  const known = discounts.flatMap((discount) => (discount === null ? [] : [discount]));
  if (!isTaxedAlike || !isDiscountedAlike || known.length < discounts.length) return 'terms_unknown';
  return {
    discounts: known,
    taxes: rates.map(({ percentage, inclusive }) => ({
      percent: toMillionths(percentage),
      isInclusive: inclusive,
    })),
  };
}

function offOf(
  discount: Stripe.Invoice['discounts'][number],
  currency: string,
): InvoiceTerms['discounts'][number] | null {
  if (typeof discount === 'string' || !('source' in discount)) return null;
  const { coupon } = discount.source;
  if (coupon === null || typeof coupon === 'string' || coupon.applies_to !== undefined) return null;
  if (coupon.percent_off !== null) return { percent: toMillionths(coupon.percent_off) };
  return coupon.amount_off === null || coupon.currency !== currency
    ? null
    : { amountMinor: BigInt(coupon.amount_off) };
}

/** Percentages have at most four decimals. */
function toMillionths(percent: number): bigint {
  return BigInt(Math.round(percent * 10_000));
}

function sum(entries: readonly { amount: number }[]): bigint {
  return entries.reduce((total, { amount }) => total + BigInt(amount), 0n);
}
