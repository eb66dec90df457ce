import { resolveModel } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { RatePrice } from '../rating/rate-price.ts';
import { findSellRate, type SellRate } from '../rating/sell-rates.ts';
import { TOKEN_TYPES, type TokenType } from '../usage/tokens.ts';
import type { QuoteUsage } from './usage.ts';

/** A sell rate; a price that could not be read is null, and what it would have priced is said to be unknown. */
export type QuotedRate = Omit<SellRate, 'price'> & { price: RatePrice | null };

/** Usage of one token type, and the rate that prices it. */
export interface RatedPart {
  usage: QuoteUsage;
  tokenType: TokenType;
  /** Below zero where usage is taken away. */
  tokenCount: bigint;
  rate: QuotedRate | null;
}

/** What is costed and priced by itself: one part for each token type that an entry of the usage has. */
export function partsOf(usage: readonly QuoteUsage[], rates: readonly QuotedRate[]): RatedPart[] {
  return usage.flatMap((entry) =>
    TOKEN_TYPES.filter((tokenType) => entry.tokens[tokenType] !== 0n).map((tokenType) => ({
      usage: entry,
      tokenType,
      tokenCount: entry.tokens[tokenType],
      rate: findSellRate(rates, { model: entry.model, feature: entry.feature, tokenType }),
    })),
  );
}

/** A plan names a model once; usage under a dated or other name of it is charged the same, in the same line. */
export function aliasedRates<Rate extends QuotedRate>(
  rates: readonly Rate[],
  models: readonly string[],
  book: PriceBook,
): Rate[] {
  const named = new Set(rates.map(({ model }) => model));
  return models
    .filter((model) => !named.has(model))
    .flatMap((model) => {
      const canonical = resolveModel(book, { model })?.model;
      if (canonical === undefined || canonical === model) return [];
      return rates.filter((rate) => rate.model === canonical).map((rate) => ({ ...rate, model }));
    });
}
