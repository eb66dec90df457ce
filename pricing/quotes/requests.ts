import { resolveModel } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { GivenUsage } from './question.ts';
import { type QuoteUsage, withMostInput } from './usage.ts';

/**
 * How large the requests of given usage are, where that may decide a price: as it was said, else all alike where their number
 * was; nothing where neither was.
 */
export function requestsOf(
  { requestInputTokenCount, requestCount, promptTokenCount }: GivenUsage,
  book: PriceBook,
  models: readonly string[],
): Pick<QuoteUsage, 'requestInputTokenCount' | 'isAverageRequest'> {
  if (requestInputTokenCount !== undefined) return { requestInputTokenCount };
  if (requestCount === undefined || requestCount === 0n) return {};
  if (!models.some((model) => hasContextTiers(book, model))) return {};
  const average = (promptTokenCount + requestCount - 1n) / requestCount;
  return { requestInputTokenCount: average, ...(requestCount === 1n ? {} : { isAverageRequest: true }) };
}

/** Usage that was read, before it is scaled: it holds no larger request than it has input. */
export function withLargestRequest(usage: readonly QuoteUsage[], book: PriceBook): QuoteUsage[] {
  return usage.flatMap((entry) => (hasContextTiers(book, entry.model) ? withMostInput([entry]) : [entry]));
}

function hasContextTiers(book: PriceBook, model: string): boolean {
  const { thresholds = [] } = book.tiers.get(resolveModel(book, { model })?.model ?? model) ?? {};
  return thresholds.length > 0;
}
