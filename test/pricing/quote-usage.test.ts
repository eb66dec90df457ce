import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { divideHalfUp } from '../../pricing/money.ts';
import { azureOpenAiPriceBook as priceBook } from '../../pricing/prices/azure-openai.ts';
import { answerQuote } from '../../pricing/quotes/answer.ts';
import { costRateOf } from '../../pricing/quotes/cost-rate.ts';
import { createQuote } from '../../pricing/quotes/quote.ts';
import { measureUsers, measureVariation, perUserMonth } from '../../pricing/quotes/range.ts';
import { priceForMargin } from '../../pricing/quotes/target.ts';
import {
  adjustUsage,
  countTokens,
  parseRatio,
  type QuoteUsage,
  scaleUsage,
} from '../../pricing/quotes/usage.ts';
import { drawTogether } from '../../pricing/quotes/users-range.ts';
import { emptyBuckets } from '../../pricing/usage/tokens.ts';
import { createRandom, deriveSeed } from '../../sandbox/random.ts';

const IN_DOLLARS = costRateOf({ currency: 'usd', costCurrency: 'usd' }, undefined);
const count = fc.bigInt({ min: 0n, max: 10n ** 12n });
const usage: fc.Arbitrary<QuoteUsage[]> = fc.array(
  fc
    .tuple(fc.constantFrom('gpt-4o', 'gpt-4o-mini', 'gpt-4.1'), count, count, count)
    .map(([model, prompt, prompt_cached, completion]) => ({
      model,
      feature: 'chat',
      tokens: { ...emptyBuckets(), prompt, prompt_cached, completion },
    })),
  { maxLength: 8 },
);
const share = fc.integer({ min: 0, max: 1_000_000 }).map((value) => parseRatio(`${value / 1_000_000}`, 6));
const of = (model: string, prompt: bigint, completion = 0n): QuoteUsage => ({
  model,
  feature: 'chat',
  tokens: { ...emptyBuckets(), prompt, completion },
});

describe('scaled usage', () => {
  it('sums to the scaled sum, rounded once', () => {
    fc.assert(
      fc.property(usage, fc.integer({ min: 0, max: 5_000_000 }), (all, millionths) => {
        const ratio = { numerator: BigInt(millionths), denominator: 1_000_000n };
        expect(countTokens(scaleUsage(all, ratio))).toBe(
          divideHalfUp(countTokens(all) * ratio.numerator, ratio.denominator),
        );
      }),
    );
  });
});

