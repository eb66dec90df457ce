import { parseDecimal } from '../../../pricing/money.ts';

/** More decimals than any text that is read has. */
const DIGITS = 60;

/** By what decimal text is sorted: exact, for prices a float apart are two prices. Null, which is unknown, stays null. */
export function decimalOrder(text: string | null | undefined): bigint | null {
  return text == null ? null : parseDecimal(text, DIGITS);
}
