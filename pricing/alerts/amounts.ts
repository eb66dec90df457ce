import { divideHalfUp, formatMinor, groupDigits, minorUnitDigits, PICO_DIGITS } from '../money.ts';

/** Pico of a currency's unit as people write it, to the minor unit: `1,234.56 USD`. */
export function sayAmount(amountPico: bigint, currency: string): string {
  const digits = minorUnitDigits(currency);
  const minor = divideHalfUp(amountPico, 10n ** BigInt(PICO_DIGITS - digits));
  return `${groupDigits(formatMinor(minor, currency))} ${currency.toUpperCase()}`;
}

/** `1,234`. */
export function sayCount(count: bigint): string {
  return groupDigits(String(count));
}

/** `80 %`, with one decimal where there is one. */
export function sayShare(permille: number): string {
  return `${permille % 10 === 0 ? permille / 10 : (permille / 10).toFixed(1)} %`;
}

/** An instant as people read it, in UTC: `20 Nov 2026, 14:20 UTC`. */
export function sayInstant(iso: string): string {
  const text = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'UTC',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(new Date(iso));
  return `${text} UTC`;
}
