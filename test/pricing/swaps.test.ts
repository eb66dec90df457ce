import { describe, expect, it } from 'vitest';
import { createPriceBook } from '../../pricing/prices/price-book.ts';
import { completePriceRow, type PriceRow } from '../../pricing/prices/rows.ts';
import { findSwaps, type SwapUsage } from '../../pricing/simulations/swaps.ts';

const NOW = new Date('2026-11-21T00:00:00Z');
const price = (
  model: string,
  tokenType: PriceRow['tokenType'],
  amount: string,
  more: Partial<PriceRow> = {},
) => completePriceRow({ model, tokenType, amount, source: 'list', ...more });
const text = (model: string, prompt: string, completion: string, more: Partial<PriceRow> = {}) => [
  price(model, 'prompt', prompt, more),
  price(model, 'completion', completion, more),
];
const rows = [
  ...text('large', '10', '40'),
  ...text('small', '1', '4'),
  ...text('dear', '20', '80'),
  ...text('ended', '0.1', '0.4'),
  ...text('ended', 'retired', 'retired', { effectiveFrom: '2026-11-15T00:00:00Z' }),
  ...text('young', '0.2', '0.8', { effectiveFrom: '2026-11-10T00:00:00Z' }),
  price('half', 'prompt', '0.1'),
  price('half', 'prompt_cached', '0.1'),
  ...text('hears', '0.1', '0.1'),
  price('hears', 'prompt_audio', '9'),
  ...text('writes', '0.1', '0.1'),
  price('writes', 'prompt_cache_write_5m', '9'),
  ...text('zoned', '0.1', '0.1', { deploymentType: 'data_zone', region: 'eu' }),
  price('vectors', 'embedding', '0.5'),
  price('vectors-small', 'embedding', '0.1'),
];
const book = createPriceBook({
  version: 'test',
  provider: 'test',
  currency: 'usd',
  sources: { list: { title: 'list', asOf: '2026-11-01', note: '' } },
  models: [...new Set(rows.map(({ model }) => model))].map((model) => ({
    model,
    aliases: [`${model}-alias`],
  })),
  deployments: [],
  prices: rows,
});

const used = (more: Partial<SwapUsage> = {}): SwapUsage => ({
  feature: 'chat',
  model: 'large',
  deployment: 'any',
  tokenType: 'prompt',
  at: new Date('2026-11-01T00:00:00Z'),
  tokenCount: 1_000_000n,
  costPicoUsd: 10n * 10n ** 12n,
  ...more,
});
const completion = used({ tokenType: 'completion', costPicoUsd: 40n * 10n ** 12n });
const modelsFor = (usage: readonly SwapUsage[]) =>
  findSwaps(usage, book, NOW).features.flatMap(({ candidates }) => candidates.map(({ model }) => model));

describe('what a model swap would save', () => {
  it('is the same tokens at the other model’s prices, and only where that is less', () => {
    const { features, unknownTokenCount } = findSwaps([used(), completion], book, NOW);
    expect(features).toMatchObject([
      {
        feature: 'chat',
        model: 'large',
        costPicoUsd: 50n * 10n ** 12n,
        candidates: [{ model: 'small', costPicoUsd: 5n * 10n ** 12n, savingPicoUsd: 45n * 10n ** 12n }],
      },
    ]);
    expect(unknownTokenCount).toBe(0n);
  });

  it('offers no model without a price for each kind of token, at the time and now, or of another matter', () => {
    expect(modelsFor([used(), completion])).toEqual(['small']);
    // Of prompts alone the one without a price for completions might do, but deals with no text for all the book says.
    expect(modelsFor([used()])).toEqual(['small']);
    expect(modelsFor([used({ tokenType: 'prompt_cached' })])).toEqual([]);
    expect(modelsFor([used({ at: new Date('2026-11-12T00:00:00Z') })])).toEqual(['young', 'small']);
    const vectors = { model: 'vectors', costPicoUsd: 5n * 10n ** 11n };
    expect(modelsFor([used(vectors)])).toEqual(['vectors-small']);
    expect(modelsFor([used({ model: 'hears-alias', costPicoUsd: 10n ** 11n })])).toEqual([]);
  });

  it('says nothing where some of the cost is unknown, and how much that is', () => {
    const swaps = findSwaps([used(), used({ tokenType: 'completion', costPicoUsd: null })], book, NOW);
    expect(swaps).toEqual({ features: [], unknownTokenCount: 2_000_000n });
    expect(modelsFor([used({ model: 'nobody-knows', costPicoUsd: 5n })])).toEqual([]);
  });

  it('has what saves the most first, each feature by itself', () => {
    const { features } = findSwaps(
      [used({ feature: 'search', tokenCount: 10n, costPicoUsd: 100_000_000n }), used(), completion],
      book,
      NOW,
    );
    expect(features.map(({ feature }) => feature)).toEqual(['chat', 'search']);
  });
});
