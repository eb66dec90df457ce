import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook as priceBook } from '../../pricing/prices/azure-openai.ts';
import type { QuotedRate } from '../../pricing/quotes/parts.ts';
import { createQuote } from '../../pricing/quotes/quote.ts';
import type { QuoteUsage } from '../../pricing/quotes/usage.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { rateUsage } from '../../pricing/rating/rate-usage.ts';
import type { SellRate } from '../../pricing/rating/sell-rates.ts';
import { bucketOf, emptyBuckets, TOKEN_TYPES } from '../../pricing/usage/tokens.ts';

const MODELS = ['gpt-4o', 'gpt-4o-mini', 'o3'];
const count = fc.bigInt({ min: 0n, max: 10n ** 9n });
const amount = fc.integer({ min: 0, max: 999_999 }).map((value) => `0.${String(value).padStart(6, '0')}`);
const flat = fc.option(fc.integer({ min: 0, max: 900 }).map(String), { nil: null });

const price: fc.Arbitrary<RatePrice> = fc.oneof(
  amount.map((unitAmountDecimal): RatePrice => ({ kind: 'per_unit', unitAmountDecimal })),
  fc
    .record({
      mode: fc.constantFrom('graduated' as const, 'volume' as const),
      ends: fc.uniqueArray(fc.bigInt({ min: 1n, max: 10n ** 9n }), { minLength: 1, maxLength: 3 }),
      amounts: fc.array(fc.tuple(amount, flat), { minLength: 4, maxLength: 4 }),
    })
    .map(({ mode, ends, amounts }): RatePrice => {
      const sorted = [...ends].sort((left, right) => (left < right ? -1 : 1));
      return {
        kind: 'tiered',
        mode,
        tiers: [...sorted, null].map((upTo, index) => ({
          upTo,
          unitAmountDecimal: amounts[index]?.[0] ?? '0',
          flatAmountDecimal: amounts[index]?.[1] ?? null,
        })),
      };
    }),
);

/** One rate for each model and token type, now and then two models under one. */
const rates: fc.Arbitrary<SellRate[]> = fc
  .tuple(fc.array(price, { minLength: 9, maxLength: 9 }), fc.boolean())
  .map(([prices, isShared]) =>
    MODELS.flatMap((model, modelIndex) =>
      TOKEN_TYPES.map((tokenType, typeIndex) => {
        const index = (isShared && modelIndex === 1 ? 0 : modelIndex) * 3 + typeIndex;
        return {
          rateId: `rate-${index}`,
          description: tokenType,
          model,
          feature: '*',
          tokenType,
          price: prices[index] ?? { kind: 'per_unit', unitAmountDecimal: '1' },
        };
      }),
    ),
  );

const usage: fc.Arbitrary<QuoteUsage[]> = fc.array(
  fc
    .tuple(fc.constantFrom(...MODELS), fc.constantFrom('chat', 'search'), count, count, count)
    .map(([model, feature, prompt, prompt_cached, completion]) => ({
      model,
      feature,
      tokens: { ...emptyBuckets(), prompt, prompt_cached, completion },
    })),
  { maxLength: 6 },
);

/** The invoice's lines and minimum, straight from the one rating function. */
function invoiceOf(all: readonly QuoteUsage[], sellRates: readonly SellRate[], minimum: bigint) {
  const parts = all.flatMap(({ model, feature, tokens }) =>
    TOKEN_TYPES.map((tokenType) => ({ model, feature, tokenType, tokenCount: tokens[tokenType] })),
  );
  return rateUsage(parts, sellRates, minimum);
}

const zeroed = (all: readonly QuoteUsage[]) => all.map((entry) => ({ ...entry, tokens: emptyBuckets() }));

