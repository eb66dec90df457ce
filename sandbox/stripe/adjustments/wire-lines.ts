import type { WireInvoice, WireInvoiceLine, WireSubscriptionItem, WireTaxRate } from '../http/wire.ts';
import { chargeStep } from '../money.ts';
import type { StripeState } from '../state.ts';
import { adjustLines, type GrossLine, type LineAdjustments, type TaxTerms } from './adjust.ts';
import { creditsFor } from './credits.ts';
import { discountTerms, idsOf, isInForce } from './discounts.ts';
import { automaticTaxes, manualTaxes } from './taxes.ts';

/** What an invoice takes off its lines and puts on them. */
export interface WireTerms {
  customerId: string;
  wire: Pick<
    WireInvoice,
    'automatic_tax' | 'created' | 'currency' | 'default_tax_rates' | 'discounts' | 'period_end'
  >;
  /** Subscription items as the invoice bills them. */
  items: readonly WireSubscriptionItem[];
}

/** Called for each use of a billing credit; null: it is only shown, not used. */
export type UseCredit = (used: { grantId: string; amount: bigint; lineId: string }) => string | null;

/** Lines with their discounts, billing credits and taxes; see `adjustLines`. */
export function adjustWireLines(
  state: StripeState,
  lines: readonly WireInvoiceLine[],
  terms: WireTerms,
  useCredit: UseCredit = () => null,
): WireInvoiceLine[] {
  const { customerId, wire } = terms;
  const { currency } = wire;
  const inForce = (ids: readonly string[]) => ids.filter((id) => isInForce(state, id, wire.created * 1_000));
  const sources = lines.map((line) => sourceOf(state, line, terms));
  const gross = lines.map((line, index): GrossLine => {
    const source = sources[index];
    return {
      amount: BigInt(line.amount),
      discountable: line.discountable,
      productId: line.pricing?.price_details?.product ?? null,
      discountIds: inForce(source?.discountIds ?? []),
      meteredPriceId: source?.meteredPriceId ?? null,
      taxRates: source?.taxRates ?? [],
    };
  });
  const invoiceDiscountIds = idsOf(wire.discounts);
  const named = new Set([...invoiceDiscountIds, ...gross.flatMap((line) => line.discountIds)]);
  const adjusted = adjustLines(gross, {
    discounts: new Map(
      [...named].flatMap((id) => {
        const known = discountTerms(state, id, currency);
        return known === null ? [] : [[id, known] as const];
      }),
    ),
    invoiceDiscountIds,
    credits: creditsFor(state, { customerId, currency, periodEndSeconds: wire.period_end }),
    // "Invoices with automatic Stripe tax always sum up the tax amounts first and then round."
    taxRounding: wire.automatic_tax.enabled ? 'invoice' : state.taxRounding,
    step: state.roundsLinesToSteps ? chargeStep(currency) : 1n,
  });
  return lines.map((line, index) => {
    const share = adjusted[index];
    const discountIds = gross[index]?.discountIds ?? [];
    if (share === undefined) return line;
    return withShare(line, discountIds, share, wire.automatic_tax.enabled, useCredit);
  });
}

function withShare(
  line: WireInvoiceLine,
  discountIds: readonly string[],
  { discounts, credits, taxes }: LineAdjustments,
  isAutomatic: boolean,
  useCredit: UseCredit,
): WireInvoiceLine {
  const discountAmounts = discounts.map(({ discountId, amount }) => ({
    amount: Number(amount),
    discount: discountId,
  }));
  return {
    ...line,
    discounts: [...discountIds],
    discount_amounts: discountAmounts,
    pretax_credit_amounts: [
      ...discountAmounts.map((entry) => ({ ...entry, type: 'discount' as const })),
      ...credits.map(({ grantId, amount }) => ({
        amount: Number(amount),
        credit_balance_transaction: useCredit({ grantId, amount, lineId: line.id }),
        type: 'credit_balance_transaction' as const,
      })),
    ],
    taxes: taxes.map(({ taxRateId, inclusive, amount, taxableAmount }) => ({
      amount: Number(amount),
      tax_behavior: inclusive ? 'inclusive' : 'exclusive',
      tax_rate_details: { tax_rate: taxRateId },
      taxability_reason: isAutomatic ? 'standard_rated' : 'not_available',
      taxable_amount: Number(taxableAmount),
      type: 'tax_rate_details',
    })),
  };
}