describe('adjusted usage', () => {
  it('keeps every token, whatever is cached, batched or swapped', () => {
    fc.assert(
      fc.property(usage, share, share, (all, cachedShare, batchShare) => {
        const adjusted = adjustUsage(
          all,
          { cachedShare, batchShare, modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4.1' }] },
          priceBook,
        );
        expect(countTokens(adjusted)).toBe(countTokens(all));
        expect(adjusted.some(({ model }) => model === 'gpt-4o')).toBe(false);
      }),
    );
  });

  it('caches the share asked for, whatever was cached before', () => {
    const [entry] = adjustUsage(
      [
        {
          ...of('gpt-4o', 60n),
          tokens: { ...emptyBuckets(), prompt: 60n, prompt_cached: 40n, completion: 7n },
        },
      ],
      { cachedShare: parseRatio('0.25', 6) },
      priceBook,
    );
    expect(entry?.tokens).toEqual({ ...emptyBuckets(), prompt: 75n, prompt_cached: 25n, completion: 7n });
  });

  it('swaps dated versions of a model with it, and leaves the old deployment behind', () => {
    const [entry] = adjustUsage(
      [{ ...of('gpt-4o-2024-08-06', 5n), deployment: 'gpt-4o-datazone' }],
      { modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4.1' }] },
      priceBook,
    );
    expect(entry).toMatchObject({ model: 'gpt-4.1' });
    expect(entry?.deployment).toBeUndefined();
  });

  it('costs in batch what the batch row says, else what the global one does, and says so', () => {
    const inBatch = (model: string, more: { batchNeedsOwnPrice?: boolean } = {}) =>
      createQuote({
        usage: [{ ...of(model, 1_000_000n), deploymentType: 'batch' }],
        sellRates: [],
        currency: 'usd',
        priceBook,
        ...more,
      }).lines[0];
    expect(inBatch('gpt-4.1')).toMatchObject({ cost: { value: 10n ** 12n }, notes: [] });
    expect(inBatch('gpt-5-chat')).toMatchObject({
      cost: { value: 125n * 10n ** 10n },
      notes: ['priced_as_global_for_want_of_a_batch_price'],
    });
    // As quotes were made before, so that they are made again to the letter.
    const before = inBatch('gpt-5-chat', { batchNeedsOwnPrice: true });
    expect(before).toMatchObject({ cost: { value: null, reason: 'no_batch_price' }, notes: [] });
  });
});

describe('the price for a target margin', () => {
  const quoteOf = (all: readonly QuoteUsage[]) =>
    createQuote({ usage: all, sellRates: [], currency: 'usd', priceBook });

  it('reaches the margin, and a unit less would not', () => {
    fc.assert(
      fc.property(usage, fc.integer({ min: 0, max: 999_999 }), (all, tenThousandths) => {
        const quote = quoteOf(all);
        const wanted = { numerator: BigInt(tenThousandths), denominator: 1_000_000n };
        const { price } = priceForMargin(quote, wanted, IN_DOLLARS);
        const cost = (quote.totals.cost.value ?? 0n) * 100n;
        if (cost === 0n) {
          expect(price.reason).toBe('cost_is_not_positive');
          return;
        }
        const reached = (amount: bigint) => (amount - cost) * wanted.denominator >= amount * wanted.numerator;
        expect(reached(price.value ?? 0n)).toBe(true);
        expect(reached((price.value ?? 0n) - 1n)).toBe(false);
      }),
    );
  });

  it('has rates that reach it for each model and token type', () => {
    fc.assert(
      fc.property(usage, fc.integer({ min: 0, max: 999_999 }), (all, millionths) => {
        const wanted = { numerator: BigInt(millionths), denominator: 1_000_000n };
        for (const rate of priceForMargin(quoteOf(all), wanted, IN_DOLLARS).rates) {
          const cost = rate.picoUsdPerToken * 100n;
          const reached = (amount: bigint) =>
            (amount - cost) * wanted.denominator >= amount * wanted.numerator;
          expect(reached(rate.unitPicoMinor)).toBe(true);
          expect(reached(rate.unitPicoMinor - 1n)).toBe(false);
        }
      }),
    );
  });

  it('is cost / (1 - margin)', () => {
    const target = priceForMargin(quoteOf([of('gpt-4o', 1_000_000n)]), parseRatio('50', 4, 100n), IN_DOLLARS);
    expect(target.price.value).toBe(500n * 10n ** 12n);
    expect(target.markupPercentPico).toBe(100n * 10n ** 12n);
    expect(() => priceForMargin(quoteOf([]), parseRatio('100', 4, 100n), IN_DOLLARS)).toThrow(RangeError);
  });
});

/** Samples of users, each with as many others as it is asked for. */
const SEED_COUNT = 300;

describe('measured users', () => {
  const users = [10n, 20n, 30n, 40n, 50n, 60n, 70n, 80n, 90n, 1_000n].map((prompt) => [of('gpt-4o', prompt)]);

  it('are told by nearest rank, as of a month', () => {
    const { distribution } = measureUsers(users, { count: 1n, dayCount: 15, book: priceBook });
    expect(distribution).toMatchObject({
      userCount: 10,
      dayCount: 15,
      tokens: { p50: 100n, p90: 180n, mean: 290n },
    });
    expect(distribution.cost).toEqual({
      p50: 100n * 2_500_000n,
      p90: 180n * 2_500_000n,
      mean: 290n * 2_500_000n,
    });
  });

  it('have a range in which 8 of 10 outcomes lie, for few users and for many', () => {
    for (const [count, sampleSize] of [
      [1, 30],
      [12, 20],
      [100, 40],
    ] as const) {
      let [below, above] = [0, 0];
      for (let seed = 0; seed < SEED_COUNT; seed += 1) {
        const random = createRandom(deriveSeed(seed, count));
        // From a hundredth of what the heaviest use, few of them heavy.
        const draw = () => of('gpt-4o', BigInt(Math.round(100 / (0.01 + random()))));
        const sample = Array.from({ length: sampleSize }, () => [draw()]);
        const { range } = measureUsers(sample, { count: BigInt(count), dayCount: 30, book: priceBook });
        if (range === null) throw new Error('no range');
        const total = countTokens(Array.from({ length: count }, draw)) * BigInt(sampleSize);
        const expected = countTokens(sample.flat()) * BigInt(count);
        if (total * range.low.denominator < expected * range.low.numerator) below += 1;
        if (total * range.high.denominator > expected * range.high.numerator) above += 1;
      }
      expect(below).toBeLessThanOrEqual(SEED_COUNT * 0.15);
      expect(above).toBeLessThanOrEqual(SEED_COUNT * 0.2);
      expect(below + above).toBeGreaterThanOrEqual(SEED_COUNT * 0.12);
      expect(below + above).toBeLessThanOrEqual(SEED_COUNT * 0.29);
    }
  });

  it('have no range below ten of them', () => {
    const { range } = measureUsers(users.slice(0, 9), { count: 5n, dayCount: 30, book: priceBook });
    expect(range).toBeNull();
  });

  it('of two features come out low or high each by itself', () => {
    const end = (numerator: bigint) => ({ numerator, denominator: 100n });
    const range = { low: end(70n), high: end(140n) };
    expect(drawTogether([{ range, expected: 1 }])).toEqual([range]);
    const [one, other] = drawTogether([
      { range, expected: 3 },
      { range, expected: 4 },
    ]);
    // A fifth of seven less each: 5 in place of 7, as sides of a triangle add up.
    expect(one).toEqual({ low: end(79n), high: end(129n) });
    expect(other).toEqual(one);
  });

  it('count tokens where some of them have no price', () => {
    const { distribution } = measureUsers([...users, [of('mystery-9', 5n)]], {
      count: 1n,
      dayCount: 30,
      book: priceBook,
    });
    expect(distribution.cost).toBeNull();
    expect(distribution.tokens.p50).toBe(50n);
  });

  it('scale exactly to a month of more of them', () => {
    expect(scaleUsage([of('gpt-4o', 1_450n)], perUserMonth(100n, 10, 15))).toMatchObject([
      { tokens: { prompt: 29_000n } },
    ]);
  });
});

describe('variation over days', () => {
  it('is that of the quietest and the busiest week', () => {
    const days = [...Array.from({ length: 7 }, () => 1n), ...Array.from({ length: 7 }, () => 3n)];
    expect(measureVariation(days)).toEqual({
      low: { numerator: 7n * 14n, denominator: 28n * 7n },
      high: { numerator: 21n * 14n, denominator: 28n * 7n },
    });
    expect(measureVariation(days.slice(1))).toBeNull();
    expect(measureVariation(days.map(() => 0n))).toBeNull();
  });

  it('never excludes what is expected', () => {
    fc.assert(
      fc.property(fc.array(count, { minLength: 14, maxLength: 40 }), usage, (days, all) => {
        const range = measureVariation(days);
        const answer = answerQuote({
          groups: [{ usage: all, range }],
          adjustments: {},
          targetMargin: null,
          sellRates: [],
          currency: 'usd',
          priceBook,
        });
        if (range === null) return expect(answer.range).toBeNull();
        const { low, expected, high } = answer.range ?? {};
        expect(low?.tokenCount).toBeLessThanOrEqual(expected?.tokenCount ?? 0n);
        expect(high?.tokenCount).toBeGreaterThanOrEqual(expected?.tokenCount ?? 0n);
      }),
    );
  });
});
