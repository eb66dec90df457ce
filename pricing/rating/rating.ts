import { divideHalfUp, PICO_DIGITS, parseDecimal } from '../money.ts';
import {
  checkRatePrice,
  type PackagePrice,
  type PriceTier,
  packagesOf,
  type RatePrice,
} from './rate-price.ts';

const PICO = 10n ** BigInt(PICO_DIGITS);

/** One line of an invoice: a quantity at one unit amount, and what is charged once beside it. */
export interface RatedLine {
  quantity: bigint;
  /** For one; of a price by the package, for a package. */
  unitAmountDecimal: string;
  flatAmountDecimal: string | null;
  /** Exact, in pico of the minor unit. */
  amountPicoMinor: bigint;
  /** The same in minor units, rounded once, halves away from zero. */
  amountMinor: bigint;
  /** Which tier of the price, from 0; null for a price without tiers. */
  tierIndex: number | null;
}

/** A price read once, so that rating by it is multiplication alone. */
interface PreparedTier {
  tier: PriceTier;
  tierIndex: number | null;
  /** Quantity below the tier. */
  from: bigint;
  upTo: bigint | null;
  unitPicoMinor: bigint;
  flatPicoMinor: bigint;
  /** What a graduated price charges for all tiers below. */
  belowPicoMinor: bigint;
}

interface PreparedPrice {
  isGraduated: boolean;
  /** Null: each unit has the price. */
  packages: PackagePrice | null;
  tiers: readonly PreparedTier[];
}

/** Exact cost in pico-USD. */
export function costPicoUsd(tokenCount: bigint, picoUsdPerToken: bigint): bigint {
  return tokenCount * picoUsdPerToken;
}

/**
 * The lines that Stripe's invoice shows for a quantity, each rounded once: one for a per-unit or a volume price,
 * one for each tier used for a graduated price. No usage is one line of the first tier, and Stripe charges that
 * tier's flat amount for it. A quantity below zero (corrections alone) is billed as none.
 * @throws RangeError when the price is malformed
 */
export function rateQuantity(quantity: bigint, price: RatePrice): RatedLine[] {
  const prepared = preparePrice(price);
  const billed = quantity < 0n ? 0n : quantity;
  const last = tierOf(prepared, billed);
  if (!prepared.isGraduated) return [toLine(last, billed, unitsOf(prepared, billed))];
  return prepared.tiers
    .slice(0, prepared.tiers.indexOf(last) + 1)
    .map((tier) => toLine(tier, (tier === last ? billed : (tier.upTo ?? billed)) - tier.from));
}

/**
 * The same, each line rounded to a multiple of so many minor units: of what can be charged in the currency. Whether Stripe
 * rounds lines so where that is more than one is not documented.
 * @throws RangeError when the price is malformed
 */
export function inSteps(line: RatedLine, step: bigint): RatedLine {
  return step === 1n
    ? line
    : { ...line, amountMinor: divideHalfUp(line.amountPicoMinor, step * PICO) * step };
}

/**
 * What a quantity is charged before any rounding, in pico of the currency's minor unit. Never negative.
 * @throws RangeError when the price is malformed
 */
export function exactAmount(quantity: bigint, price: RatePrice): bigint {
  return amountAt(preparePrice(price), quantity);
}

/**
 * `exactAmount` for one price and many quantities.
 * @throws RangeError when the price is malformed
 */
export function prepareRate(price: RatePrice): (quantity: bigint) => bigint {
  const prepared = preparePrice(price);
  const [only, ...further] = prepared.tiers;
  if (only === undefined || further.length > 0 || only.flatPicoMinor > 0n || prepared.packages !== null) {
    return (quantity) => amountAt(prepared, quantity);
  }
  const { unitPicoMinor } = only;
  return (quantity) => (quantity > 0n ? quantity * unitPicoMinor : 0n);
}

/**
 * Exact amount in pico of the currency's minor unit, before any rounding.
 * @param unitAmountDecimal minor units for one token, at most 12 decimals: Stripe's `unit_amount_decimal`
 * @throws RangeError when it is malformed or negative
 */
export function exactAmountPicoMinor(quantity: bigint, unitAmountDecimal: string): bigint {
  const unitAmountPicoMinor = parseDecimal(unitAmountDecimal, PICO_DIGITS);
  if (unitAmountPicoMinor < 0n) throw new RangeError('a price is never negative');
  return quantity * unitAmountPicoMinor;
}

/** Pico of a minor unit to whole minor units: the one rounding of an invoice line, halves away from zero. */
export function roundToMinor(amountPicoMinor: bigint): bigint {
  return divideHalfUp(amountPicoMinor, PICO);
}

