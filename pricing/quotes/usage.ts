import { divideHalfUp, parseDecimal } from '../money.ts';
import { resolveModel } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { DeploymentType, ServiceTier } from '../prices/rows.ts';
import { splitAmount } from '../rating/rating.ts';
import { modelKey } from '../usage/names.ts';
import {
  emptyBuckets,
  mapBuckets,
  sumBuckets,
  sumInput,
  TOKEN_TYPES,
  type TokenBuckets,
  type TokenType,
} from '../usage/tokens.ts';

/** Usage of one kind, as quotes add, change and price it. */
export interface QuoteUsage {
  model: string;
  feature: string;
  deployment?: string;
  deploymentType?: DeploymentType;
  region?: string;
  serviceTier?: ServiceTier;
  /** Of each request. */
  requestInputTokenCount?: bigint;
  /** That is the average of requests, and not said of each. */
  isAverageRequest?: true;
  /** No request of it has more; left out where each has `requestInputTokenCount`, or all of it is one at most. */
  mostInputTokenCount?: bigint;
  tokens: TokenBuckets;
  /** Token types of which nobody said how many there are; set only where some have a price of their own. */
  untold?: readonly TokenType[];
  requestCount?: bigint;
}

/** An exact factor, never negative. */
export interface Ratio {
  numerator: bigint;
  denominator: bigint;
}

export const ONE: Ratio = { numerator: 1n, denominator: 1n };

/** One factor after another. */
export function timesRatio(left: Ratio, right: Ratio): Ratio {
  return {
    numerator: left.numerator * right.numerator,
    denominator: left.denominator * right.denominator,
  };
}

/** What is done to usage before it is priced, in the order of these fields. */
export interface QuoteAdjustments {
  modelSwaps?: readonly { from: string; to: string }[];
  /** Share of prompt tokens that are cached, whatever it was before. */
  cachedShare?: Ratio;
  deploymentType?: DeploymentType;
  region?: string;
  serviceTier?: ServiceTier;
  /** Of each request. */
  requestInputTokenCount?: bigint;
  /** Share of all tokens that run as batch. */
  batchShare?: Ratio;
}

/**
 * Decimal text as an exact factor.
 * @param of what the text is counted in: 1, or 100 for per cent
 * @throws RangeError when the text is negative or has more than `digits` decimals
 */
export function parseRatio(text: string, digits: number, of = 1n): Ratio {
  const numerator = parseDecimal(text, digits);
  if (numerator < 0n) throw new RangeError(`${text} is negative`);
  return { numerator, denominator: of * 10n ** BigInt(digits) };
}

/**
 * Usage times a factor. The sum of all tokens is rounded once, halves up, and shared out in proportion by largest
 * remainder: the parts sum to it exactly. Requests likewise.
 */
export function scaleUsage(usage: readonly QuoteUsage[], { numerator, denominator }: Ratio): QuoteUsage[] {
  if (numerator === denominator) return usage.map((entry) => ({ ...entry }));
  const scaled = (counts: bigint[]) => {
    const total = counts.reduce((sum, count) => sum + count, 0n);
    return splitAmount(divideHalfUp(total * numerator, denominator), counts);
  };
  const parts = usage.flatMap(({ tokens }) => TOKEN_TYPES.map((tokenType) => tokens[tokenType]));
  // Taken back in the order in which they were put in: entry by entry, and in each type by type.
  const counts = scaled(parts).values();
  const requests = scaled(usage.map(({ requestCount }) => requestCount ?? 0n));
  return usage.map((entry, index) => {
    return {
      ...entry,
      tokens: mapBuckets(() => counts.next().value ?? 0n),
      ...(entry.requestCount === undefined ? {} : { requestCount: requests[index] ?? 0n }),
    };
  });
}

/**
 * Usage as it would be. A share splits each entry exactly: its parts sum to it, what is left over goes to the
 * larger remainder. A swapped model leaves its deployment behind, whose name speaks of the old one.
 */
export function adjustUsage(
  usage: readonly QuoteUsage[],
  adjustments: QuoteAdjustments,
  book: PriceBook,
): QuoteUsage[] {
  const { cachedShare, batchShare, deploymentType, region, serviceTier, requestInputTokenCount } =
    adjustments;
  let adjusted = usage.map((entry) => swapModel(entry, adjustments.modelSwaps ?? [], book));
  if (cachedShare !== undefined) {
    adjusted = adjusted.map((entry) => ({ ...entry, tokens: recache(entry.tokens, cachedShare) }));
  }
  adjusted = adjusted.map((entry) => ({
    ...entry,
    ...(deploymentType === undefined ? {} : { deploymentType }),
    ...(region === undefined ? {} : { region }),
    ...(serviceTier === undefined ? {} : { serviceTier }),
  }));
  if (requestInputTokenCount !== undefined) {
    adjusted = adjusted.map(({ isAverageRequest: _, mostInputTokenCount: __, ...entry }) => ({
      ...entry,
      requestInputTokenCount,
    }));
  }
  return mergeUsage(
    batchShare === undefined ? adjusted : adjusted.flatMap((entry) => splitBatch(entry, batchShare)),
  );
}

