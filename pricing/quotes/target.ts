import { divideUp, PICO_DIGITS } from '../money.ts';
import type { TokenType } from '../usage/tokens.ts';
import { type CostRate, leastPicoMinor } from './cost-rate.ts';
import { type Figure, known, unknown } from './figures.ts';
import type { Quote } from './quote.ts';
import type { Ratio } from './usage.ts';

/** Pico units in a minor unit. */
export const PICO = 10n ** BigInt(PICO_DIGITS);

/** A price per token at which the usage reaches the wanted margin. */
interface TargetRate {
  model: string;
  deploymentType: string | null;
  region: string | null;
  tokenType: TokenType;
  picoUsdPerToken: bigint;
  /** Pico of the minor unit for one token: 12 decimals, as Stripe takes them. */
  unitPicoMinor: bigint;
}

export interface TargetPrice {
  /** Pico of the minor unit: the least price that reaches the margin. */
  price: Figure;
  /** The same in whole minor units. */
  invoiceAmountMinor: Figure;
  /** Per cent of the cost to add, in units of 10^-12. */
  markupPercentPico: bigint;
  rates: TargetRate[];
  /** What some cost, in pico of the cost's currency, must bring: pico of the minor unit, rounded up. */
  priceOf(costPico: bigint): bigint;
}

/**
 * The least price whose margin is at least the wanted share of it: cost / (1 - share). Everything is rounded up, at
 * the twelfth decimal, so that the margin is reached and never missed by a rounding.
 * @param share of the price, 0 or more and below 1
 * @throws RangeError when it is not
 */
export function priceForMargin(quote: Quote, share: Ratio, costRate: CostRate): TargetPrice {
  const rest = share.denominator - share.numerator;
  if (share.numerator < 0n || rest <= 0n)
    throw new RangeError('a margin is at least 0 and below 100 per cent');
  // Where no rate is known, nothing asks for a price.
  const priceOf = (costPico: bigint) =>
    'reason' in costRate ? 0n : leastPicoMinor(costPico, costRate, { rest, whole: share.denominator });
  const { cost } = quote.totals;
  const reason =
    cost.value === null
      ? unknown('cost_unknown')
      : 'reason' in costRate
        ? unknown(costRate.reason)
        : cost.value <= 0n
          ? unknown('cost_is_not_positive')
          : null;
  const price = reason ?? known(priceOf(cost.value ?? 0n));
  return {
    price,
    invoiceAmountMinor: price.value === null ? price : known(divideUp(price.value, PICO)),
    markupPercentPico: divideUp(share.numerator * 100n * PICO, rest),
    rates: 'reason' in costRate ? [] : ratesFor(quote, priceOf),
    priceOf,
  };
}

/** One for each thing that costs differently, in the order of the lines. */
function ratesFor(quote: Quote, priceOf: (costPico: bigint) => bigint): TargetRate[] {
  const rates = new Map<string, TargetRate>();
  for (const { model, deploymentType, region, tokenType, picoUsdPerToken, tokenCount } of quote.lines) {
    if (picoUsdPerToken === null || tokenCount <= 0n) continue;
    const key = JSON.stringify([model, deploymentType, region, tokenType, String(picoUsdPerToken)]);
    rates.set(key, {
      model,
      deploymentType,
      region,
      tokenType,
      picoUsdPerToken,
      unitPicoMinor: priceOf(picoUsdPerToken),
    });
  }
  return [...rates.values()];
}
