import { findPrice, type PriceLookup } from './lookup.ts';
import type { PriceBook, PriceQuery } from './price-book.ts';
import { type PriceKind, startOf } from './rows.ts';

/** `findPrice` of one book, for many questions that are mostly alike. Answers are shared: read them, no more. */
export type PriceFinder = (query: PriceQuery, tokenType: PriceKind) => PriceLookup;

/** Deployment names are free text from outside; beyond so many kinds of usage we begin again. */
const MAX_REMEMBERED = 20_000;

const finderByBook = new WeakMap<PriceBook, PriceFinder>();

/**
 * Remembers what `findPrice` said: between two instants at which some price or rule changes it says the same. A book
 * is immutable, and a change of prices is another book.
 */
export function priceFinder(book: PriceBook): PriceFinder {
  const known = finderByBook.get(book);
  if (known !== undefined) return known;
  const finder = createFinder(book);
  finderByBook.set(book, finder);
  return finder;
}

function createFinder(book: PriceBook): PriceFinder {
  const changes = [...new Set([...book.data.prices, ...book.data.deployments].map(startOf))]
    .filter(Number.isFinite)
    .sort((left, right) => left - right);
  // By run of instants, model, place and token type.
  const memory = new Map<number, Map<string, Map<string, Map<PriceKind, PriceLookup>>>>();
  let rememberedCount = 0;
  return (query, tokenType) => {
    const run = query.at === undefined ? -1 : countUpTo(changes, query.at.getTime());
    const byModel = entryOf(memory, run, () => new Map());
    const byPlace = entryOf(byModel, query.model, () => new Map());
    const byTokenType = entryOf(byPlace, placeOf(query), () => new Map());
    const remembered = byTokenType.get(tokenType);
    if (remembered !== undefined) return remembered;
    const found = findPrice(book, query, tokenType);
    if (rememberedCount >= MAX_REMEMBERED) {
      memory.clear();
      rememberedCount = 0;
    } else {
      byTokenType.set(tokenType, found);
      rememberedCount += 1;
    }
    return found;
  };
}

function placeOf(query: PriceQuery): string {
  const { deployment = '', deploymentType, region, variant, serviceTier } = query;
  const { requestInputTokenCount, mostInputTokenCount } = query;
  const isTold = serviceTier ?? requestInputTokenCount ?? mostInputTokenCount ?? variant;
  if (deploymentType === undefined && region === undefined && isTold === undefined) return deployment;
  const texts = [deploymentType, region, variant, serviceTier].map((text) => text ?? null);
  const sizes = [requestInputTokenCount, mostInputTokenCount].map((size) => size?.toString() ?? null);
  return JSON.stringify([deployment, ...texts, ...sizes]);
}

/** How many of the sorted instants lie at or before this one. */
function countUpTo(sorted: readonly number[], instant: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= instant) low = middle + 1;
    else high = middle;
  }
  return low;
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
