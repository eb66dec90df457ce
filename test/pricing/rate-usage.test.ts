import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RateableUsage, rateUsage } from '../../pricing/rating/rate-usage.ts';
import { findSellRate, indexSellRates, type SellRate } from '../../pricing/rating/sell-rates.ts';
import { TOKEN_TYPES } from '../../pricing/usage/tokens.ts';
import { anyPrice } from './arbitrary-prices.ts';
import { oracleLines, sumOf } from './rating-oracle.ts';

const anyUsage: fc.Arbitrary<RateableUsage> = fc.record({
  model: fc.constantFrom('gpt-4o', 'o4-mini', 'mystery'),
  feature: fc.constantFrom('chat', 'search'),
  tokenType: fc.constantFrom(...TOKEN_TYPES),
  tokenCount: fc.bigInt({ min: 0n, max: 10n ** 12n }),
});
const anyRates: fc.Arbitrary<SellRate[]> = fc
  .uniqueArray(
    fc.record({
      model: fc.constantFrom('gpt-4o', 'o4-mini', '*'),
      feature: fc.constantFrom('chat', '*'),
      tokenType: fc.constantFrom(...TOKEN_TYPES),
      price: anyPrice,
    }),
    { maxLength: 8, selector: (rate) => `${rate.model} ${rate.feature} ${rate.tokenType}` },
  )
  .map((rates) =>
    rates.map((rate) => {
      const rateId = `${rate.model}/${rate.tokenType}/${rate.feature}`;
      return { ...rate, rateId, description: rateId };
    }),
  );

const rate = (price: SellRate['price'], more: Partial<SellRate> = {}): SellRate => ({
  rateId: 'one',
  description: 'one',
  model: 'gpt-4o',
  feature: '*',
  tokenType: 'prompt',
  price,
  ...more,
});
const prompt = (tokenCount: bigint, feature = 'chat'): RateableUsage => ({
  model: 'gpt-4o',
  feature,
  tokenType: 'prompt',
  tokenCount,
});
const perUnit = (unitAmountDecimal: string) => ({ kind: 'per_unit' as const, unitAmountDecimal });