describe('a quote on top of existing usage', () => {
  it('is the invoice with the usage less the invoice without it: tiers, allowance and minimum included', () => {
    fc.assert(
      fc.property(
        rates,
        usage,
        usage,
        fc.bigInt({ min: 0n, max: 10n ** 8n }),
        (sellRates, existing, added, minimum) => {
          const quote = createQuote({
            usage: added,
            existing,
            mode: 'merge',
            sellRates,
            minimumAmountMinor: minimum,
            currency: 'usd',
            priceBook,
          });
          const used = added.filter(({ tokens }) => TOKEN_TYPES.some((tokenType) => tokens[tokenType] > 0n));
          const before = billed(existing, zeroed(used), used);
          const after = billed(existing, used, used);
          expect(quote.totals.invoiceAmountMinor.value).toBe(after.total - before.total);
          expect(quote.totals.price.value).toBe(after.exact - before.exact);
          expect(quote.after.invoiceAmountMinor.value).toBe(after.total);

          /** Only rates that some token falls under have a line. */
          function billed(base: QuoteUsage[], more: QuoteUsage[], all: QuoteUsage[]) {
            const matched = sellRates.filter(({ model, tokenType }) =>
              [...base, ...all].some((entry) => entry.model === model && entry.tokens[tokenType] > 0n),
            );
            const rated = invoiceOf([...base, ...more], matched, minimum);
            return {
              total: rated.totals.ratedAmountMinor + rated.minimumTopUpMinor,
              exact: rated.totals.ratedAmountPicoMinor + rated.minimumTopUpMinor * 10n ** 12n,
            };
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('costs what the usage costs alone, whatever is there already', () => {
    fc.assert(
      fc.property(rates, usage, usage, (sellRates, existing, added) => {
        const base = { sellRates, currency: 'usd', priceBook, usage: added };
        const merged = createQuote({ ...base, existing, mode: 'merge' });
        const alone = createQuote(base);
        expect(merged.totals.cost).toEqual(alone.totals.cost);
        expect((merged.after.cost.value ?? 0n) - (merged.before.cost.value ?? 0n)).toBe(
          merged.totals.cost.value,
        );
      }),
    );
  });

  it('has line prices that sum to the total, less the minimum', () => {
    fc.assert(
      fc.property(rates, usage, usage, (sellRates, existing, added) => {
        const quote = createQuote({
          usage: added,
          existing,
          mode: 'merge',
          sellRates,
          currency: 'usd',
          priceBook,
        });
        const sum = quote.lines.reduce((total, line) => total + (line.price.value ?? 0n), 0n);
        expect(sum).toBe(quote.totals.price.value);
      }),
    );
  });
});

describe('a quote instead of existing usage', () => {
  it('of the same usage changes nothing', () => {
    fc.assert(
      fc.property(rates, usage, (sellRates, existing) => {
        const quote = createQuote({
          usage: existing,
          existing,
          mode: 'replace',
          sellRates,
          currency: 'usd',
          priceBook,
        });
        expect(quote.lines).toEqual([]);
        expect(quote.totals.cost.value).toBe(0n);
        expect(quote.totals.tokenCount).toBe(0n);
      }),
    );
  });

  it('of nothing takes away what was there', () => {
    const sellRates: QuotedRate[] = [
      {
        rateId: 'prompt',
        description: 'prompt',
        model: 'gpt-4o',
        feature: '*',
        tokenType: 'prompt',
        price: { kind: 'per_unit', unitAmountDecimal: '0.0003' },
      },
    ];
    const existing = [{ model: 'gpt-4o', feature: 'chat', tokens: bucketOf('prompt', 1_000_000n) }];
    const quote = createQuote({
      usage: [],
      existing,
      mode: 'replace',
      sellRates,
      currency: 'usd',
      priceBook,
    });
    expect(quote.totals.invoiceAmountMinor.value).toBe(-300n);
    expect(quote.totals.cost.value).toBe(-2_500_000_000_000n);
    expect(quote.totals.marginBasisPoints.value).toBe(1_667n);
  });
});
