import { PICO_DIGITS, parseDecimal } from '../money.ts';
import type { PriceKind } from '../prices/rows.ts';

/** What a listed price is the price of: `count` of a thing, or of nothing named. */
export interface RetailUnit {
  count: bigint;
  noun: 'token' | 'hour' | 'second' | 'image' | null;
}

const UNIT = /^(\d{1,9})([KMB])?(?:\s*[\s/]\s*(tokens?|hours?|seconds?|images?))?$/i;
const MULTIPLES: Record<string, bigint> = { K: 1_000n, M: 1_000_000n, B: 1_000_000_000n };

/**
 * Reads a `unitOfMeasure`: `1K`, `1M Tokens`, `100`, `1 Hour` and `1/Hour` (which are the same).
 * @returns null when it is none of these: a unit is never guessed
 */
export function parseRetailUnit(text: string): RetailUnit | null {
  const parts = UNIT.exec(text.trim());
  if (parts === null) return null;
  const [, number = '0', multiple, word] = parts;
  // A small letter is no multiple: "1 m" may be minutes or months.
  if (multiple !== undefined && MULTIPLES[multiple] === undefined) return null;
  const count = BigInt(number) * (multiple === undefined ? 1n : (MULTIPLES[multiple] ?? 1n));
  if (count === 0n) return null;
  return { count, noun: (word?.toLowerCase().replace(/s$/, '') ?? null) as RetailUnit['noun'] };
}

/** The nouns a unit may carry for each kind of price; null: a bare number. */
const NOUNS_BY_KIND: Partial<Record<PriceKind, readonly RetailUnit['noun'][]>> = {
  image: [null, 'image'],
  second: [null, 'second'],
  provisioned_unit_hour: ['hour'],
};
const TOKEN_NOUNS: readonly RetailUnit['noun'][] = [null, 'token'];

/** Whether a price of this kind can be listed by this unit. */
export function fitsKind(unit: RetailUnit, kind: PriceKind): boolean {
  return (NOUNS_BY_KIND[kind] ?? TOKEN_NOUNS).includes(unit.noun);
}

/** More digits than any list has; the division below must come out even. */
const WORK_DIGITS = 36;

/**
 * The price of one (one token, one unit for an hour, one image) in pico units of the currency.
 * @param price decimal text for `unit.count` of them
 * @returns null when it is not exact in pico units
 * @throws RangeError when the price is not plain decimal text of at most 36 decimals
 */
export function picoPerOne(price: string, unit: RetailUnit): bigint | null {
  const value = parseDecimal(price, WORK_DIGITS);
  const divisor = unit.count * 10n ** BigInt(WORK_DIGITS - PICO_DIGITS);
  return value % divisor === 0n ? value / divisor : null;
}
