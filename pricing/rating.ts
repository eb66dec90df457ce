import { divideHalfUp, PICO_DIGITS, parseDecimal } from './money.ts';

const PICO = 10n ** BigInt(PICO_DIGITS);

/** Exact cost in pico-USD. */
export function costPicoUsd(tokenCount: bigint, picoUsdPerToken: bigint): bigint {
  return tokenCount * picoUsdPerToken;
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
