import { PERCENT_SCALE, roundHalfAway, roundToTotal } from './round-to-total.ts';

/** Of which a tax is counted before it is rounded. */
const EXACT = 10n ** 12n;

/** A line before anything is taken off or put on; amounts in minor units. */
export interface GrossLine {
  amount: bigint;
  discountable: boolean;
  productId: string | null;
  /** Discounts of the line itself, in order. */
  discountIds: readonly string[];
  /** Set for a line of a subscription item at a price with a meter: only these take billing credits. */
  meteredPriceId: string | null;
  taxRates: readonly TaxTerms[];
}

export interface DiscountTerms {
  discountId: string;
  /** Millionths, or minor units. */
  off: { percent: bigint } | { amount: bigint };
  /** Null: whatever the product. */
  productIds: readonly string[] | null;
}

export interface CreditTerms {
  grantId: string;
  balance: bigint;
  /** Null: every metered price. */
  priceIds: readonly string[] | null;
}

export interface TaxTerms {
  taxRateId: string;
  /** Millionths. */
  percent: bigint;
  inclusive: boolean;
}

export interface AdjustmentTerms {
  /** Every discount that a line or the invoice names. */
  discounts: ReadonlyMap<string, DiscountTerms>;
  /** Discounts of the invoice, in order. */
  invoiceDiscountIds: readonly string[];
  /** In the order in which they are used up. */
  credits: readonly CreditTerms[];
  /** Whether taxes are rounded for each line, or for each rate over the whole invoice. */
  taxRounding: 'line' | 'invoice';
  /** Every amount is a multiple of it. */
  step: bigint;
}

/** What came off a line and on it. */
export interface LineAdjustments {
  discounts: { discountId: string; amount: bigint }[];
  credits: { grantId: string; amount: bigint }[];
  taxes: { taxRateId: string; inclusive: boolean; amount: bigint; taxableAmount: bigint }[];
  /** After discounts and credits; with inclusive tax, without exclusive tax. */
  net: bigint;
}

/**
 * Discounts, billing credits and taxes of an invoice, in the order that Stripe documents: discounts of lines, then those
 * of the invoice, each on what the one before it has left ("20% off then 5 USD off" is not "5 USD off then 20% off"; in
 * proportion to the lines); billing credits line by line, as they stand on the invoice; then taxes, inclusive ones out
 * of what is left and exclusive ones on it less the inclusive. What adds up over the invoice adds up over its lines.
 *
 * Sources: docs.stripe.com/billing/subscriptions/coupons ("Stackable coupons"), /billing/taxes/tax-rates ("Discounts",
 * "Rounding"), /billing/subscriptions/usage-based/billing-credits ("Apply credit grants": "after discounts, but before
 * taxes and the invoice credit balance"), /invoicing/integration/programmatic-credit-notes (the order of the invoice), and
 * `InvoiceLineItem.discounts` of the API ("Line item discounts are applied before invoice discounts").
 */
export function adjustLines(lines: readonly GrossLine[], terms: AdjustmentTerms): LineAdjustments[] {
  const adjusted = lines.map(
    (line): LineAdjustments => ({ discounts: [], credits: [], taxes: [], net: line.amount }),
  );
  const isWhole = lines.every((line) => line.amount % terms.step === 0n);
  const step = isWhole ? terms.step : 1n;
  const own = new Set(lines.flatMap((line) => line.discountIds));
  for (const id of own) discount(id, (line) => line.discountIds.includes(id));
  for (const id of terms.invoiceDiscountIds) discount(id, () => true);
  applyCredits(lines, adjusted, terms.credits);
  applyTaxes(lines, adjusted, terms.taxRounding, step);
  return adjusted;

  function discount(discountId: string, isOn: (line: GrossLine) => boolean): void {
    const known = terms.discounts.get(discountId);
    if (known === undefined) return;
    const { off, productIds } = known;
    const shares = adjusted.filter((_, index) => {
      const line = lines[index];
      if (line === undefined || !line.discountable || !isOn(line)) return false;
      return productIds === null || productIds.includes(line.productId ?? '');
    });
    const base = shares.reduce((sum, share) => sum + share.net, 0n);
    if (base <= 0n) return;
    const total =
      'percent' in off
        ? roundHalfAway(base * off.percent, PERCENT_SCALE, step)
        : off.amount < base
          ? off.amount
          : base;
    const parts = roundToTotal(
      shares.map((share) => share.net * total),
      base,
      total,
      step,
    );
    for (const [index, share] of shares.entries()) {
      const amount = parts[index] ?? 0n;
      share.discounts.push({ discountId, amount });
      share.net -= amount;
    }
  }
}

function applyCredits(
  lines: readonly GrossLine[],
  adjusted: readonly LineAdjustments[],
  credits: readonly CreditTerms[],
): void {
  for (const { grantId, balance, priceIds } of credits) {
    let left = balance;
    for (const [index, share] of adjusted.entries()) {
      const priceId = lines[index]?.meteredPriceId ?? null;
      if (priceId === null || (priceIds !== null && !priceIds.includes(priceId))) continue;
      const amount = share.net < left ? share.net : left;
      if (amount <= 0n) continue;
      share.credits.push({ grantId, amount });
      share.net -= amount;
      left -= amount;
    }
  }
}

function applyTaxes(
  lines: readonly GrossLine[],
  adjusted: readonly LineAdjustments[],
  rounding: AdjustmentTerms['taxRounding'],
  step: bigint,
): void {
  const exact = lines.flatMap((line, index) => {
    const net = adjusted[index]?.net ?? 0n;
    const included = line.taxRates.reduce((sum, rate) => sum + (rate.inclusive ? rate.percent : 0n), 0n);
    return line.taxRates.map((rate) => {
      // Net of inclusive tax the line is `net / (1 + included)`, and each rate is one of that.
      const numerator = (net * rate.percent * EXACT) / (PERCENT_SCALE + included);
      const tax = { ...rate, amount: 0n, taxableAmount: 0n };
      return { index, numerator, net, included, tax };
    });
  });
  const byRate = Map.groupBy(exact, ({ tax }) => tax.taxRateId);
  for (const entries of byRate.values()) {
    const sum = entries.reduce((total, { numerator }) => total + numerator, 0n);
    const total = roundHalfAway(sum, EXACT, step);
    const parts =
      rounding === 'line'
        ? entries.map(({ numerator }) => roundHalfAway(numerator, EXACT, step))
        : roundToTotal(
            entries.map(({ numerator }) => numerator),
            EXACT,
            total,
            step,
          );
    for (const [index, entry] of entries.entries()) {
      entry.tax.amount = parts[index] ?? 0n;
      entry.tax.taxableAmount = roundHalfAway(
        entry.net * PERCENT_SCALE,
        PERCENT_SCALE + entry.included,
        step,
      );
    }
  }
  for (const { index, tax } of exact) {
    const { taxRateId, inclusive, amount, taxableAmount } = tax;
    adjusted[index]?.taxes.push({ taxRateId, inclusive, amount, taxableAmount });
  }
}
