import type { WirePlan, WirePrice, WireTier } from './http/wire.ts';
import { type BillingInterval, MONTHLY } from './invoices/months.ts';
import type { PriceScheme, TierInput } from './price-scheme.ts';
import type { ItemTaxes, StripeState } from './state.ts';

export interface NewPrice {
  productId: string;
  /** Null: legacy usage records, or a licensed price. */
  meterId: string | null;
  usageType?: 'metered' | 'licensed';
  /** Default: monthly. */
  interval?: BillingInterval;
  /** Null: each unit has the price. */
  transformQuantity?: WirePrice['transform_quantity'];
  currency: string;
  scheme: PriceScheme;
  nickname: string | null;
  lookupKey?: string | null;
  active?: boolean;
  metadata: Record<string, string>;
  taxBehavior?: ItemTaxes['behavior'];
  /** Amounts in further currencies. */
  options?: ReadonlyMap<string, PriceScheme>;
  /** Seconds. */
  created: number;
}

/** Makes a price and puts it into the state, its tiers beside it. */
export function newPrice(state: StripeState, input: NewPrice): WirePrice {
  const { scheme } = input;
  const tiered = 'tiers' in scheme;
  const unitAmountDecimal = tiered ? null : scheme.unitAmountDecimal;
  const price: WirePrice = {
    id: state.nextId('price'),
    object: 'price',
    active: input.active ?? true,
    billing_scheme: tiered ? 'tiered' : 'per_unit',
    created: input.created,
    currency: input.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: input.lookupKey ?? null,
    metadata: input.metadata,
    nickname: input.nickname,
    product: input.productId,
    recurring: {
      interval: (input.interval ?? MONTHLY).unit,
      interval_count: (input.interval ?? MONTHLY).count,
      meter: input.meterId,
      trial_period_days: null,
      usage_type: input.usageType ?? 'metered',
    },
    tax_behavior: input.taxBehavior ?? 'unspecified',
    tiers_mode: tiered ? scheme.tiersMode : null,
    transform_quantity: input.transformQuantity ?? null,
    type: 'recurring',
    unit_amount: wholeAmount(unitAmountDecimal),
    unit_amount_decimal: unitAmountDecimal,
  };
  state.prices.set(price.id, price);
  if (tiered) state.priceTiers.set(price.id, scheme.tiers.map(toWireTier));
  if (input.options !== undefined) state.priceOptions.set(price.id, new Map(input.options));
  return price;
}

/** What a price charges in a currency; undefined: it has no amount in it. */
export function amountsIn(
  state: StripeState,
  price: WirePrice,
  currency: string,
): { unitAmountDecimal: string | null; tiers: readonly WireTier[] | null } | undefined {
  if (price.currency === currency)
    return { unitAmountDecimal: price.unit_amount_decimal, tiers: state.priceTiers.get(price.id) ?? null };
  const option = state.priceOptions.get(price.id)?.get(currency);
  if (option === undefined) return undefined;
  return 'tiers' in option
    ? { unitAmountDecimal: null, tiers: option.tiers.map(toWireTier) }
    : { unitAmountDecimal: option.unitAmountDecimal, tiers: null };
}

/** Where `currency_options` is expanded: every currency, the price's own among them, each without its tiers. */
export function toWireOptions(
  state: StripeState,
  price: WirePrice,
): NonNullable<WirePrice['currency_options']> {
  const others = state.withholdsOptions ? [] : (state.priceOptions.get(price.id)?.keys() ?? []);
  const currencies = [price.currency, ...others];
  return Object.fromEntries(
    currencies.map((currency) => {
      const unitAmountDecimal = amountsIn(state, price, currency)?.unitAmountDecimal ?? null;
      return [
        currency,
        {
          custom_unit_amount: null,
          tax_behavior: price.tax_behavior,
          unit_amount: wholeAmount(unitAmountDecimal),
          unit_amount_decimal: unitAmountDecimal,
        },
      ];
    }),
  );
}

function toWireTier(tier: TierInput): WireTier {
  return {
    flat_amount: wholeAmount(tier.flatAmountDecimal),
    flat_amount_decimal: tier.flatAmountDecimal,
    unit_amount: wholeAmount(tier.unitAmountDecimal),
    unit_amount_decimal: tier.unitAmountDecimal,
    up_to: tier.upTo,
  };
}

/** The integer beside the decimal; null where it is no whole number. */
function wholeAmount(decimal: string | null): number | null {
  return decimal !== null && /^\d+$/.test(decimal) ? Number(decimal) : null;
}

/** The older face of a price, which items still carry. */
export function toPlan(price: WirePrice): WirePlan {
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: price.billing_scheme,
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? 'month',
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: price.metadata,
    meter: price.recurring?.meter ?? null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: price.tiers_mode,
    transform_usage: price.transform_quantity,
    trial_period_days: null,
    usage_type: price.recurring?.usage_type ?? 'licensed',
  };
}
