import { describe, expect, it } from 'vitest';
import { bookAsOf, daysSince, pricesAsOf } from '../../pricing/prices/age.ts';
import { azureOpenAiPriceBook as shipped } from '../../pricing/prices/azure-openai.ts';
import { createPriceBook } from '../../pricing/prices/price-book.ts';
import { completePriceRow } from '../../pricing/prices/rows.ts';

const at = new Date('2026-12-01T00:00:00Z');

function bookListed(days: readonly string[], effectiveFrom: string | null = null) {
  const names = days.map((_, index) => `m${index}`);
  return createPriceBook({
    ...shipped.data,
    models: names.map((model) => ({ model, aliases: [] })),
    deployments: [],
    prices: days.map((listedAt, index) =>
      completePriceRow({
        model: `m${index}`,
        tokenType: 'prompt',
        amount: '1',
        source: shipped.data.prices[0]?.source ?? '',
        listedAt,
        effectiveFrom,
      }),
    ),
  });
}

describe('the age of a price book', () => {
  it('is that of most of its prices, which one new price does not make young', () => {
    const old = '2025-09-05';
    expect(bookAsOf(bookListed([old, old, '2026-11-30']), at)).toBe(old);
    expect(bookAsOf(bookListed([old, '2026-11-30', '2026-11-30']), at)).toBe('2026-11-30');
    expect(bookAsOf(bookListed(['', '']), at)).toBeNull();
    expect(bookAsOf(bookListed([old], '2027-01-01T00:00:00Z'), at)).toBeNull();
    expect(bookAsOf(bookListed([]), at)).toBeNull();
    expect([daysSince(old, at), daysSince('2026-12-02', at)]).toEqual([452, 0]);
  });

  it('of a quote is the oldest of the prices it rests on, by the deployment it is priced as', () => {
    const usage = (model: string, deploymentType: string | null = null) => ({
      model,
      deployment: null,
      deploymentType,
      region: null,
      tokenType: 'prompt' as const,
    });
    const book = bookListed(['2026-11-30', '2026-06-01', '']);
    expect(pricesAsOf(book, [usage('m0'), usage('m1'), usage('m2'), usage('nobody')], at)).toBe('2026-06-01');
    expect(pricesAsOf(book, [usage('m2')], at)).toBeNull();
    const listedAt = (amount: string) =>
      shipped.data.prices.find((row) => row.model === 'gpt-4o' && row.amount === amount)?.listedAt;
    expect(pricesAsOf(shipped, [usage('gpt-4o')], at)).toBe(listedAt('2.50'));
    expect(pricesAsOf(shipped, [usage('gpt-4o'), usage('gpt-4o', 'regional')], at)).toBe('2025-09-05');
  });
});
