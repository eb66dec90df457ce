import type { Conversion, ConversionMiss } from '../exchange/rates.ts';
import {
  divideHalfUp,
  formatPico,
  groupDigits,
  minorUnitDigits,
  PICO_DIGITS,
  parseDecimal,
} from '../money.ts';
import { type BudgetMeasure, isMoney } from './budget.ts';

/** A part of what a holder used: pico-USD of cost, pico minor units of revenue in its currency, or a count. */
export interface UsedPart {
  /** Of revenue; null: cost in US dollars, or a count. */
  currency: string | null;
  amount: bigint;
}

/** What the parts come to in the budget's own terms; the first conversion that is missing instead. */
export function sumUsed(
  parts: readonly UsedPart[],
  { measure, currency }: { measure: BudgetMeasure; currency: string | null },
  conversionOf: (currency: string) => Conversion | ConversionMiss | null,
): bigint | ConversionMiss {
  if (!isMoney(measure) || currency === null) return parts.reduce((sum, { amount }) => sum + amount, 0n);
  let total = 0n;
  for (const part of parts) {
    const own = part.currency ?? 'usd';
    const pico =
      part.currency === null ? part.amount : divideHalfUp(part.amount, 10n ** BigInt(minorUnitDigits(own)));
    if (own === currency) {
      total += pico;
      continue;
    }
    const [back, forth] = [conversionOf(own), conversionOf(currency)];
    if (typeof back === 'string') return back;
    if (typeof forth === 'string') return forth;
    const numerator = (back?.denominator ?? 1n) * (forth?.numerator ?? 1n);
    total += divideHalfUp(pico * numerator, (back?.numerator ?? 1n) * (forth?.denominator ?? 1n));
  }
  return total;
}

/** An amount of a budget as exact decimal text, for machines. */
export function formatAmount(amount: bigint, measure: BudgetMeasure): string {
  return isMoney(measure) ? formatPico(amount) : String(amount);
}

/** The same for people, two decimals of money. */
export function amountInWords(
  amount: bigint,
  { measure, currency }: { measure: BudgetMeasure; currency: string | null },
): string {
  if (!isMoney(measure)) return `${groupDigits(String(amount))} ${measure}`;
  const cents = divideHalfUp(amount, 10n ** BigInt(PICO_DIGITS - 2));
  const text = `${cents < 0n ? '-' : ''}${groupDigits(formatPico(cents < 0n ? -cents * 10n ** 10n : cents * 10n ** 10n))}`;
  return `${text} ${(currency ?? '').toUpperCase()}`;
}

/**
 * An amount as people and machines write it.
 * @throws RangeError when it is no plain number, or has more decimals than are kept
 */
export function parseAmount(text: string, measure: BudgetMeasure): bigint {
  return parseDecimal(text.trim(), isMoney(measure) ? PICO_DIGITS : 0);
}