/** Whether a swap's `from` means this usage: by the model that both resolve to, or by the very name. */
export function isSwapSource(entry: QuoteUsage, from: string, book: PriceBook): boolean {
  if (modelKey(entry.model) === modelKey(from)) return true;
  const wanted = resolveModel(book, { model: from })?.model;
  return wanted !== undefined && resolveModel(book, entry)?.model === wanted;
}

function swapModel(
  entry: QuoteUsage,
  swaps: readonly { from: string; to: string }[],
  book: PriceBook,
): QuoteUsage {
  const swap = swaps.find(({ from }) => isSwapSource(entry, from, book));
  if (swap === undefined) return entry;
  const { deployment: _left, ...rest } = entry;
  return { ...rest, model: modelKey(swap.to) };
}

/** Text and audio of the prompt, each by itself: as much of either is cached. */
function recache(tokens: TokenBuckets, share: Ratio): TokenBuckets {
  const [cached = 0n, prompt = 0n] = splitByShare(tokens.prompt + tokens.prompt_cached, share);
  const [cachedAudio = 0n, audio = 0n] = splitByShare(
    tokens.prompt_audio + tokens.prompt_cached_audio,
    share,
  );
  return {
    ...tokens,
    prompt,
    prompt_cached: cached,
    prompt_audio: audio,
    prompt_cached_audio: cachedAudio,
  };
}

function splitBatch(entry: QuoteUsage, share: Ratio): QuoteUsage[] {
  const batch = emptyBuckets();
  const direct = emptyBuckets();
  for (const tokenType of TOKEN_TYPES) {
    const [inBatch = 0n, rest = 0n] = splitByShare(entry.tokens[tokenType], share);
    batch[tokenType] = inBatch;
    direct[tokenType] = rest;
  }
  const requests =
    entry.requestCount === undefined ? [undefined, undefined] : splitByShare(entry.requestCount, share);
  const part = (tokens: TokenBuckets, requestCount: bigint | undefined) => ({
    ...entry,
    tokens,
    ...(requestCount === undefined ? {} : { requestCount }),
  });
  return [
    part(direct, requests[1]),
    { ...withoutServiceTier(part(batch, requests[0])), deploymentType: 'batch' as const },
  ].filter(({ tokens }) => TOKEN_TYPES.some((tokenType) => tokens[tokenType] > 0n));
}

/** Batch has none. */
function withoutServiceTier({ serviceTier: _, ...entry }: QuoteUsage): QuoteUsage {
  return entry;
}

/** The share of a count, and the rest. */
function splitByShare(count: bigint, { numerator, denominator }: Ratio): bigint[] {
  return splitAmount(count, [numerator, denominator - numerator]);
}

/** One entry for each model, feature, deployment, its type and region, and what its requests are, in the order of their first mention. */
export function mergeUsage(usage: readonly QuoteUsage[]): QuoteUsage[] {
  const merged = new Map<string, QuoteUsage>();
  for (const entry of usage) {
    const key = usageKeyOf(entry);
    const known = merged.get(key);
    if (known === undefined) {
      merged.set(key, { ...entry, tokens: { ...entry.tokens } });
      continue;
    }
    if (known.mostInputTokenCount !== undefined || entry.mostInputTokenCount !== undefined) {
      known.mostInputTokenCount = mostInputOf(known) + mostInputOf(entry);
    }
    for (const tokenType of TOKEN_TYPES) known.tokens[tokenType] += entry.tokens[tokenType];
    if (entry.requestCount !== undefined) {
      known.requestCount = (known.requestCount ?? 0n) + entry.requestCount;
    }
    if (entry.untold !== undefined) known.untold = [...new Set([...(known.untold ?? []), ...entry.untold])];
  }
  return [...merged.values()];
}

/** Equal for usage that is one entry of `mergeUsage`. */
function usageKeyOf(entry: QuoteUsage): string {
  return JSON.stringify([
    entry.model,
    entry.feature,
    entry.deployment ?? '',
    entry.deploymentType ?? '',
    entry.region ?? '',
    entry.serviceTier ?? '',
    String(entry.requestInputTokenCount ?? ''),
    entry.isAverageRequest === true,
  ]);
}

/** No request has more input than all of them together. Said before usage is scaled or taken away from other usage. */
export function withMostInput(usage: readonly QuoteUsage[]): QuoteUsage[] {
  return usage.map((entry) =>
    entry.requestInputTokenCount === undefined
      ? { ...entry, mostInputTokenCount: mostInputOf(entry) }
      : entry,
  );
}

function mostInputOf({ mostInputTokenCount, tokens }: QuoteUsage): bigint {
  return mostInputTokenCount ?? sumInput(tokens);
}

/** What `after` holds more than `before`, entry by entry; less is negative. */
export function subtractUsage(after: readonly QuoteUsage[], before: readonly QuoteUsage[]): QuoteUsage[] {
  const negative = before.map((entry) => ({
    ...entry,
    tokens: mapBuckets((tokenType) => -entry.tokens[tokenType]),
    ...(entry.requestCount === undefined ? {} : { requestCount: -entry.requestCount }),
  }));
  return mergeUsage([...after, ...negative]);
}

/** All tokens of all types. */
export function countTokens(usage: readonly QuoteUsage[]): bigint {
  return usage.reduce((sum, { tokens }) => sum + sumBuckets(tokens), 0n);
}