/** What a line came from says what it is discounted and taxed by. */
function sourceOf(
  state: StripeState,
  line: WireInvoiceLine,
  { customerId, wire, items }: WireTerms,
): Pick<GrossLine, 'discountIds' | 'meteredPriceId' | 'taxRates'> {
  const taxesOf = (
    rates: readonly WireTaxRate[],
    behavior: string | null,
    code: string | null,
  ): TaxTerms[] => {
    if (!wire.automatic_tax.enabled) return manualTaxes(rates.length > 0 ? rates : wire.default_tax_rates);
    const country = state.customers.get(customerId)?.address?.country ?? null;
    const known = behavior === 'exclusive' || behavior === 'inclusive' ? behavior : 'unspecified';
    return automaticTaxes(state, { country, currency: wire.currency }, { behavior: known, code });
  };
  const details = line.parent?.subscription_item_details;
  if (details != null) {
    const item = items.find(({ id }) => id === details.subscription_item);
    if (item === undefined) return { discountIds: [], meteredPriceId: null, taxRates: [] };
    const { price } = item;
    const taxCode = state.products.get(String(price.product))?.tax_code ?? null;
    return {
      discountIds: idsOf(item.discounts),
      meteredPriceId: price.recurring?.meter == null ? null : price.id,
      taxRates: taxesOf(item.tax_rates ?? [], price.tax_behavior, String(taxCode ?? '') || null),
    };
  }
  const itemId = line.parent?.invoice_item_details?.invoice_item ?? '';
  const price = state.prices.get(String(line.pricing?.price_details?.price ?? ''));
  const item = state.invoiceItems.get(itemId);
  const taxes = state.invoiceItemTaxes.get(itemId);
  return {
    discountIds: idsOf(item?.discounts ?? []),
    meteredPriceId: state.creditsFormerPrices && price?.recurring?.meter != null ? price.id : null,
    taxRates: taxesOf(item?.tax_rates ?? [], taxes?.behavior ?? null, taxes?.code ?? null),
  };
}

/** The sums of an invoice over its lines. */
export function sumLines(lines: readonly WireInvoiceLine[]) {
  const amount = sum(lines, (line) => line.amount);
  const ownDiscounts = sum(lines, ({ discounts, discount_amounts }) =>
    sum(discount_amounts ?? [], (entry) =>
      idsOf(discounts).includes(String(entry.discount)) ? entry.amount : 0,
    ),
  );
  const pretax = sum(lines, (line) => sum(line.pretax_credit_amounts ?? [], (entry) => entry.amount));
  const taxOf = (behavior: string) =>
    sum(lines, ({ taxes }) => sum(taxes ?? [], (tax) => (tax.tax_behavior === behavior ? tax.amount : 0)));
  const inclusive = taxOf('inclusive');
  const exclusive = taxOf('exclusive');
  const total = amount - pretax + exclusive;
  return {
    subtotal: amount - ownDiscounts,
    subtotal_excluding_tax: amount - ownDiscounts - inclusive,
    total,
    total_excluding_tax: total - exclusive - inclusive,
    total_discount_amounts: merge(
      lines.flatMap((line) => line.discount_amounts ?? []),
      (entry) => String(entry.discount),
    ),
    total_pretax_credit_amounts: mergePretax(lines),
    total_taxes: mergeTaxes(lines),
  };
}

function mergePretax(lines: readonly WireInvoiceLine[]) {
  const entries = lines.flatMap((line) => line.pretax_credit_amounts ?? []);
  return merge(entries, (entry) =>
    // A draft's credits are of no transaction yet; each is told by itself.
    entry.type === 'discount'
      ? `discount ${String(entry.discount)}`
      : `credit ${String(entry.credit_balance_transaction ?? entries.indexOf(entry))}`,
  );
}

function mergeTaxes(lines: readonly WireInvoiceLine[]) {
  const taxes = lines.flatMap((line) => line.taxes ?? []);
  const byRate = Map.groupBy(taxes, (tax) => tax.tax_rate_details?.tax_rate ?? '');
  return [...byRate.values()].flatMap((entries) => {
    const [first] = entries;
    if (first === undefined) return [];
    return [
      {
        ...first,
        amount: sum(entries, (tax) => tax.amount),
        taxable_amount: sum(entries, (tax) => tax.taxable_amount ?? 0),
      },
    ];
  });
}

function merge<Entry extends { amount: number }>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string,
): Entry[] {
  return [...Map.groupBy(entries, keyOf).values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [{ ...first, amount: sum(same, (entry) => entry.amount) }];
  });
}

export function sum<Item>(items: readonly Item[], amountOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + amountOf(item), 0);
}