/** What a line costs the customer, in minor units, rounded once for the whole line. */
export function amountMinor(quantity: bigint, unitAmountDecimal: string): bigint {
  return roundToMinor(exactAmountPicoMinor(quantity, unitAmountDecimal));
}

/** Prices are plain data that live long: each is checked and read once. */
const preparedByPrice = new WeakMap<RatePrice, PreparedPrice>();

function preparePrice(price: RatePrice): PreparedPrice {
  const known = preparedByPrice.get(price);
  if (known !== undefined) return known;
  checkRatePrice(price);
  const tiers: PreparedTier[] = [];
  const written: readonly PriceTier[] =
    price.kind === 'tiered'
      ? price.tiers
      : [{ upTo: null, unitAmountDecimal: price.unitAmountDecimal, flatAmountDecimal: null }];
  let from = 0n;
  let belowPicoMinor = 0n;
  for (const [index, tier] of written.entries()) {
    const unitPicoMinor = parseDecimal(tier.unitAmountDecimal, PICO_DIGITS);
    const flatPicoMinor = parseDecimal(tier.flatAmountDecimal ?? '0', PICO_DIGITS);
    const tierIndex = price.kind === 'tiered' ? index : null;
    tiers.push({ tier, tierIndex, from, upTo: tier.upTo, unitPicoMinor, flatPicoMinor, belowPicoMinor });
    belowPicoMinor += ((tier.upTo ?? from) - from) * unitPicoMinor + flatPicoMinor;
    from = tier.upTo ?? from;
  }
  const isGraduated = price.kind === 'tiered' && price.mode === 'graduated';
  const prepared = { isGraduated, packages: price.kind === 'per_package' ? price : null, tiers };
  preparedByPrice.set(price, prepared);
  return prepared;
}

function amountAt(prepared: PreparedPrice, quantity: bigint): bigint {
  const billed = quantity < 0n ? 0n : quantity;
  const tier = tierOf(prepared, billed);
  return prepared.isGraduated
    ? tier.belowPicoMinor + (billed - tier.from) * tier.unitPicoMinor + tier.flatPicoMinor
    : unitsOf(prepared, billed) * tier.unitPicoMinor + tier.flatPicoMinor;
}

/** The tier that a total falls into; its end belongs to it. */
function tierOf({ tiers }: PreparedPrice, quantity: bigint): PreparedTier {
  for (const tier of tiers) if (tier.upTo === null || quantity <= tier.upTo) return tier;
  throw new RangeError('a checked price has an open end');
}

/** What a quantity is counted as by its price: itself, or packages. */
function unitsOf({ packages }: PreparedPrice, quantity: bigint): bigint {
  return packages === null ? quantity : packagesOf(packages, quantity);
}

function toLine(prepared: PreparedTier, quantity: bigint, unitCount = quantity): RatedLine {
  const amountPicoMinor = unitCount * prepared.unitPicoMinor + prepared.flatPicoMinor;
  return {
    quantity,
    unitAmountDecimal: prepared.tier.unitAmountDecimal,
    flatAmountDecimal: prepared.tier.flatAmountDecimal,
    amountPicoMinor,
    amountMinor: roundToMinor(amountPicoMinor),
    tierIndex: prepared.tierIndex,
  };
}

/**
 * Splits a whole amount in proportion to weights so that the parts sum to it exactly. What the division
 * leaves over goes, unit by unit, to the largest remainders; among equals to the first.
 * @throws RangeError when weights are negative, or all zero while there is something to split
 */
export function splitAmount(amount: bigint, weights: readonly bigint[]): bigint[] {
  if (amount < 0n) return splitAmount(-amount, weights).map((part) => -part);
  if (weights.some((weight) => weight < 0n)) throw new RangeError('a weight is never negative');
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  if (total === 0n) {
    if (amount === 0n) return weights.map(() => 0n);
    throw new RangeError('there is nothing to split by');
  }
  const parts = weights.map((weight) => (amount * weight) / total);
  const left = Number(amount - parts.reduce((sum, part) => sum + part, 0n));
  const byRemainder = weights
    .map((weight, index) => ({ index, remainder: (amount * weight) % total }))
    .sort((first, second) =>
      first.remainder === second.remainder
        ? first.index - second.index
        : first.remainder > second.remainder
          ? -1
          : 1,
    );
  for (const { index } of byRemainder.slice(0, left)) parts[index] = (parts[index] ?? 0n) + 1n;
  return parts;
}
