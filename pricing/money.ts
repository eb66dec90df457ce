/**
 * Exact money. Inside, an amount is a BigInt of pico units (10^-12 of the currency's unit or minor unit, as
 * the name says); at the edges it is decimal text. Nothing here ever becomes a binary float, and rounding
 * happens in exactly one function.
 */
export const PICO_DIGITS = 12;

const ZERO = 0x30;
const DECIMAL = /^-?\d+(?:\.\d+)?$/;
/** Longest decimal text accepted: no price or amount needs more, and BigInt parsing is quadratic. */
const MAX_TEXT_LENGTH = 60;

/**
 * Reads decimal text as a whole number of `10^-digits`.
 * @param digits decimals kept; trailing zeros beyond them are allowed, other digits are not
 * @throws RangeError when the text is not plain decimal notation or would lose a digit
 */
export function parseDecimal(text: string, digits: number): bigint {
  if (text.length > MAX_TEXT_LENGTH || !DECIMAL.test(text)) {
    throw new RangeError(`not a decimal number: ${text.slice(0, MAX_TEXT_LENGTH)}`);
  }
  const [whole = '0', fraction = ''] = text.split('.');
  const kept = fraction.slice(0, digits).padEnd(digits, '0');
  if (/[1-9]/.test(fraction.slice(digits))) {
    throw new RangeError(`${text} has more than ${digits} decimals`);
  }
  const magnitude = BigInt(whole.replace('-', '') + kept);
  return text.startsWith('-') ? -magnitude : magnitude;
}

/**
 * `5.0e-6` as `0.0000050`: the exponents of spreadsheets and of other price lists, without a float between. Any other text
 * stays as it is.
 */
export function withoutExponent(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]?\d{1,2})$/i.exec(text);
  if (match === null || text.length > MAX_TEXT_LENGTH) return text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const point = whole.length + Number(exponent);
  const digits = whole + fraction;
  const padded = point <= 0 ? `${'0'.repeat(1 - point)}${digits}` : digits.padEnd(point, '0');
  const at = Math.max(point, 1);
  const rest = padded.slice(at);
  const kept = padded.slice(0, at).replace(/^0+(?=\d)/, '');
  return `${sign}${kept}${rest === '' ? '' : `.${rest}`}`;
}

/**
 * Writes a whole number of `10^-digits` as decimal text, without trailing zeros beyond `minimumFractionDigits`.
 * The inverse of `parseDecimal`.
 */
export function formatDecimal(value: bigint, digits: number, minimumFractionDigits = 0): string {
  const text = (value < 0n ? -value : value).toString().padStart(digits + 1, '0');
  const point = text.length - digits;
  let end = text.length;
  while (end > point && text.charCodeAt(end - 1) === ZERO) end -= 1;
  const fraction = text.slice(point, end).padEnd(minimumFractionDigits, '0');
  return `${value < 0n ? '-' : ''}${text.slice(0, point)}${fraction === '' ? '' : `.${fraction}`}`;
}

/**
 * The one rounding rule of the house: to the nearest whole number, halves away from zero.
 * @throws RangeError when the denominator is not positive
 */
export function divideHalfUp(numerator: bigint, denominator: bigint): bigint {
  if (denominator <= 0n) throw new RangeError('the denominator must be positive');
  const magnitude = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * magnitude + denominator) / (2n * denominator);
  return numerator < 0n ? -rounded : rounded;
}

/** To the next whole number, for what must be reached; of amounts that are not negative. */
export function divideUp(numerator: bigint, denominator: bigint): bigint {
  return (numerator + denominator - 1n) / denominator;
}

/** Currencies that Stripe counts without, or with three, decimals (docs.stripe.com/currencies). */
const ZERO_DECIMAL = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '));
const THREE_DECIMAL = new Set('bhd jod kwd omr tnd'.split(' '));
/**
 * Of which number of minor units a charged amount must be a multiple, where that is not 1 (same page): the last digit of
 * three decimals is 0, and two currencies without decimals are still counted in hundredths.
 */
export const CHARGE_STEPS: Readonly<Record<string, number>> = {
  ...Object.fromEntries([...THREE_DECIMAL].map((currency) => [currency, 10])),
  isk: 100,
  ugx: 100,
};

/** How many decimals the currency's minor unit has at Stripe: 2 for usd and ugx, 0 for jpy, 3 for kwd. */
export function minorUnitDigits(currency: string): number {
  const code = currency.toLowerCase();
  if (ZERO_DECIMAL.has(code)) return 0;
  return THREE_DECIMAL.has(code) ? 3 : 2;
}

/** Of which number of minor units a charged amount must be a multiple: 1 for usd, 10 for kwd, 100 for ugx. */
export function chargeStep(currency: string): bigint {
  return BigInt(CHARGE_STEPS[currency.toLowerCase()] ?? 1);
}

/** The nearest amount that can be charged in the currency, halves away from zero. */
export function toChargeable(amountMinor: bigint, currency: string): bigint {
  const step = chargeStep(currency);
  return divideHalfUp(amountMinor, step) * step;
}

/** Minor units as decimal text of the currency: 1234 usd is `12.34`. */
export function formatMinor(amountMinor: bigint, currency: string): string {
  const digits = minorUnitDigits(currency);
  return formatDecimal(amountMinor, digits, digits);
}

/** Pico of a currency's unit, exactly, as decimal text with at least two decimals. */
export function formatPico(amountPico: bigint): string {
  return formatDecimal(amountPico, PICO_DIGITS, 2);
}

/** Pico of a minor unit, exactly, as decimal text of the currency with at least two decimals. */
export function formatPicoMinor(amountPicoMinor: bigint, currency: string): string {
  return formatDecimal(amountPicoMinor, PICO_DIGITS + minorUnitDigits(currency), 2);
}

/** Digits in groups of three: `1,250,000`, also of decimal text: `1,250.50`. */
export function groupDigits(text: string): string {
  const [whole = '0', fraction] = text.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
