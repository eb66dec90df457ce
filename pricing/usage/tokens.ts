/** Tokens as the source reports them: prompt includes cached, completion includes reasoning. */
export interface SourceTokenCounts {
  promptTokenCount: bigint;
  cachedPromptTokenCount: bigint;
  completionTokenCount: bigint;
}

/** The token types in the order in which they are always shown. */
export const TOKEN_TYPES = ['prompt', 'prompt_cached', 'completion'] as const;

/** Disjoint buckets of billed tokens: `prompt` is the uncached part. */
export type TokenType = (typeof TOKEN_TYPES)[number];

export type TokenBuckets = Record<TokenType, bigint>;

/**
 * Turns counts as the source reports them into disjoint buckets. This is the one place where cached tokens
 * are taken out of prompt tokens; `prompt + prompt_cached + completion` always equals prompt + completion of
 * the input, so a nonsensical cached count can move tokens between buckets but never make or lose one.
 *
 * Cached is kept between nothing and the prompt count. For a negative prompt count (a correction) the same
 * holds with the signs turned: cached is between the prompt count and nothing.
 */
export function toDisjointBuckets(counts: SourceTokenCounts): TokenBuckets {
  const { promptTokenCount, cachedPromptTokenCount, completionTokenCount } = counts;
  const low = promptTokenCount < 0n ? promptTokenCount : 0n;
  const high = promptTokenCount < 0n ? 0n : promptTokenCount;
  const cached =
    cachedPromptTokenCount < low ? low : cachedPromptTokenCount > high ? high : cachedPromptTokenCount;
  return { prompt: promptTokenCount - cached, prompt_cached: cached, completion: completionTokenCount };
}
