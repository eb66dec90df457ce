import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePlanFile, toPlan } from '../../pricing/plans/file.ts';
import { planRatesAt } from '../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook as priceBook } from '../../pricing/prices/azure-openai.ts';
import { answerQuote } from '../../pricing/quotes/answer.ts';
import { offerPlanFile } from '../../pricing/quotes/offer-plan.ts';
import type { QuoteUsage } from '../../pricing/quotes/usage.ts';
import { rateUsage } from '../../pricing/rating/rate-usage.ts';
import { emptyBuckets, TOKEN_TYPES } from '../../pricing/usage/tokens.ts';

const AT = new Date('2026-11-21T00:00:00Z');
const count = fc.bigInt({ min: 0n, max: 10n ** 11n });
const usage: fc.Arbitrary<QuoteUsage[]> = fc.array(
  fc
    .tuple(
      fc.constantFrom('gpt-4o', 'gpt-4o-2024-08-06', 'gpt-4o-mini', 'gpt-4.1'),
      fc.constantFrom('chat', 'search'),
      count,
      count,
      count,
    )
    .map(([model, feature, prompt, prompt_cached, completion]) => ({
      model,
      feature,
      tokens: { ...emptyBuckets(), prompt, prompt_cached, completion },
    })),
  { minLength: 1, maxLength: 6 },
);
const RATE = { model: '*', feature: '*', price: { kind: 'per_unit' as const, unitAmountDecimal: '0.0009' } };
const sellRates = TOKEN_TYPES.map((tokenType) => ({
  ...RATE,
  rateId: tokenType,
  description: tokenType,
  tokenType,
}));
const answer = (all: readonly QuoteUsage[], margin: bigint, more: object = {}) =>
  answerQuote({
    groups: [{ usage: all, range: null }],
    adjustments: {},
    targetMargin: { numerator: margin, denominator: 10_000n },
    isOffered: true,
    sellRates,
    minimumAmountMinor: 50_000n,
    currency: 'usd',
    priceBook,
    ...more,
  });

describe('the offer for a target margin', () => {
  it('reaches the margin on the invoice, by no more than the lines can be rounded', () => {
    fc.assert(
      fc.property(usage, fc.bigInt(0n, 9_900n), (all, margin) => {
        const { quote, target, offer } = answer(all, margin);
        const cost = quote.totals.cost.value ?? 0n;
        if (cost === 0n) return expect(offer).toBeNull();
        const amount = offer?.quote.totals.invoiceAmountMinor.value ?? 0n;
        const wanted = target?.invoiceAmountMinor.value ?? 0n;
        expect(amount).toBeGreaterThanOrEqual(wanted);
        // What it brings less its cost, as a share of what it brings, in hundredths of a per cent of pico-cents.
        const brings = amount * 10n ** 12n;
        expect((brings - cost * 100n) * 10_000n).toBeGreaterThanOrEqual(brings * margin);
        expect(amount - wanted).toBeLessThanOrEqual(BigInt(quote.lines.length) + 1n);
      }),
    );
  });

  it('is true on the invoice by the plan that comes with it', () => {
    fc.assert(
      fc.property(usage, fc.bigInt(0n, 9_900n), (all, margin) => {
        const { offer } = answer(all, margin);
        if (offer === null) return;
        const text = offerPlanFile(offer.rates, { percent: '33.3333', at: AT, currency: 'usd' });
        const parsed = parsePlanFile(text);
        if (parsed.value === null) throw new Error(JSON.stringify(parsed.problems));
        const { rates } = planRatesAt(toPlan(parsed.value, []), AT, priceBook);
        const invoiced = rateUsage(
          all.flatMap(({ model, feature, tokens }) =>
            TOKEN_TYPES.map((tokenType) => ({
              model: priceBook.canonicalByName.get(model) ?? 'gpt-4o',
              feature,
              tokenType,
              tokenCount: tokens[tokenType],
            })),
          ),
          rates,
        );
        expect(invoiced.totals.amountMinor).toBe(offer.quote.totals.invoiceAmountMinor.value);
      }),
    );
  });

  it('names its plan by what it charges: two customers asked for on one day do not share one, equal offers do', () => {
    const planOf = (prompt: bigint, more: object = {}) => {
      const { offer } = answer(
        [{ model: 'gpt-4o', feature: 'chat', tokens: { ...emptyBuckets(), prompt } }],
        3_500n,
        more,
      );
      const text = offerPlanFile(offer?.rates ?? [], { percent: '35', at: AT, currency: 'usd' });
      return parsePlanFile(text).value?.plan;
    };
    // A tenth of a cent that rounding leaves short raises the rate of the smaller one.
    expect(planOf(1_000n)).not.toBe(planOf(1_000_000_000n));
    expect(planOf(1_000n)).toBe(planOf(1_000n));
    expect(planOf(1_000n)).toMatch(/^offer-2026-11-21-35-[0-9a-f]{8}$/);
  });

  it('names the discount on the quoted price that still reaches it, and none where the price is below', () => {
    fc.assert(
      fc.property(usage, fc.bigInt(0n, 9_900n), (all, margin) => {
        const { quote, target, offer } = answer(all, margin);
        if (offer === null) return;
        const price = quote.totals.invoiceAmountMinor.value ?? 0n;
        const wanted = target?.invoiceAmountMinor.value ?? 0n;
        const off = offer.discountHundredths;
        expect(off === null).toBe(wanted > price);
        if (off === null) return;
        expect(price * (10_000n - off)).toBeGreaterThanOrEqual(wanted * 10_000n);
        expect(price * (10_000n - off - 1n)).toBeLessThan(wanted * 10_000n);
      }),
    );
  });

  it('is none on top of other usage, without a cost, and in quotes from before', () => {
    const of = (model: string): QuoteUsage[] => [
      { model, feature: 'chat', tokens: { ...emptyBuckets(), prompt: 1_000_000n } },
    ];
    expect(answer(of('gpt-4o'), 3_500n).offer).not.toBeNull();
    expect(answer(of('gpt-4o'), 3_500n, { mode: 'merge', existing: of('gpt-4o') }).offer).toBeNull();
    expect(answer(of('gpt-99'), 3_500n).offer).toBeNull();
    expect(answer(of('gpt-4o'), 3_500n, { isOffered: false }).offer).toBeNull();
  });
});