describe('rating usage', () => {
  it('agrees with the oracle, to the last unit, whatever is used and charged', () => {
    fc.assert(
      fc.property(fc.array(anyUsage, { maxLength: 30 }), anyRates, (usage, rates) => {
        const rated = rateUsage(usage, rates);
        const quantityByRate = new Map<SellRate, bigint>();
        let unratedTokens = 0n;
        for (const entry of usage) {
          const found = findSellRate(rates, entry);
          if (found === null) unratedTokens += entry.tokenCount;
          else quantityByRate.set(found, (quantityByRate.get(found) ?? 0n) + entry.tokenCount);
        }
        const expected = [...quantityByRate].flatMap(([found, quantity]) =>
          oracleLines(quantity, found.price),
        );
        expect(rated.totals.ratedAmountPicoMinor).toBe(sumOf(expected.map((line) => line.exact)));
        expect(rated.totals.ratedAmountMinor).toBe(sumOf(expected.map((line) => line.minor)));
        expect(rated.totals.unratedTokenCount).toBe(unratedTokens);
        expect(rated.totals.tokenCount).toBe(
          sumOf(rated.lines.map((line) => line.quantity)) + rated.totals.unratedTokenCount,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('shares a line out among its parts to the last pico', () => {
    fc.assert(
      fc.property(fc.array(anyUsage, { maxLength: 30 }), anyRates, (usage, rates) => {
        for (const line of rateUsage(usage, rates).lines) {
          const isIdle = line.quantity === 0n && line.amountPicoMinor > 0n;
          if (isIdle && line.parts.length > 1) continue;
          expect(sumOf(line.parts.map((part) => part.amountPicoMinor ?? -1n))).toBe(line.amountPicoMinor);
          expect(sumOf(line.parts.map((part) => part.usage.tokenCount))).toBe(line.quantity);
        }
      }),
    );
  });

  it('does not depend on the order of the usage', () => {
    fc.assert(
      fc.property(fc.array(anyUsage, { maxLength: 20 }), anyRates, (usage, rates) => {
        expect(rateUsage(usage.toReversed(), rates).totals).toEqual(rateUsage(usage, rates).totals);
      }),
    );
  });

  it('sums usage under one rate before it rounds', () => {
    const rated = rateUsage([prompt(1n), prompt(1n, 'search')], [rate(perUnit('0.4'))]);
    expect(rated.lines).toMatchObject([{ quantity: 2n, amountMinor: 1n }]);
  });

  it('says how much of an allowance is used', () => {
    const price: SellRate['price'] = {
      kind: 'tiered',
      mode: 'graduated',
      tiers: [
        { upTo: 1_000n, unitAmountDecimal: '0', flatAmountDecimal: null },
        { upTo: null, unitAmountDecimal: '1', flatAmountDecimal: null },
      ],
    };
    const used = (tokenCount: bigint) => rateUsage([prompt(tokenCount)], [rate(price)]);
    expect(used(400n).lines[0]?.allowance).toEqual({ includedTokenCount: 1_000n, usedTokenCount: 400n });
    expect(used(400n).totals.amountMinor).toBe(0n);
    expect(used(1_001n).lines[0]?.allowance?.usedTokenCount).toBe(1_000n);
    expect(used(1_001n).totals.amountMinor).toBe(1n);
    expect(rateUsage([prompt(5n)], [rate(perUnit('0'))]).lines[0]?.allowance).toBeNull();
  });

  it('tops up to the minimum, and not above it', () => {
    const rates = [rate(perUnit('1'))];
    expect(rateUsage([prompt(30n)], rates, 100n)).toMatchObject({
      minimumTopUpMinor: 70n,
      totals: { ratedAmountMinor: 30n, amountMinor: 100n },
    });
    expect(rateUsage([prompt(130n)], rates, 100n)).toMatchObject({
      minimumTopUpMinor: 0n,
      totals: { amountMinor: 130n },
    });
    expect(rateUsage([], rates, 100n).totals.amountMinor).toBe(100n);
    expect(() => rateUsage([], rates, -1n)).toThrow(RangeError);
  });

  it('has no total while something has no price, and says what', () => {
    const unknown = { ...prompt(5n), model: 'mystery' };
    const rated = rateUsage([prompt(10n), unknown], [rate(perUnit('1'))]);
    expect(rated.unrated).toEqual([{ usage: unknown, reason: 'no_sell_rate' }]);
    expect(rated.totals).toMatchObject({ amountMinor: null, ratedAmountMinor: 10n, unratedTokenCount: 5n });
  });

  it('never bills corrections below nothing, and splits no line that they are in', () => {
    const rates = [rate(perUnit('1'))];
    const rated = rateUsage([prompt(5n), prompt(-8n, 'search')], rates);
    expect(rated.lines).toMatchObject([{ quantity: 0n, amountMinor: 0n }]);
    expect(rated.lines[0]?.parts.map((part) => part.amountPicoMinor)).toEqual([null, null]);
    expect(rated.totals.amountMinor).toBe(0n);
  });

  it('gives a part an amount only where parts explain the line', () => {
    const flat = (flatAmountDecimal: string | null): SellRate['price'] => ({
      kind: 'tiered',
      mode: 'graduated',
      tiers: [{ upTo: null, unitAmountDecimal: '1', flatAmountDecimal }],
    });
    const parts = (price: SellRate['price'], ...counts: bigint[]) =>
      rateUsage(
        counts.map((count, index) => prompt(count, `feature ${index}`)),
        [rate(price)],
      ).lines.flatMap((line) => line.parts.map((part) => part.amountPicoMinor));
    const one = 10n ** 12n;
    expect(parts(perUnit('1'), 8n, -5n)).toEqual([null, null]);
    expect(parts(perUnit('1'), 5n, -5n)).toEqual([null, null]);
    expect(parts(perUnit('1'), 0n, 0n)).toEqual([0n, 0n]);
    expect(parts(perUnit('1'), 0n, 3n)).toEqual([0n, 3n * one]);
    // What is charged for the tier alone is nobody's part.
    expect(parts(flat('100'), 0n, 0n)).toEqual([null, null]);
    expect(parts(flat('100'), 0n)).toEqual([100n * one]);
    expect(parts(flat('100'), 1n, 3n)).toEqual([26n * one, 78n * one]);
  });

  it('speaks of an allowance only where a graduated price begins with one', () => {
    const allowance = (mode: 'graduated' | 'volume', upTo: bigint | null, unitAmountDecimal: string) =>
      rateUsage(
        [prompt(5n)],
        [
          rate({
            kind: 'tiered',
            mode,
            tiers: [
              { upTo, unitAmountDecimal, flatAmountDecimal: null },
              ...(upTo === null ? [] : [{ upTo: null, unitAmountDecimal: '1', flatAmountDecimal: null }]),
            ],
          }),
        ],
      ).lines[0]?.allowance;
    expect(allowance('graduated', 10n, '0')).toEqual({ includedTokenCount: 10n, usedTokenCount: 5n });
    expect(allowance('volume', 10n, '0')).toBeNull();
    expect(allowance('graduated', 10n, '0.1')).toBeNull();
    expect(allowance('graduated', null, '0')).toBeNull();
  });

  it('finds rates by an index as one by one', () => {
    fc.assert(
      fc.property(anyRates, anyUsage, (rates, usage) => {
        expect(indexSellRates(rates)(usage)).toBe(findSellRate(rates, usage));
      }),
    );
  });
});
