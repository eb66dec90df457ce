import Stripe from 'stripe';
import type { PriceTier, RatePrice } from '../../pricing/rating/rate-price.ts';

/** Why an item has no price: stands in the ledger, and as the reason of the usage that waits for it. */
export const NO_PRICE_IN_CURRENCY = 'no_price_in_currency';

/**
 * What a price charges a subscription in its currency: the top-level amount is that of the price's own currency, all
 * others stand in `currency_options`, which must have been expanded (docs.stripe.com/api/prices/object).
 */
export function toRatePriceIn(
  price: Stripe.Price,
  currency: string,
): { price: RatePrice | null; problem: typeof NO_PRICE_IN_CURRENCY | null } {
  if (price.currency === currency) return { price: toRatePrice(price, price.tiers), problem: null };
  const option = price.currency_options?.[currency];
  const isTiered = price.billing_scheme === 'tiered';
  if (
    option === undefined ||
    (isTiered ? (option.tiers?.length ?? 0) === 0 : option.unit_amount_decimal === null)
  )
    return { price: null, problem: NO_PRICE_IN_CURRENCY };
  const amounts = { ...price, unit_amount_decimal: option.unit_amount_decimal };
  return { price: toRatePrice(amounts, option.tiers), problem: null };
}

/** Stripe speaks of a price with or without its tiers: these are returned only where they were asked for. */
type PriceFields = Pick<
  Stripe.Price,
  'billing_scheme' | 'unit_amount_decimal' | 'tiers_mode' | 'transform_quantity'
>;

/**
 * What a price charges, in our words. Null for what we cannot rate: tiers that were not asked for, tiers of packages, which
 * Stripe does not make, and anything newer than this code.
 */
export function toRatePrice(price: PriceFields, tiers: Stripe.Price['tiers']): RatePrice | null {
  const { transform_quantity: transform } = price;
  if (price.billing_scheme === 'per_unit') {
    const unitAmountDecimal = price.unit_amount_decimal?.toString();
    if (unitAmountDecimal === undefined) return null;
    if (transform === null) return { kind: 'per_unit', unitAmountDecimal };
    const { divide_by: size, round } = transform;
    if (round !== 'up' && round !== 'down') return null;
    return {
      kind: 'per_package',
      unitAmountDecimal,
      packageSize: BigInt(size),
      round: round === 'up' ? 'up' : 'down',
    };
  }
  if (transform !== null) return null;
  const mode = price.tiers_mode;
  if (tiers === undefined || tiers === null || tiers.length === 0) return null;
  if (!isTiersMode(mode)) return null;
  return { kind: 'tiered', mode, tiers: tiers.map(toTier) };
}

function isTiersMode(mode: string | null): mode is 'graduated' | 'volume' {
  return mode === 'graduated' || mode === 'volume';
}

function toTier(tier: NonNullable<Stripe.Price['tiers']>[number]): PriceTier {
  return {
    upTo: tier.up_to === null ? null : BigInt(tier.up_to),
    unitAmountDecimal: tier.unit_amount_decimal?.toString() ?? '0',
    flatAmountDecimal: tier.flat_amount_decimal?.toString() ?? null,
  };
}

/** The amounts of a new price as Stripe takes them. */
export function toPriceParameters(
  price: RatePrice,
): Pick<
  Stripe.PriceCreateParams,
  'billing_scheme' | 'unit_amount_decimal' | 'tiers_mode' | 'tiers' | 'transform_quantity'
> {
  if (price.kind === 'per_unit') {
    return {
      billing_scheme: 'per_unit',
      unit_amount_decimal: Stripe.Decimal.from(price.unitAmountDecimal),
    };
  }
  if (price.kind === 'per_package') {
    return {
      billing_scheme: 'per_unit',
      unit_amount_decimal: Stripe.Decimal.from(price.unitAmountDecimal),
      transform_quantity: { divide_by: Number(price.packageSize), round: price.round },
    };
  }
  return {
    billing_scheme: 'tiered',
    tiers_mode: price.mode,
    tiers: price.tiers.map((tier) => ({
      up_to: tier.upTo === null ? 'inf' : Number(tier.upTo),
      unit_amount_decimal: Stripe.Decimal.from(tier.unitAmountDecimal),
      ...(tier.flatAmountDecimal === null
        ? {}
        : { flat_amount_decimal: Stripe.Decimal.from(tier.flatAmountDecimal) }),
    })),
  };
}
