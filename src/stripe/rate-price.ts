import Stripe from 'stripe';
import type { PriceTier, RatePrice } from '../../pricing/rating/rate-price.ts';

/** Stripe speaks of a price with or without its tiers: these are returned only where they were asked for. */
type PriceFields = Pick<
  Stripe.Price,
  'billing_scheme' | 'unit_amount_decimal' | 'tiers_mode' | 'transform_quantity'
>;

/**
 * What a price charges, in our words. Null for what we cannot rate: packages (`transform_quantity`), tiers that were
 * not asked for, and anything newer than this code.
 */
export function toRatePrice(price: PriceFields, tiers: Stripe.Price['tiers']): RatePrice | null {
  if (price.transform_quantity !== null) return null;
  if (price.billing_scheme === 'per_unit') {
    const unitAmountDecimal = price.unit_amount_decimal?.toString();
    return unitAmountDecimal === undefined ? null : { kind: 'per_unit', unitAmountDecimal };
  }
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
): Pick<Stripe.PriceCreateParams, 'billing_scheme' | 'unit_amount_decimal' | 'tiers_mode' | 'tiers'> {
  if (price.kind === 'per_unit') {
    return {
      billing_scheme: 'per_unit',
      unit_amount_decimal: Stripe.Decimal.from(price.unitAmountDecimal),
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
