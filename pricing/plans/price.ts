import {
  chargeStep,
  divideHalfUp,
  formatDecimal,
  formatMinor,
  minorUnitDigits,
  PICO_DIGITS,
  parseDecimal,
} from '../money.ts';
import type { PriceTier, RatePrice } from '../rating/rate-price.ts';
import type { PlanTier } from './plan.ts';

/** A million tokens: six decimals between a plan's amounts and Stripe's. */
const PER_MILLION_DIGITS = 6;
/** A percentage has at most four decimals. */
const PERCENT_DIGITS = 4;
/** One per cent is 10^4 of these, and the whole 10^6. */
const WHOLE = 10n ** BigInt(PERCENT_DIGITS + 2);

/**
 * An amount for a million tokens, as Stripe's `unit_amount_decimal` for one token.
 * @param perMillion decimal text in the currency's unit
 * @throws RangeError when it is negative, or not exact with 12 decimals of a minor unit
 */
export function unitAmountOf(perMillion: string, currency: string): string {
  const picoMinor = parseExact(perMillion, PICO_DIGITS - PER_MILLION_DIGITS + minorUnitDigits(currency));
  return formatDecimal(picoMinor, PICO_DIGITS);
}

/** The inverse: what a million tokens cost, in the currency's unit. Exact, with two decimals or more. */
export function perMillionOf(unitAmountDecimal: string, currency: string): string {
  const digits = PICO_DIGITS - PER_MILLION_DIGITS + minorUnitDigits(currency);
  return formatDecimal(parseDecimal(unitAmountDecimal, PICO_DIGITS), digits, 2);
}

/**
 * An amount that is charged as it stands, in minor units.
 * @throws RangeError when it is negative or nothing that can be charged in the currency
 */
export function wholeMinorOf(amount: string, currency: string): bigint {
  const amountMinor = parseExact(amount, minorUnitDigits(currency));
  const step = chargeStep(currency);
  if (amountMinor % step === 0n) return amountMinor;
  throw new RangeError(
    `${amount} cannot be charged in ${currency}: amounts go in steps of ${formatMinor(step, currency)}`,
  );
}

/**
 * The price of a token that costs us something, with a markup on it.
 * @param picoPerToken cost, in pico of the currency's unit
 * @returns `isRounded` when 12 decimals of a minor unit could not hold it and it was rounded half up
 * @throws RangeError when the markup is no percentage of 0 or more with at most four decimals
 */
export function markedUpUnitAmount(
  picoPerToken: bigint,
  markupPercent: string,
  currency: string,
): { unitAmountDecimal: string; isRounded: boolean } {
  const markup = parseExact(markupPercent, PERCENT_DIGITS);
  const exactTimesWhole = picoPerToken * 10n ** BigInt(minorUnitDigits(currency)) * (WHOLE + markup);
  return {
    unitAmountDecimal: formatDecimal(divideHalfUp(exactTimesWhole, WHOLE), PICO_DIGITS),
    isRounded: exactTimesWhole % WHOLE !== 0n,
  };
}

/** Tiers as Stripe has them. What lies below the allowance is a first tier at nothing; ends count all tokens. */
export function tiersOf(
  tiers: readonly PlanTier[],
  includedTokens: bigint | null,
  currency: string,
): PriceTier[] {
  const priced = tiers.map((tier) => ({
    upTo: tier.upTo,
    unitAmountDecimal: unitAmountOf(tier.perMillion, currency),
    flatAmountDecimal: tier.flat === null ? null : String(wholeMinorOf(tier.flat, currency)),
  }));
  return includedTokens === null ? priced : [allowance(includedTokens), ...priced];
}

/** A price for each token, from the first on or above an allowance. */
export function perUnitPrice(unitAmountDecimal: string, includedTokens: bigint | null): RatePrice {
  if (includedTokens === null) return { kind: 'per_unit', unitAmountDecimal };
  return {
    kind: 'tiered',
    mode: 'graduated',
    tiers: [allowance(includedTokens), { upTo: null, unitAmountDecimal, flatAmountDecimal: null }],
  };
}

function allowance(includedTokens: bigint): PriceTier {
  return { upTo: includedTokens, unitAmountDecimal: '0', flatAmountDecimal: null };
}

function parseExact(amount: string, digits: number): bigint {
  const value = parseDecimal(amount, digits);
  if (value < 0n) throw new RangeError(`${amount} is negative`);
  return value;
}
