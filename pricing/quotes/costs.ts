import { hasPrice, type PriceNote } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { PriceBounds } from '../prices/requests.ts';
import { costPicoUsd } from '../rating/rating.ts';
import type { TokenType } from '../usage/tokens.ts';
import { hasUntoldWrites, untoldReason } from '../usage/untold.ts';
import { findCapacity, type QuoteCapacity } from './capacity.ts';
import { type Bounds, type Figure, known, unknown } from './figures.ts';
import type { RatedPart } from './parts.ts';
import { findQuotedPrice, type QuotedPriceNote } from './quoted-price.ts';
import type { QuoteUsage } from './usage.ts';

/** What the cost of a line rests on beside an exact match. */
export type QuoteNote = PriceNote | QuotedPriceNote | 'cost_of_further_throughput';

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
  /** The cost of batch is unknown without a batch price: how quotes were made before a stand-in was said everywhere. */
  batchNeedsOwnPrice?: boolean;
}

/**
 * What a part costs at list prices.
 * @param furtherPicoUsd what it adds to the price of throughput bought by the hour, where it runs on such
 */
export function costOf(
  { priceBook, at, batchNeedsOwnPrice = false }: Costing,
  part: RatedPart,
  furtherPicoUsd?: bigint | undefined,
): PartCost {
  if (furtherPicoUsd !== undefined) {
    return { cost: known(furtherPicoUsd), picoUsdPerToken: null, notes: ['cost_of_further_throughput'] };
  }
  const { usage, tokenType, tokenCount } = part;
  const found = findQuotedPrice(priceBook, usage, at, tokenType);
  if (!found.found) {
    return {
      cost: unknown(found.reason, boundsOf(found.between, tokenCount)),
      picoUsdPerToken: null,
      notes: found.notes,
    };
  }
  if (batchNeedsOwnPrice && usage.deploymentType === 'batch' && found.row.deploymentType !== 'batch') {
    return { cost: unknown('no_batch_price'), picoUsdPerToken: null, notes: [] };
  }
  const untold =
    usage.untold === undefined
      ? null
      : untoldReason(usage.untold, tokenType, isPricedFor(priceBook, usage, at));
  if (untold !== null) return { cost: unknown(untold), picoUsdPerToken: null, notes: [] };
  return {
    cost: known(costPicoUsd(tokenCount, found.picoUsdPerToken)),
    picoUsdPerToken: found.picoUsdPerToken,
    notes: found.notes,
  };
}

/** Taking usage away saves the most where it cost the most. */
function boundsOf(between: PriceBounds | undefined, tokenCount: bigint): Bounds | undefined {
  if (between === undefined) return undefined;
  const [one, other] = [between.leastPicoUsdPerToken, between.mostPicoUsdPerToken].map((price) =>
    costPicoUsd(tokenCount, price),
  );
  if (one === undefined || other === undefined) return undefined;
  return one < other ? { least: one, most: other } : { least: other, most: one };
}

/** What all of it costs beside the known parts: unknown where cache writes that nobody told have a price. */
export function costBesideParts(costing: Costing, usage: readonly QuoteUsage[]): Figure {
  const { priceBook, at, capacities = [] } = costing;
  const isHidden = usage.some(
    (entry) =>
      entry.untold !== undefined &&
      entry.tokens.prompt !== 0n &&
      findCapacity(capacities, entry, priceBook) === null &&
      hasUntoldWrites(entry.untold, isPricedFor(priceBook, entry, at)),
  );
  return isHidden ? unknown('cache_writes_not_told') : known(0n);
}

function isPricedFor(book: PriceBook, usage: QuoteUsage, at: Date | undefined) {
  return (tokenType: TokenType) => hasPrice(findQuotedPrice(book, usage, at, tokenType));
}

/** The same beside bought throughput, which is paid with the usage and without it. */
export function costBesideThroughput(costing: Costing, part: RatedPart): Figure {
  const { capacities = [], priceBook } = costing;
  const isBought = findCapacity(capacities, part.usage, priceBook) !== null;
  return isBought ? known(0n) : costOf(costing, part).cost;
}
