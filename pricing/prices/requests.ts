import {
  type PriceAsked,
  type PriceAtMiss,
  type PricedRequest,
  type PricedRow,
  priceAt,
} from './price-at.ts';
import type { PriceBook, PriceQuery } from './price-book.ts';
import { hasServiceTiers, isByToken, type ServiceTier } from './rows.ts';
import { type StandInNote, standInNoteOf } from './stand-ins.ts';

/** Why there is no price for requests. The last two: there is one for each that they may be, and they differ. */
export type RequestMissReason =
  | PriceAtMiss
  | 'priced_by_provisioned_unit_hour'
  | 'service_tier_not_told'
  | 'context_tier_not_told';

/** Of one token, in pico units; both are prices of the book. */
export interface PriceBounds {
  leastPicoUsdPerToken: bigint;
  mostPicoUsdPerToken: bigint;
}

type Found = PricedRow & { found: true; note: StandInNote | null };
type OfRequests = Found | { found: false; reason: RequestMissReason; between?: PriceBounds };
type Told = Pick<PriceQuery, 'requestInputTokenCount' | 'mostInputTokenCount'> & {
  /** Null: not told. */
  serviceTier: ServiceTier | null;
};

/**
 * The one price of all requests that the usage may consist of, by what is told of them. Where they have several, there is
 * none: which of service tier and size was not told, and what the price lies between.
 */
export function findOfRequests(book: PriceBook, asked: PriceAsked, told: Told): OfRequests {
  const sizes = possibleSizes(book, asked, told);
  const [first, ...others] = possibleServiceTiers(book, asked, told, sizes).map((serviceTier) =>
    sizes.map((inputTokenCount) => findInPlace(book, asked, { serviceTier, inputTokenCount })),
  );
  const smallest = first?.[0];
  if (smallest === undefined) throw new Error('no request is possible');
  if (!smallest.found) return smallest;
  const all = [first ?? [], ...others].flat();
  const prices = all.map((one) => (one.found ? one.picoUsdPerToken : null));
  if (prices.every((price) => price === smallest.picoUsdPerToken)) return smallest;
  const isOfTier = others.some(
    ([one]) => one?.found !== true || one.picoUsdPerToken !== smallest.picoUsdPerToken,
  );
  const reason = isOfTier ? 'service_tier_not_told' : 'context_tier_not_told';
  const known = prices.filter((price) => price !== null);
  if (known.length < prices.length) return { found: false, reason };
  return {
    found: false,
    reason,
    between: {
      leastPicoUsdPerToken: known.reduce((least, price) => (price < least ? price : least)),
      mostPicoUsdPerToken: known.reduce((most, price) => (price > most ? price : most)),
    },
  };
}

/** The price of the place, or the global one where it has none of its own. */
function findInPlace(
  book: PriceBook,
  asked: PriceAsked,
  request: PricedRequest,
): Found | { found: false; reason: RequestMissReason } {
  const own = priceAt(book, asked, request);
  if (typeof own === 'object') return { ...own, found: true, note: null };
  if (asked.deploymentType === 'provisioned' && asked.tokenType !== 'provisioned_unit_hour') {
    return { found: false, reason: 'priced_by_provisioned_unit_hour' };
  }
  const note = standInNoteOf(asked.deploymentType);
  if (note === null || own === 'price_retired') return { found: false, reason: own };
  const global = priceAt(book, { ...asked, deploymentType: 'global' }, request);
  if (typeof global === 'object') return { ...global, found: true, note };
  return { found: false, reason: global === 'no_price_for_token_type' ? own : global };
}

/** One size for each context tier that a request may be in, the smallest first. */
function possibleSizes(
  book: PriceBook,
  { model }: PriceAsked,
  { requestInputTokenCount, mostInputTokenCount }: Told,
): readonly bigint[] {
  if (requestInputTokenCount !== undefined) return [requestInputTokenCount];
  const thresholds = book.tiers.get(model)?.thresholds ?? [];
  return [
    0n,
    ...thresholds
      .filter((threshold) => mostInputTokenCount === undefined || mostInputTokenCount > threshold)
      .map((threshold) => BigInt(threshold) + 1n)
      .reverse(),
  ];
}

/** Standard first; a tier that nobody told is possible where its place has any price in it, be it of the prompt. */
function possibleServiceTiers(
  book: PriceBook,
  asked: PriceAsked,
  { serviceTier }: Told,
  sizes: readonly bigint[],
): readonly ServiceTier[] {
  // What is not counted in tokens costs the same in every tier.
  if (!isByToken(asked.tokenType)) return ['standard'];
  if (serviceTier !== null) return [serviceTier];
  const others = book.tiers.get(asked.model)?.serviceTiers ?? [];
  if (others.length === 0 || !hasServiceTiers(asked.deploymentType)) return ['standard'];
  const isOffered = (tier: ServiceTier) =>
    [asked.tokenType, 'prompt' as const].some((tokenType) =>
      sizes.some((inputTokenCount) => {
        const found = findInPlace(book, { ...asked, tokenType }, { serviceTier: tier, inputTokenCount });
        return found.found || found.reason === 'no_price_for_context_tier';
      }),
    );
  return ['standard', ...others.filter(isOffered)];
}
