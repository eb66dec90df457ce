import type { PriceBook, PriceEntry } from './price-book.ts';
import {
  ANY_REGION,
  type DeploymentType,
  type PriceKind,
  type PriceRow,
  type ServiceTier,
  timelineKeyOf,
} from './rows.ts';

/** Where and of what a price is asked for. */
export interface PriceAsked {
  model: string;
  deploymentType: DeploymentType;
  region: string;
  tokenType: PriceKind;
  /** Empty: any. */
  variant: string;
  /** Instant of use; undefined: the newest row. */
  at: Date | undefined;
}

/** What a request is that decides what its tokens cost. */
export interface PricedRequest {
  serviceTier: ServiceTier;
  inputTokenCount: bigint;
}

export interface PricedRow {
  row: PriceRow;
  picoUsdPerToken: bigint;
}

/** Why a place has no price for a request. */
export type PriceAtMiss =
  | 'no_price_for_token_type'
  | 'no_price_at_that_time'
  | 'price_retired'
  | 'prices_disagree'
  | 'no_price_for_service_tier'
  | 'no_price_for_context_tier';

/**
 * The price of the region itself, else of any region; there of the highest context tier that the request is above. A
 * retired row is an answer: nothing less specific stands in for what somebody ended. Nor does the price of smaller requests
 * where the standard price of this one is known to be another, nor that of another service tier.
 */
export function priceAt(book: PriceBook, asked: PriceAsked, request: PricedRequest): PricedRow | PriceAtMiss {
  const thresholds = thresholdsBelow(book, asked.model, request.inputTokenCount);
  const found = inRegions(book, asked, request.serviceTier, thresholds);
  if (typeof found === 'object') {
    const higher = thresholds.slice(0, thresholds.indexOf(found.row.aboveInputTokenCount));
    return higher.length > 0 && isDearerKnown(book, asked, higher) ? 'no_price_for_context_tier' : found;
  }
  if (found !== 'no_price_for_token_type' || request.serviceTier === 'standard') return found;
  const standard = inRegions(book, asked, 'standard', thresholds);
  return typeof standard === 'object' ? 'no_price_for_service_tier' : found;
}

const ANY_SIZE: readonly number[] = [0];

/** Context tiers that the request is in, the highest first; the last is 0, of any request. */
function thresholdsBelow(book: PriceBook, model: string, inputTokenCount: bigint): readonly number[] {
  const thresholds = book.tiers.get(model)?.thresholds ?? [];
  if (thresholds.length === 0) return ANY_SIZE;
  return [...thresholds.filter((threshold) => inputTokenCount > threshold), 0];
}

function inRegions(
  book: PriceBook,
  asked: PriceAsked,
  serviceTier: ServiceTier,
  thresholds: readonly number[],
): PricedRow | PriceAtMiss {
  const { variant } = asked;
  let reason: PriceAtMiss = 'no_price_for_token_type';
  for (const region of asked.region === ANY_REGION ? [ANY_REGION] : [asked.region, ANY_REGION]) {
    for (const aboveInputTokenCount of thresholds) {
      for (const ofVariant of variant === '' ? [''] : [variant, '']) {
        const key = { ...asked, region, serviceTier, aboveInputTokenCount, variant: ofVariant };
        const found = asked.tokenType === 'prompt' ? promptAt(book, key) : rowAt(book, key);
        if (found === 'no_price_at_that_time') reason = found;
        else if (found !== 'no_price_for_token_type') return found;
      }
    }
  }
  return reason;
}

type Key = PriceAsked & Pick<PriceRow, 'serviceTier' | 'aboveInputTokenCount'>;

/** The prompt of an embedding model is priced as an embedding. Where a model has both, neither goes before the other. */
function promptAt(book: PriceBook, key: Key): PricedRow | PriceAtMiss {
  const prompt = rowAt(book, key);
  const embedding = rowAt(book, { ...key, tokenType: 'embedding' });
  if (typeof embedding !== 'object') {
    return prompt === 'no_price_for_token_type' ? embedding : prompt;
  }
  if (typeof prompt !== 'object') return embedding;
  return prompt.picoUsdPerToken === embedding.picoUsdPerToken ? prompt : 'prices_disagree';
}

function rowAt(book: PriceBook, key: Key): PricedRow | PriceAtMiss {
  const timeline = book.timelines.get(timelineKeyOf(key));
  if (timeline === undefined) return 'no_price_for_token_type';
  const entry = entryAt(timeline, key.at);
  if (entry === undefined) return 'no_price_at_that_time';
  if (entry.picoPerUnit === null) return 'price_retired';
  return { row: entry.row, picoUsdPerToken: entry.picoPerUnit };
}

/** The last row that starts at or before the instant. Rows run until the next one begins, to the second. */
function entryAt(timeline: readonly PriceEntry[], at: Date | undefined): PriceEntry | undefined {
  if (at === undefined) return timeline.at(-1);
  const atMs = at.getTime();
  return timeline.findLast(({ startMs }) => startMs <= atMs);
}

/** Whether the standard price of the place, or the global one, has one of these context tiers. */
function isDearerKnown(book: PriceBook, asked: PriceAsked, thresholds: readonly number[]): boolean {
  return [asked.deploymentType, 'global' as const].some(
    (deploymentType) =>
      typeof inRegions(book, { ...asked, deploymentType }, 'standard', thresholds) === 'object',
  );
}
