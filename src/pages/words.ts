import {
  divideHalfUp,
  divideUp,
  formatDecimal,
  groupDigits,
  minorUnitDigits,
  PICO_DIGITS,
  parseDecimal,
} from '../../pricing/money.ts';
import { isTokenType } from '../../pricing/usage/shape.ts';
import { TOKEN_WORDS } from '../../pricing/usage/words.ts';

export { groupDigits };

/** Families whose names are written in capitals; the rest of a model's name is a word or a version. */
const CAPITALS = new Map([
  ['gpt', 'GPT'],
  ['dall', 'DALL'],
]);

/** A model as people write it: `gpt-4o-mini` is `GPT-4o mini`, `o3-mini` is `o3 mini`. */
export function modelInWords(model: string): string {
  if (model === '*') return 'Any model';
  const [family = '', version, ...rest] = model.split('-');
  const capitals = CAPITALS.get(family);
  if (capitals !== undefined) return [`${capitals}${version ? `-${version}` : ''}`, ...rest].join(' ');
  const name = [family, version, ...rest].filter(Boolean).join(' ');
  return /^o\d/.test(name) ? name : name.replace(/^./, (first) => first.toUpperCase());
}

/** `gpt-4o` and `prompt` are `GPT-4o input tokens`. */
export function usageInWords(model: string, tokenType: string): string {
  return `${modelInWords(model)} ${isTokenType(tokenType) ? TOKEN_WORDS[tokenType].customer : tokenType}`;
}

/** What tokens are counted as: `input`, `cached input`; what else a price may be for as it is written. */
export function tokenTypeInWords(tokenType: string): string {
  return isTokenType(tokenType)
    ? TOKEN_WORDS[tokenType].customer.replace(/ tokens$/, '')
    : tokenType.replaceAll('_', ' ');
}

/**
 * Decimal text with two decimals.
 * @param rounding `up` for what must be reached, such as the price for a margin; it is for amounts that are not negative
 */
export function twoDecimals(amount: string, rounding: 'nearest' | 'up' = 'nearest'): string {
  const digits = Math.max(2, amount.split('.')[1]?.length ?? 0);
  const unit = 10n ** BigInt(digits - 2);
  const exact = parseDecimal(amount, digits);
  const hundredths = rounding === 'up' ? divideUp(exact, unit) : divideHalfUp(exact, unit);
  return formatDecimal(hundredths, 2, 2);
}

const SIGNS: Record<string, string> = { usd: '$', eur: '€', gbp: '£' };

/** An amount with its currency: `$1,250.50`, `−€3.00`, `CHF 12.00`. */
export function moneyInWords(amount: string, currency: string): string {
  const sign = SIGNS[currency] ?? `${currency.toUpperCase()} `;
  return amount.startsWith('-') ? `−${sign}${groupDigits(amount.slice(1))}` : `${sign}${groupDigits(amount)}`;
}

const LONG_DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });

/** A day: `21 November 2026`. In UTC, as all of our days are. */
export function dayInWords(instant: string): string {
  return LONG_DAY.format(new Date(instant));
}

const SHORT_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** A day where there is little room: `21 Nov`. */
export function dayShort(day: string | Date): string {
  return SHORT_DAY.format(new Date(day));
}

const MONTH = new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' });

/** The month of an instant: `November 2026`. */
export function monthInWords(instant: Date): string {
  return MONTH.format(instant);
}

/** Minor units, exact: `$0.40`, `$0.0005`. */
export function minorInWords(minorDecimal: string, currency: string): string {
  const digits = minorUnitDigits(currency);
  return moneyInWords(
    formatDecimal(parseDecimal(minorDecimal, PICO_DIGITS), PICO_DIGITS + digits, digits),
    currency,
  );
}

/** Minor units for one token as a price for people: `$3.00 per million`. */
export function perMillion(unitAmountDecimal: string, currency: string): string {
  const pico = parseDecimal(unitAmountDecimal, PICO_DIGITS) * 1_000_000n;
  const amount = formatDecimal(pico, PICO_DIGITS + minorUnitDigits(currency), minorUnitDigits(currency));
  return `${moneyInWords(amount, currency)} per million`;
}
