import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { priceFinder } from '../../pricing/prices/finder.ts';
import { findPrice } from '../../pricing/prices/lookup.ts';
import { createPriceBook } from '../../pricing/prices/price-book.ts';
import { TOKEN_TYPES } from '../../pricing/usage/tokens.ts';

/** The list, with a price of gpt-4o that changes twice. */
const book = createPriceBook({
  ...azureOpenAiPriceBook.data,
  prices: [
    ...azureOpenAiPriceBook.data.prices,
    ...['2026-03-01T00:00:00Z', '2026-06-01T00:00:00Z'].map((effectiveFrom, index) => {
      const row = azureOpenAiPriceBook.data.prices.find(
        ({ model, tokenType, deploymentType }) =>
          model === 'gpt-4o' && tokenType === 'prompt' && deploymentType === 'global',
      );
      if (row === undefined) throw new Error('the list prices gpt-4o');
      return { ...row, effectiveFrom, amount: index === 0 ? '2' : '1.5' };
    }),
  ],
});

const query = fc.record(
  {
    model: fc.constantFrom('gpt-4o', 'o4-mini', 'gpt-4o-2024-08-06', '', 'mystery'),
    deployment: fc.constantFrom('gpt-4o-global', 'o4-mini-datazone', 'x'),
    deploymentType: fc.constantFrom('global' as const, 'data_zone' as const, 'provisioned' as const),
    region: fc.constantFrom('*', 'eu'),
    at: fc.constantFrom(
      ...[
        '2025-01-01',
        '2026-02-28T23:59:59.999Z',
        '2026-03-01',
        '2026-05-31',
        '2026-06-01',
        '2027-01-01',
      ].map((text) => new Date(text)),
    ),
  },
  { requiredKeys: ['model'] },
);

describe('the price finder', () => {
  it('says what findPrice says, however often and in whatever order it is asked', () => {
    const find = priceFinder(book);
    fc.assert(
      fc.property(query, fc.constantFrom(...TOKEN_TYPES), (asked, tokenType) => {
        expect(find(asked, tokenType)).toEqual(findPrice(book, asked, tokenType));
        expect(find(asked, tokenType)).toEqual(findPrice(book, asked, tokenType));
      }),
      { numRuns: 500 },
    );
  });

  it('is right at the very instant of a change', () => {
    const find = priceFinder(book);
    const priceAt = (instant: string) => {
      const found = find({ model: 'gpt-4o', at: new Date(instant) }, 'prompt');
      return found.found ? found.picoUsdPerToken : null;
    };
    expect(priceAt('2026-02-28T23:59:59.999Z')).toBe(2_500_000n);
    expect(priceAt('2026-03-01T00:00:00.000Z')).toBe(2_000_000n);
    expect(priceAt('2026-06-01T00:00:00.000Z')).toBe(1_500_000n);
  });

  it('goes on rightly after more kinds of usage than it remembers', () => {
    const find = priceFinder(book);
    for (let index = 0; index < 20_500; index += 1)
      find({ model: 'gpt-4o', deployment: `d${index}` }, 'prompt');
    expect(find({ model: 'o3', deployment: 'late' }, 'prompt')).toMatchObject({ found: true, model: 'o3' });
  });
});
