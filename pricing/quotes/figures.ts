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

/** What an unknown figure is at least and at most. */
export interface Bounds {
  least: bigint;
  most: bigint;
}

/** A figure, or the reason why there is none. Never a zero that means "unknown", nor the middle of what it lies between. */
export type Figure =
  | { value: bigint; reason: null }
  | { value: null; reason: UnknownReason; between?: Bounds };

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

export function unknown(reason: UnknownReason, between?: Bounds): Figure {
  return { value: null, reason, ...(between === undefined ? {} : { between }) };
}

/**
 * The sum, unless a part is unknown: then the sum is too, for the first such reason. It has bounds where every part has, or
 * is known.
 */
export function sumOf(figures: readonly Figure[]): Figure {
  const bounds = { least: 0n, most: 0n };
  let reason: UnknownReason | null = null;
  let isBounded = true;
  for (const figure of figures) {
    if (figure.value === null) reason ??= figure.reason;
    const part = figure.value === null ? figure.between : { least: figure.value, most: figure.value };
    if (part === undefined) isBounded = false;
    else {
      bounds.least += part.least;
      bounds.most += part.most;
    }
  }
  if (reason === null) return known(bounds.least);
  return isBounded ? unknown(reason, bounds) : unknown(reason);
}

/** Cost and price with the margin between them, in the currency of the price. */
export function figuresOf(cost: Figure, price: Figure, rate: CostRate): Figures {
  const margin = marginOf(cost, price, rate);
  return { cost, price, margin, marginBasisPoints: basisPointsOf(margin, price) };
}

function marginOf(cost: Figure, price: Figure, rate: CostRate): Figure {
  if (cost.value === null) {
    if (cost.between === undefined || price.value === null || 'reason' in rate)
      return unknown('cost_unknown');
    return unknown('cost_unknown', {
      least: price.value - toPicoMinor(cost.between.most, rate),
      most: price.value - toPicoMinor(cost.between.least, rate),
    });
  }
  if (price.value === null) return unknown('price_unknown');
  if ('reason' in rate) return unknown(rate.reason);
  return known(price.value - toPicoMinor(cost.value, rate));
}

function basisPointsOf(margin: Figure, price: Figure): Figure {
  if (margin.value === null) return unknown(margin.reason);
  if (price.value === null) return unknown('price_unknown');
  if (price.value === 0n) return unknown('price_is_zero');
  // A price below zero (usage that falls away) turns both signs; the share keeps its own.
  return price.value > 0n
    ? known(divideHalfUp(margin.value * 10_000n, price.value))
    : known(divideHalfUp(-margin.value * 10_000n, -price.value));
}
