import { refuseParameter } from './http/refusal.ts';

/** Exact decimal arithmetic for prices: text in, integers of 10^-12 inside. */
const DECIMAL_PLACES = 12;
const SCALE = 10n ** BigInt(DECIMAL_PLACES);

/** `0.00025` as 250000000: units of 10^-12. */
export function parseDecimal(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(text);
  if (match === null) throw new RangeError(`not a decimal of at most ${DECIMAL_PLACES} places: ${text}`);
  const [, sign, whole = '0', fraction = ''] = match;
  const units = BigInt(whole) * SCALE + BigInt(fraction.padEnd(DECIMAL_PLACES, '0'));
  return sign === '-' ? -units : units;
}

/** The inverse; `places` other than 12 moves the point, 14 from minor to major units. */
export function formatDecimal(units: bigint, places: number = DECIMAL_PLACES): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  const whole = digits.slice(0, -places);
  return `${units < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Quantity times price, rounded once to so many minor units, halves away from zero. */
export function priceLine(quantity: bigint, unitAmountDecimal: string, step = 1n): bigint {
  const exact = quantity * parseDecimal(unitAmountDecimal);
  const unit = step * SCALE;
  const rounded = (((exact < 0n ? -exact : exact) * 2n + unit) / (2n * unit)) * step;
  return exact < 0n ? -rounded : rounded;
}

/** Currencies without decimals, and with three; all others have two. Written down a second time, apart from the product. */
const ZERO_DECIMAL = [
  'bif',
  'clp',
  'djf',
  'gnf',
  'jpy',
  'kmf',
  'krw',
  'mga',
  'pyg',
  'rwf',
  'vnd',
  'vuv',
  'xaf',
  'xof',
  'xpf',
];
const THREE_DECIMAL = ['bhd', 'jod', 'kwd', 'omr', 'tnd'];
/** Amounts are counted in hundredths, and only whole units can be charged. */
const WHOLE_UNITS_ONLY = ['isk', 'ugx'];

/** Minor units as a decimal in major units. */
export function toMajorUnits(minor: bigint, currency: string): string {
  const places = ZERO_DECIMAL.includes(currency) ? 0 : THREE_DECIMAL.includes(currency) ? 3 : 2;
  const digits = (minor < 0n ? -minor : minor).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  return `${minor < 0n ? '-' : ''}${whole}${places === 0 ? '' : `.${digits.slice(-places)}`}`;
}

/** Of which number of minor units a charged amount must be a multiple. */
export function chargeStep(currency: string): bigint {
  if (THREE_DECIMAL.includes(currency)) return 10n;
  return WHOLE_UNITS_ONLY.includes(currency) ? 100n : 1n;
}

/** @throws StripeRefusal for an amount that cannot be charged in its currency */
export function checkChargeable(amount: bigint, currency: string): void {
  const step = chargeStep(currency);
  if (amount % step === 0n) return;
  throw refuseParameter('amount', `Amounts in ${currency} must be divisible by ${step}.`, 'amount_invalid');
}
