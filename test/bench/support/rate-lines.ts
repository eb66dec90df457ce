import { Decimal } from 'decimal.js';
import type { RatePrice } from '../../../pricing/rating/rate-price.ts';
import { createRandom } from '../../../sandbox/random.ts';

export interface RateLine {
  quantity: bigint;
  price: RatePrice;
}

/** What is charged, exactly and as the lines of an invoice round it. */
export interface RateTotals {
  picoMinor: bigint;
  minor: bigint;
}

/** Prices as resellers have them: a few dozen, half of them per unit, with up to 12 decimals. */
export function createRateLines(count: number): RateLine[] {
  const random = createRandom(4);
  const below = (limit: number) => Math.floor(random() * limit);
  const digits = () => String(below(1_000_000)).padStart(6, '0');
  const amount = () => `0.000${digits()}${below(2) === 0 ? '' : digits().slice(0, 3)}`;
  const prices = Array.from({ length: 48 }, (_, index): RatePrice => {
    if (index % 2 === 0) return { kind: 'per_unit', unitAmountDecimal: amount() };
    return {
      kind: 'tiered',
      mode: index % 4 === 1 ? 'graduated' : 'volume',
      tiers: [1_000_000n, 50_000_000n, 400_000_000n, null].map((upTo, tier) => ({
        upTo,
        unitAmountDecimal: amount(),
        flatAmountDecimal: tier === 1 ? '500' : null,
      })),
    };
  });
  return Array.from({ length: count }, (_, index) => ({
    quantity: BigInt(below(2_000_000_000)),
    price: prices[index % prices.length] ?? { kind: 'per_unit', unitAmountDecimal: '0' },
  }));
}

interface DecimalTier {
  upTo: Decimal | null;
  unit: Decimal;
  flat: Decimal;
}

/** The same work as careful code on decimal.js would do it, prices read once as well. */
export function rateWithDecimals(lines: readonly RateLine[]): RateTotals {
  let exact = new Exact(0);
  let minor = new Exact(0);
  const prepared = new Map<RatePrice, DecimalTier[]>();
  for (const { quantity, price } of lines) {
    let tiers = prepared.get(price);
    if (tiers === undefined) {
      tiers = readTiers(price);
      prepared.set(price, tiers);
    }
    const used = new Exact(quantity.toString());
    const isGraduated = price.kind === 'tiered' && price.mode === 'graduated';
    let below = new Exact(0);
    for (const tier of tiers) {
      const isLast = tier.upTo === null || used.lte(tier.upTo);
      if (isGraduated || isLast) {
        const part = isGraduated ? (isLast ? used : (tier.upTo ?? used)).minus(below) : used;
        const amount = part.times(tier.unit).plus(tier.flat);
        exact = exact.plus(amount);
        minor = minor.plus(amount.toDecimalPlaces(0, Decimal.ROUND_HALF_UP));
      }
      if (isLast) break;
      below = tier.upTo ?? below;
    }
  }
  return { picoMinor: BigInt(exact.times('1e12').toFixed(0)), minor: BigInt(minor.toFixed(0)) };
}

/** Enough digits for sums of such amounts to stay exact. */
const Exact = Decimal.clone({ precision: 50 });

function readTiers(price: RatePrice): DecimalTier[] {
  const tiers =
    price.kind === 'tiered'
      ? price.tiers
      : [{ upTo: null, unitAmountDecimal: price.unitAmountDecimal, flatAmountDecimal: null }];
  return tiers.map((tier) => ({
    upTo: tier.upTo === null ? null : new Exact(tier.upTo.toString()),
    unit: new Exact(tier.unitAmountDecimal),
    flat: new Exact(tier.flatAmountDecimal ?? '0'),
  }));
}
