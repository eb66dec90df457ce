import type { Conversion, ConversionMiss } from '../exchange/rates.ts';
import { divideHalfUp, divideUp, minorUnitDigits } from '../money.ts';

/** By what a cost, in pico of its currency, becomes pico of the minor unit of the price's currency; or why it cannot. */
export type CostRate =
  | { numerator: bigint; denominator: bigint }
  | { reason: ConversionMiss | 'currency_differs_from_cost' };

/** @param conversion null or absent: none was looked for, as by quotes from before there were exchange rates */
export function costRateOf(
  { currency, costCurrency }: { currency: string; costCurrency: string },
  conversion: Conversion | ConversionMiss | null | undefined,
): CostRate {
  if (currency === costCurrency) return { numerator: minorUnitsOf(currency), denominator: 1n };
  if (conversion === undefined || conversion === null) return { reason: 'currency_differs_from_cost' };
  if (typeof conversion === 'string') return { reason: conversion };
  const { numerator, denominator } = conversion;
  return { numerator: numerator * minorUnitsOf(currency), denominator };
}

/** Rounded to the nearest pico of the minor unit, halves away from zero. */
export function toPicoMinor(costPico: bigint, rate: Extract<CostRate, { numerator: bigint }>): bigint {
  return divideHalfUp(costPico * rate.numerator, rate.denominator);
}

/**
 * The least price, in pico of the minor unit, of which a cost is at most `rest / whole`.
 * @param costPico 0 or more
 */
export function leastPicoMinor(
  costPico: bigint,
  rate: Extract<CostRate, { numerator: bigint }>,
  { rest, whole }: { rest: bigint; whole: bigint },
): bigint {
  return divideUp(costPico * rate.numerator * whole, rate.denominator * rest);
}

function minorUnitsOf(currency: string): bigint {
  return 10n ** BigInt(minorUnitDigits(currency));
}
