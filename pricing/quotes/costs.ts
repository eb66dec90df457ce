import { findPrice, type PriceNote } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { costPicoUsd } from '../rating/rating.ts';
import { findCapacity, type QuoteCapacity } from './capacity.ts';
import { type Figure, known, unknown } from './figures.ts';
import type { RatedPart } from './parts.ts';

/** What the cost of a line rests on beside an exact match. */
export type QuoteNote = PriceNote | 'cost_of_further_throughput';

export interface PartCost {
  cost: Figure;
  picoUsdPerToken: bigint | null;
  notes: QuoteNote[];
}

/** By what parts are costed. */
export interface Costing {
  priceBook: PriceBook;
  /** The instant whose list prices count; without it the newest. */
  at?: Date;
  /** Throughput bought by the hour that is in force then. */
  capacities?: readonly QuoteCapacity[];
}

/**
 * What a part costs at list prices.
 * @param furtherPicoUsd what it adds to the price of throughput bought by the hour, where it runs on such
 */
export function costOf(
  { priceBook, at }: Costing,
  part: RatedPart,
  furtherPicoUsd?: bigint | undefined,
): PartCost {
  if (furtherPicoUsd !== undefined) {
    return { cost: known(furtherPicoUsd), picoUsdPerToken: null, notes: ['cost_of_further_throughput'] };
  }
  const { usage, tokenType, tokenCount } = part;
  const found = findPrice(priceBook, at === undefined ? usage : { ...usage, at }, tokenType);
  if (!found.found) return { cost: unknown(found.reason), picoUsdPerToken: null, notes: [] };
  // Batch is half the price or it is nothing we know: the direct price would be a guess.
  if (usage.deploymentType === 'batch' && found.row.deploymentType !== 'batch') {
    return { cost: unknown('no_batch_price'), picoUsdPerToken: null, notes: [] };
  }
  return {
    cost: known(costPicoUsd(tokenCount, found.picoUsdPerToken)),
    picoUsdPerToken: found.picoUsdPerToken,
    notes: found.notes,
  };
}

/** The same beside bought throughput, which is paid with the usage and without it. */
export function costBesideThroughput(costing: Costing, part: RatedPart): Figure {
  const { capacities = [], priceBook } = costing;
  const isBought = findCapacity(capacities, part.usage, priceBook) !== null;
  return isBought ? known(0n) : costOf(costing, part).cost;
}
