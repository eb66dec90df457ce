import { formatDecimal, parseDecimal, withoutExponent } from '../money.ts';
import type { DeploymentType, PriceKind, PriceUnit } from '../prices/rows.ts';

/** One price as a published list says it, in the words of the price book. */
export interface FeedPrice {
  /** As the list names it, in normal form; the book may know it under another name. */
  model: string;
  deploymentType: DeploymentType;
  region: string;
  tokenType: PriceKind;
  serviceTier: 'standard' | 'priority' | 'flex';
  /** Holds for requests with more input tokens than this; 0: for any. */
  aboveInputTokenCount: number;
  /** Exact decimal text for one `unit`. */
  amount: string;
  unit: PriceUnit;
  /** From when on, where the list says; null: it does not. */
  effectiveFrom: string | null;
  /** The entry of the list. */
  sourceKey: string;
}

/** What of a list could not be taken, and why: nothing is left out in silence. */
export interface NotUnderstood {
  sourceKey: string;
  field: string;
  value: string;
  why: string;
}

export interface FeedReading {
  prices: FeedPrice[];
  notUnderstood: NotUnderstood[];
}

/** Decimals that no list needs more of. */
const WORK_DIGITS = 30;
const PICO_PER_MILLION_DIGITS = 6;

/**
 * A price for one token as one for a million, as exact decimal text with two decimals at least (`2.5e-06`: `2.50`).
 * @throws RangeError when it is no plain number, or too fine for the book
 */
export function perMillion(literal: string): string {
  const perOne = parseDecimal(withoutExponent(literal), WORK_DIGITS);
  return amountText(formatDecimal(perOne * 1_000_000n, WORK_DIGITS));
}

/**
 * Decimal text as the book writes amounts for a million tokens: two decimals at least, none that is not needed.
 * @throws RangeError as perMillion does
 */
export function amountText(literal: string): string {
  return formatDecimal(
    parseDecimal(withoutExponent(literal), PICO_PER_MILLION_DIGITS),
    PICO_PER_MILLION_DIGITS,
    2,
  );
}
