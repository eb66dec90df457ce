import { resolveModel } from '../prices/lookup.ts';
import { nearModels } from '../prices/near-models.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { refuseFaults } from '../refusal.ts';
import type { QuoteQuestion } from './question.ts';
import type { Quote } from './quote.ts';
import { isSwapSource, type QuoteUsage } from './usage.ts';

/** @throws Refusal UNKNOWN_MODEL naming each model that the book does not know, with near names */
export function refuseUnknownModels({ usage, adjustments }: QuoteQuestion, book: PriceBook): void {
  const named = [
    ...(usage ?? []).map(({ model }, index) => ({ model, field: `usage.${index}.model` })),
    ...(adjustments?.modelSwaps ?? []).map(({ to }, index) => ({
      model: to,
      field: `adjustments.modelSwaps.${index}.to`,
    })),
  ].filter(({ model }) => resolveModel(book, { model }) === null);
  const unknown = named.filter(
    ({ model }, index) => named.findIndex((other) => other.model === model) === index,
  );
  refuseFaults(
    'UNKNOWN_MODEL',
    'The quote names what the price book does not hold',
    unknown.map(({ model, field }) => {
      const near = nearModels(book, model);
      return {
        field,
        message: `no price is known for ${JSON.stringify(model)}`,
        fix: near.length > 0 ? `near names: ${near.join(', ')}.` : `known models: ${book.models.join(', ')}.`,
      };
    }),
  );
}

/** A swap of a model that nothing uses would change nothing, and look as if it had. */
export function refuseIdleSwaps(
  { adjustments }: QuoteQuestion,
  usage: readonly QuoteUsage[],
  book: PriceBook,
): void {
  const used = [...new Set(usage.map(({ model }) => model))];
  refuseFaults(
    'UNKNOWN_MODEL',
    'A model that is not used cannot be swapped',
    (adjustments?.modelSwaps ?? []).flatMap(({ from }, index) =>
      usage.some((entry) => isSwapSource(entry, from, book))
        ? []
        : [
            {
              field: `adjustments.modelSwaps.${index}.from`,
              message: `${JSON.stringify(from)} is not in the usage`,
              fix: `the usage holds: ${used.slice(0, 20).join(', ') || 'nothing'}.`,
            },
          ],
    ),
  );
}

/** Reasons that name a gap in the book; others are answers (batch without a price, throughput by the hour). */
const GAPS = new Set([
  'unknown_model',
  'no_price_for_token_type',
  'no_price_for_service_tier',
  'no_price_for_context_tier',
  'no_price_at_that_time',
  'price_retired',
]);

/** What was named outright must have a price at that date: the caller can correct it. */
export function refuseMissingPrices({ lines }: Quote, at: Date): void {
  refuseFaults(
    'UNKNOWN_MODEL',
    'The price book lacks a price',
    lines.flatMap(({ model, tokenType, cost }) =>
      cost.value === null && GAPS.has(cost.reason)
        ? [
            {
              field:
                cost.reason === 'no_price_at_that_time' || cost.reason === 'price_retired' ? 'at' : 'usage',
              message: `no price is known for ${tokenType} tokens of ${JSON.stringify(model)} (${cost.reason}) at ${at.toISOString()}`,
              fix: 'name another model, token type or date, or add the price to the book.',
            },
          ]
        : [],
    ),
  );
}
