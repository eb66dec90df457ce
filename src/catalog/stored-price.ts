import type { PriceTier, RatePrice } from '../../pricing/rating/rate-price.ts';

/** The columns of `subscription_items` that hold a price; one by the package is kept like tiers. */
export interface StoredPrice {
  unit_amount_decimal: string | null;
  tiers_mode: string | null;
  price_tiers: unknown;
}

interface StoredPackage {
  unitAmountDecimal: string;
  packageSize: string;
}

interface StoredTier {
  upTo: string | null;
  unitAmountDecimal: string;
  flatAmountDecimal: string | null;
}

/** A stored price in the words of rating; null when it is none that this version can rate. */
export function readStoredPrice(row: StoredPrice): RatePrice | null {
  if (row.unit_amount_decimal !== null) {
    return { kind: 'per_unit', unitAmountDecimal: row.unit_amount_decimal };
  }
  const mode = row.tiers_mode;
  if ((mode === 'package_up' || mode === 'package_down') && row.price_tiers !== null) {
    const { unitAmountDecimal, packageSize } = row.price_tiers as StoredPackage;
    const round = mode === 'package_up' ? 'up' : 'down';
    return { kind: 'per_package', unitAmountDecimal, packageSize: BigInt(packageSize), round };
  }
  if ((mode !== 'graduated' && mode !== 'volume') || row.price_tiers === null) return null;
  return { kind: 'tiered', mode, tiers: (row.price_tiers as StoredTier[]).map(readTier) };
}

function readTier(tier: StoredTier): PriceTier {
  return {
    upTo: tier.upTo === null ? null : BigInt(tier.upTo),
    unitAmountDecimal: tier.unitAmountDecimal,
    flatAmountDecimal: tier.flatAmountDecimal,
  };
}

/** The inverse: what the three columns hold, tiers as JSON text. */
export function toStoredPrice(price: RatePrice | null): {
  unitAmountDecimal: string | null;
  tiersMode: string | null;
  priceTiers: string | null;
} {
  if (price === null) return { unitAmountDecimal: null, tiersMode: null, priceTiers: null };
  if (price.kind === 'per_unit') {
    return { unitAmountDecimal: price.unitAmountDecimal, tiersMode: null, priceTiers: null };
  }
  if (price.kind === 'per_package') {
    const { unitAmountDecimal, packageSize, round } = price;
    const stored: StoredPackage = { unitAmountDecimal, packageSize: String(packageSize) };
    return { unitAmountDecimal: null, tiersMode: `package_${round}`, priceTiers: JSON.stringify(stored) };
  }
  const tiers = price.tiers.map(
    (tier): StoredTier => ({ ...tier, upTo: tier.upTo === null ? null : String(tier.upTo) }),
  );
  return { unitAmountDecimal: null, tiersMode: price.mode, priceTiers: JSON.stringify(tiers) };
}
