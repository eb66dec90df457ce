import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook as priceBook } from '../../pricing/prices/azure-openai.ts';
import type { QuotedRate } from '../../pricing/quotes/parts.ts';
import { createQuote, type QuoteInput } from '../../pricing/quotes/quote.ts';
import type { QuoteUsage } from '../../pricing/quotes/usage.ts';
import { findSellRate } from '../../pricing/rating/sell-rates.ts';
import { emptyBuckets } from '../../pricing/usage/tokens.ts';

const rate = (
  tokenType: QuotedRate['tokenType'],
  cents: string | null,
  more: Partial<QuotedRate> = {},
): QuotedRate => ({
  rateId: `meter-${tokenType}`,
  description: tokenType,
  model: 'gpt-4o',
  feature: '*',
  tokenType,
  price: cents === null ? null : { kind: 'per_unit', unitAmountDecimal: cents },
  ...more,
});

const sellRates = [rate('prompt', '0.0003'), rate('prompt_cached', '0.00015'), rate('completion', '0.0012')];
const base = { currency: 'usd', priceBook, sellRates } satisfies Omit<QuoteInput, 'usage'>;

function usageOf(model: string, prompt: bigint, prompt_cached = 0n, completion = 0n): QuoteUsage {
  return {
    model,
    feature: 'chat',
    deployment: 'x-global',
    tokens: { ...emptyBuckets(), prompt, prompt_cached, completion },
  };
}

const count = fc.bigInt({ min: 0n, max: 10n ** 14n });
const usage = fc
  .tuple(fc.constantFrom('gpt-4o', 'gpt-4o-2024-08-06'), count, count, count)
  .map(([model, prompt, cached, completion]) => usageOf(model, prompt, cached, completion));

describe('a quote', () => {
  it('adds cost, price and margin exactly', () => {
    const quote = createQuote({ ...base, usage: [usageOf('gpt-4o', 1_000_000n, 1_000_000n, 1_000_000n)] });
    expect(quote.priceBookVersion).toBe(priceBook.version);
    expect(quote.lines.map((line) => line.cost.value)).toEqual([
      2_500_000_000_000n,
      1_250_000_000_000n,
      10_000_000_000_000n,
    ]);
    const { totals } = quote;
    expect(totals.tokenCount).toBe(3_000_000n);
    expect(totals.cost.value).toBe(13_750_000_000_000n);
    expect(totals.price.value).toBe(1_650n * 10n ** 12n);
    expect(totals.margin.value).toBe(275n * 10n ** 12n);
    expect(totals.marginBasisPoints.value).toBe(1_667n);
    expect(totals.invoiceAmountMinor.value).toBe(1_650n);
  });

  it('rounds once for each rate, not for each line', () => {
    const cheap = { ...base, sellRates: [rate('prompt', '0.4')] };
    const quote = createQuote({ ...cheap, usage: [usageOf('gpt-4o', 1n), usageOf('gpt-4o', 1n)] });
    expect(quote.invoiceLines).toMatchObject([{ quantityAfter: 2n, amountAfterMinor: 1n }]);
    expect(quote.totals.invoiceAmountMinor.value).toBe(1n);
  });

  it('is additive: the cost of a union is the sum of the costs', () => {
    fc.assert(
      fc.property(fc.array(usage, { maxLength: 5 }), fc.array(usage, { maxLength: 5 }), (some, more) => {
        const cost = (all: QuoteUsage[]) => createQuote({ ...base, usage: all }).totals.cost.value ?? -1n;
        expect(cost([...some, ...more])).toBe(cost(some) + cost(more));
      }),
    );
  });

  it('has margin = price − cost on every line and in total', () => {
    fc.assert(
      fc.property(fc.array(usageOf4o(), { minLength: 1, maxLength: 5 }), (all) => {
        const quote = createQuote({ ...base, usage: all });
        for (const { cost, price, margin } of [...quote.lines, quote.totals]) {
          expect(margin.value).toBe((price.value ?? 0n) - (cost.value ?? 0n) * 100n);
        }
      }),
    );
  });

  it('says null and why, never zero, for what it does not know', () => {
    const quote = createQuote({
      ...base,
      usage: [usageOf('mystery-9', 10n), usageOf('gpt-4-turbo', 0n, 5n)],
    });
    expect(quote.lines[0]).toMatchObject({
      cost: { value: null, reason: 'unknown_model' },
      price: { value: null, reason: 'no_sell_rate' },
      margin: { value: null, reason: 'cost_unknown' },
    });
    expect(quote.lines[1]?.cost).toEqual({ value: null, reason: 'no_price_for_token_type' });
    expect(quote.totals.cost).toEqual({ value: null, reason: 'unknown_model' });
    expect(quote.totals.invoiceAmountMinor).toEqual({ value: null, reason: 'no_sell_rate' });
  });

  it('has no price for a rate that could not be read and no margin across currencies', () => {
    const tiered = createQuote({
      ...base,
      sellRates: [rate('prompt', null)],
      usage: [usageOf('gpt-4o', 1n)],
    });
    expect(tiered.totals.price.reason).toBe('tiered_sell_rate');
    expect(tiered.invoiceLines[0]?.amountAfterMinor).toBeNull();
    const euro = createQuote({ ...base, currency: 'eur', usage: [usageOf('gpt-4o', 1_000_000n)] });
    expect(euro.totals.price.value).toBe(300n * 10n ** 12n);
    expect(euro.totals.margin).toEqual({ value: null, reason: 'currency_differs_from_cost' });
  });

  it('has no margin percent of nothing', () => {
    const free = createQuote({ ...base, sellRates: [rate('prompt', '0')], usage: [usageOf('gpt-4o', 1n)] });
    expect(free.totals.marginBasisPoints).toEqual({ value: null, reason: 'price_is_zero' });
  });

  it('is for usage, which is never negative', () => {
    expect(() => createQuote({ ...base, usage: [usageOf('gpt-4o', -1n)] })).toThrow(RangeError);
  });
});

describe('the sell rate', () => {
  it('of a model wins over that of a feature, and of both over either', () => {
    const rates = [
      rate('prompt', '1', { rateId: 'any', model: '*' }),
      rate('prompt', '2', { rateId: 'feature', model: '*', feature: 'chat' }),
      rate('prompt', '3', { rateId: 'model' }),
      rate('prompt', '4', { rateId: 'both', feature: 'chat' }),
    ];
    const find = (model: string, feature: string) =>
      findSellRate(rates, { model, feature, tokenType: 'prompt' })?.rateId;
    expect(find('gpt-4o', 'chat')).toBe('both');
    expect(find('gpt-4o', 'search')).toBe('model');
    expect(find('o3', 'chat')).toBe('feature');
    expect(find('o3', 'search')).toBe('any');
    expect(findSellRate(rates, { model: 'o3', feature: 'x', tokenType: 'completion' })).toBeNull();
  });
});

function usageOf4o() {
  return fc
    .tuple(count, count, count)
    .map(([prompt, cached, completion]) => usageOf('gpt-4o', prompt, cached, completion));
}
