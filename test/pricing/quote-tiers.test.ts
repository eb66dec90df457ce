import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createQuote } from '../../pricing/quotes/quote.ts';
import { requestsOf, withLargestRequest } from '../../pricing/quotes/requests.ts';
import { adjustUsage, type QuoteUsage, scaleUsage } from '../../pricing/quotes/usage.ts';
import { emptyBuckets } from '../../pricing/usage/tokens.ts';
import { bookOfTiers } from './listed-tiers.ts';

const book = bookOfTiers();
const base = { currency: 'usd', priceBook: book, sellRates: [] };
const usageOf = (prompt: bigint, more: Partial<QuoteUsage> = {}, completion = 0n): QuoteUsage => ({
  model: 'gpt-5.4',
  feature: 'chat',
  tokens: { ...emptyBuckets(), prompt, completion },
  ...more,
});
const costOf = (usage: QuoteUsage[], existing?: QuoteUsage[]) => {
  const { lines, totals } = createQuote({
    ...base,
    usage,
    ...(existing === undefined ? {} : { existing, mode: 'replace' as const }),
  });
  const { cost } = totals;
  const usd = (pico: bigint) => Number(pico) / 1e12;
  const notes = [...new Set(lines.flatMap((line) => line.notes))];
  if (cost.value !== null) return [usd(cost.value), ...notes];
  return cost.between === undefined
    ? cost.reason
    : [cost.reason, usd(cost.between.least), usd(cost.between.most)];
};
const ASSUMED = 'service_tier_assumed_standard';

describe('what a request costs', () => {
  it('is that of its size: 2.50 for 500,000 input tokens at once, and 1.25 in small requests', () => {
    expect(costOf([usageOf(500_000n, { requestInputTokenCount: 500_000n })])).toEqual([2.5, ASSUMED]);
    expect(costOf([usageOf(500_000n, { requestInputTokenCount: 1_000n })])).toEqual([1.25, ASSUMED]);
    expect(costOf([usageOf(500_000n)])).toEqual(['context_tier_not_told', 1.25, 2.5]);
    // Of so few no request can be a long one.
    expect(costOf([usageOf(272_000n)])).toEqual([0.68, ASSUMED]);
  });

  it('is that of its service tier', () => {
    expect(costOf([usageOf(272_000n, { serviceTier: 'priority' })])).toEqual([1.36]);
    expect(costOf([usageOf(272_000n, { serviceTier: 'flex' })])).toBe('no_price_for_service_tier');
    const fast = bookOfTiers([{ deployment: 'fast', serviceTier: 'priority' }]);
    const quote = createQuote({ ...base, priceBook: fast, usage: [usageOf(1_000n, { deployment: 'fast' })] });
    expect(quote.totals.cost.value).toBe(5_000_000_000n);
  });

  it('is taken of the average request where only their number was said, which is noted', () => {
    const given = { model: 'gpt-5.4', feature: 'chat', promptTokenCount: 600_000n, completionTokenCount: 0n };
    const of = (requestCount: bigint) => requestsOf({ ...given, requestCount }, book, ['gpt-5.4']);
    expect(of(1n)).toEqual({ requestInputTokenCount: 600_000n });
    expect(costOf([usageOf(600_000n, of(2n))])).toEqual([3, ASSUMED, 'context_tier_of_the_average_request']);
    expect(requestsOf({ ...given, requestCount: 1n }, book, ['claude-opus-4-5'])).toEqual({});
  });

  it('has a price for what is written to the cache: 0.00625 for 1,000 tokens', () => {
    const tokens = { ...emptyBuckets(), prompt_cache_write_5m: 1_000n };
    expect(costOf([{ model: 'claude-opus-4-5', feature: '', tokens }])).toEqual([0.00625]);
  });
});

describe('usage that is changed before it is priced', () => {
  it('keeps its large requests when it is scaled down, and loses them by name only', () => {
    const tenth = { numerator: 1n, denominator: 10n };
    const scaled = scaleUsage(withLargestRequest([usageOf(1_000_000n)], book), tenth);
    expect(costOf(scaled)).toEqual(['context_tier_not_told', 0.25, 0.5]);
    const said = adjustUsage(scaled, { requestInputTokenCount: 900n, serviceTier: 'priority' }, book);
    expect(costOf(said)).toEqual([0.5]);
  });

  it('is no small request because other usage is taken away from it', () => {
    const [reason] = costOf([usageOf(300_000n)], [usageOf(290_000n)]) as string[];
    expect(reason).toBe('context_tier_not_told');
    expect(costOf([usageOf(1_000n)], [usageOf(401_000n)])).toEqual(['context_tier_not_told', -2, -1]);
  });

  it('runs as batch in no service tier', () => {
    const half = { numerator: 1n, denominator: 2n };
    const usage = adjustUsage([usageOf(200n, { serviceTier: 'priority' })], { batchShare: half }, book);
    expect(usage.map(({ deploymentType, serviceTier }) => [deploymentType, serviceTier])).toEqual([
      [undefined, 'priority'],
      ['batch', undefined],
    ]);
  });
});

it('costs what the list says to the pico-dollar, and what is not told lies between what it may be', () => {
  // USD for a million tokens: standard, long, priority.
  const LIST = { prompt: [2.5, 5, 5], prompt_cached: [0.25, 0.5, 0.5], completion: [15, 22.5, 30] };
  const count = fc.bigInt({ min: 0n, max: 10n ** 9n });
  const entry = fc
    .record({
      prompt: count,
      prompt_cached: count,
      completion: count,
      kind: fc.constantFrom(0, 1, 2),
    })
    // A large request has at least its own input: 272,001 tokens.
    .map((one) => ({ ...one, prompt: one.kind === 1 ? one.prompt + 272_001n : one.prompt }));
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 6 }), (entries) => {
      let expected = 0n;
      const usage = entries.map(({ kind, ...tokens }, index) => {
        for (const [type, tokenCount] of Object.entries(tokens)) {
          const price = LIST[type as keyof typeof LIST][kind] ?? Number.NaN;
          expected += tokenCount * BigInt(price * 1e6);
        }
        return {
          model: 'gpt-5.4',
          feature: String(index),
          tokens: { ...emptyBuckets(), ...tokens },
          serviceTier: kind === 2 ? ('priority' as const) : ('standard' as const),
          requestInputTokenCount: kind === 1 ? 272_001n : 272_000n,
        };
      });
      expect(createQuote({ ...base, usage }).totals.cost).toEqual({ value: expected, reason: null });
      const isPriority = entries.some(({ kind }) => kind === 2);
      const untold = usage.map(({ requestInputTokenCount: _, ...rest }) => rest);
      const { cost } = createQuote({ ...base, usage: untold }).totals;
      if (cost.value !== null || isPriority) return;
      expect(cost.between).toBeDefined();
      expect((cost.between?.least ?? 0n) <= expected && expected <= (cost.between?.most ?? 0n)).toBe(true);
    }),
    { numRuns: 200 },
  );
});
