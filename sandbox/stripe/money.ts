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

/** Quantity times price, rounded once to the minor unit, halves away from zero. */
export function priceLine(quantity: bigint, unitAmountDecimal: string): bigint {
  const exact = quantity * parseDecimal(unitAmountDecimal);
  const rounded = ((exact < 0n ? -exact : exact) * 2n + SCALE) / (2n * SCALE);
  return exact < 0n ? -rounded : rounded;
}

/** Minor units as a decimal in major units, for the two-decimal currencies of the scenario. */
export function toMajorUnits(minor: bigint): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(3, '0');
  return `${minor < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
