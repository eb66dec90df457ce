import { divideHalfUp, formatDecimal, PICO_DIGITS } from '../../../pricing/money.ts';

/** The change in percent with one decimal, for people. */
export function renderChange(old: bigint | null, fresh: bigint | null): string {
  if (old === null || fresh === null || old <= 0n) return fresh === null ? '' : 'new';
  const permille = divideHalfUp((fresh - old) * 1_000n, old);
  return `${permille > 0n ? '+' : ''}${formatDecimal(permille, 1, 1)} %`;
}

/** A price in pico units as decimal text. */
export function showPrice(picoPerUnit: bigint | null): string | null {
  return picoPerUnit === null ? null : formatDecimal(picoPerUnit, PICO_DIGITS);
}
