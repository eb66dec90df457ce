import type { WirePlan, WirePrice, WireTier } from './http/wire.ts';
import type { StripeState } from './state.ts';

/** What a price charges: one amount per unit, or tiers. Amounts are decimal text in minor units. */
export type PriceScheme =
  | { unitAmountDecimal: string }
  | { tiersMode: 'graduated' | 'volume'; tiers: readonly TierInput[] };

export interface TierInput {
  /** Inclusive; null: without end. */
  upTo: number | null;
  unitAmountDecimal: string | null;
  /** A whole number of minor units; zero is not the same as null: it gets a line of its own. */
  flatAmountDecimal: string | null;
}

export interface NewPrice {
  productId: string;
  /** Null: legacy usage records, or a licensed price. */
  meterId: string | null;
  usageType?: 'metered' | 'licensed';
  currency: string;
  scheme: PriceScheme;
  nickname: string | null;
  lookupKey?: string | null;
  active?: boolean;
  metadata: Record<string, string>;
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
      interval: 'month',
      interval_count: 1,
      meter: input.meterId,
      trial_period_days: null,
      usage_type: input.usageType ?? 'metered',
    },
    tax_behavior: 'unspecified',
    tiers_mode: tiered ? scheme.tiersMode : null,
    transform_quantity: null,
    type: 'recurring',
    unit_amount: wholeAmount(unitAmountDecimal),
    unit_amount_decimal: unitAmountDecimal,
  };
  state.prices.set(price.id, price);
  if (tiered) state.priceTiers.set(price.id, scheme.tiers.map(toWireTier));
  return price;
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
    interval: 'month',
    interval_count: 1,
    livemode: false,
    metadata: price.metadata,
    meter: price.recurring?.meter ?? null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: price.tiers_mode,
    transform_usage: null,
    trial_period_days: null,
    usage_type: price.recurring?.usage_type ?? 'licensed',
  };
}
