/** A price as Azure's Retail Prices API lists it. Amounts are plain decimal text, as exact as the list's own digits. */
export interface RetailItem {
  meterId: string;
  meterName: string;
  skuName: string;
  productName: string;
  serviceName: string;
  /** Region by its ARM name; empty where the list names none. */
  armRegionName: string;
  /** Lower case, e.g. `usd`. */
  currency: string;
  /** For one `unitOfMeasure`; never a float on the way here. */
  retailPrice: string;
  /** As listed, e.g. `1K`, `1M`, `1/Hour`; see `parseRetailUnit`. */
  unitOfMeasure: string;
  /** `Consumption`, `Reservation` or `DevTestConsumption`. */
  type: string;
  /** Above zero, the price holds from that many units a month only. */
  tierMinimumUnits: string;
  effectiveStartDate: Date;
  /** Set where the list says when the price ends. */
  effectiveEndDate: Date | null;
}

const NUMBER_LITERAL = /^(-?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/;
/** No price is written with more; a larger exponent would only make long text. */
const MAX_EXPONENT = 40;

/**
 * Writes a number of a JSON body (`8.8E-05` too, as the service writes small prices) as plain decimal text without
 * losing or adding a digit.
 * @throws RangeError when it is no number, or larger or smaller than any price
 */
export function plainDecimal(literal: string): string {
  const parts = NUMBER_LITERAL.exec(literal);
  const exponent = Number(parts?.[4] ?? '0');
  if (parts === null || Math.abs(exponent) > MAX_EXPONENT) {
    throw new RangeError(`not a price: ${literal.slice(0, 60)}`);
  }
  const [, sign = '', whole = '', fraction = ''] = parts;
  const digits = whole + fraction;
  const pointAt = whole.length + exponent;
  const padded = digits.padStart(digits.length + Math.max(0, -pointAt), '0').padEnd(pointAt, '0');
  const at = Math.max(pointAt, 0);
  const wholeText = padded.slice(0, at).replace(/^0+(?=\d)/, '') || '0';
  const fractionText = padded.slice(at).replace(/0+$/, '');
  const text = fractionText === '' ? wholeText : `${wholeText}.${fractionText}`;
  return text === '0' ? '0' : `${sign}${text}`;
}
