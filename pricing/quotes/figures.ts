import type { ConversionMiss } from '../exchange/rates.ts';
import { divideHalfUp } from '../money.ts';
import type { PriceMissReason } from '../prices/lookup.ts';
import type { UntoldReason } from '../usage/untold.ts';
import { type CostRate, toPicoMinor } from './cost-rate.ts';

export type UnknownReason =
  | PriceMissReason
  | UntoldReason
  | ConversionMiss
  | 'no_batch_price'
  | 'no_sell_rate'
  | 'tiered_sell_rate'
  | 'priced_with_others'
  | 'currency_differs_from_cost'
  | 'cost_unknown'
  | 'price_unknown'
  | 'price_is_zero'
  | 'cost_is_not_positive'
  | 'no_tokens'
  | 'no_requests';

/** A figure, or the reason why there is none. Never a zero that means "unknown". */
export type Figure = { value: bigint; reason: null } | { value: null; reason: UnknownReason };

export interface Figures {
  /** Pico of the price book's currency. */
  cost: Figure;
  /** Pico of the currency's minor unit. */
  price: Figure;
  /** Pico of the currency's minor unit. */
  margin: Figure;
  /** Hundredths of a per cent of the price. */
  marginBasisPoints: Figure;
}

export function known(value: bigint): Figure {
  return { value, reason: null };
}

export function unknown(reason: UnknownReason): Figure {
  return { value: null, reason };
}

/** The sum, unless a part is unknown: then the sum is too, for the first such reason. */
export function sumOf(figures: readonly Figure[]): Figure {
  let sum = 0n;
  for (const figure of figures) {
    if (figure.value === null) return figure;
    sum += figure.value;
  }
  return known(sum);
}

/** Cost and price with the margin between them, in the currency of the price. */
export function figuresOf(cost: Figure, price: Figure, rate: CostRate): Figures {
  const margin = marginOf(cost, price, rate);
  return { cost, price, margin, marginBasisPoints: basisPointsOf(margin, price) };
}

function marginOf(cost: Figure, price: Figure, rate: CostRate): Figure {
  if (cost.value === null) return unknown('cost_unknown');
  if (price.value === null) return unknown('price_unknown');
  if ('reason' in rate) return unknown(rate.reason);
  return known(price.value - toPicoMinor(cost.value, rate));
}

function basisPointsOf(margin: Figure, price: Figure): Figure {
  if (margin.value === null || price.value === null) return margin;
  if (price.value === 0n) return unknown('price_is_zero');
  // A price below zero (usage that falls away) turns both signs; the share keeps its own.
  return price.value > 0n
    ? known(divideHalfUp(margin.value * 10_000n, price.value))
    : known(divideHalfUp(-margin.value * 10_000n, -price.value));
}
