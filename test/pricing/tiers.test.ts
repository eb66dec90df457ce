import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRatePrice, type PriceTier, type RatePrice } from '../../pricing/rating/rate-price.ts';
import { exactAmount, prepareRate, rateQuantity } from '../../pricing/rating/rating.ts';
import { anyPerUnitPrice, anyPrice, anyQuantity, anyTieredPrice } from './arbitrary-prices.ts';
import { oracleLines, sumOf } from './rating-oracle.ts';

const tier = (upTo: bigint | null, unitAmountDecimal: string, flatAmountDecimal: string | null = null) => ({
  upTo,
  unitAmountDecimal,
  flatAmountDecimal,
});
const tiered = (mode: 'graduated' | 'volume', ...tiers: PriceTier[]): RatePrice => ({
  kind: 'tiered',
  mode,
  tiers,
});
/** Stripe's own example: 1-5 at 7 $, 6-10 at 6.50 $, more at 6 $; in cents. */
const FONTS = [tier(5n, '700'), tier(10n, '650'), tier(null, '600')];
/** And with flat amounts: 10 $, 20 $ and 30 $ on entering a tier. */
const FLAT_FONTS = [tier(5n, '500', '1000'), tier(10n, '400', '2000'), tier(null, '300', '3000')];

const minorOf = (quantity: bigint, price: RatePrice) =>
  sumOf(rateQuantity(quantity, price).map((line) => line.amountMinor));

describe('a tiered price', () => {
  it.each([
    ['volume', 1n, 700n],
    ['volume', 5n, 3_500n],
    ['volume', 6n, 3_900n],
    ['volume', 20n, 12_000n],
    ['volume', 25n, 15_000n],
    ['graduated', 5n, 3_500n],
    ['graduated', 6n, 4_150n],
    ['graduated', 20n, 12_750n],
    ['graduated', 25n, 15_750n],
    ['graduated', 0n, 0n],
  ] as const)('charges, by %s tiers, for %d fonts %d cents', (mode, quantity, expected) => {
    expect(minorOf(quantity, tiered(mode, ...FONTS))).toBe(expected);
  });

  it('charges a flat amount once for each tier entered; of the first one also for no usage', () => {
    const graduated = tiered('graduated', ...FLAT_FONTS);
    expect(rateQuantity(12n, graduated).map((line) => line.amountMinor)).toEqual([3_500n, 4_000n, 3_600n]);
    expect(minorOf(5n, graduated)).toBe(3_500n);
    expect(minorOf(0n, graduated)).toBe(1_000n);
    const volume = tiered('volume', ...FLAT_FONTS);
    expect(minorOf(12n, volume)).toBe(6_600n);
    expect(minorOf(0n, volume)).toBe(1_000n);
  });

  it('has one line for each tier used, the end of a tier belonging to it', () => {
    const price = tiered('graduated', ...FONTS);
    expect(rateQuantity(5n, price)).toMatchObject([{ tierIndex: 0, quantity: 5n }]);
    expect(rateQuantity(6n, price)).toMatchObject([
      { tierIndex: 0, quantity: 5n, unitAmountDecimal: '700' },
      { tierIndex: 1, quantity: 1n, unitAmountDecimal: '650' },
    ]);
    expect(rateQuantity(6n, tiered('volume', ...FONTS))).toMatchObject([{ tierIndex: 1, quantity: 6n }]);
    expect(rateQuantity(6n, { kind: 'per_unit', unitAmountDecimal: '7' })).toMatchObject([
      { tierIndex: null },
    ]);
  });

  it('bills corrections that outweigh the usage as none', () => {
    expect(exactAmount(-5n, tiered('graduated', ...FONTS))).toBe(0n);
    expect(rateQuantity(-5n, tiered('graduated', ...FONTS))).toMatchObject([
      { quantity: 0n, amountMinor: 0n },
    ]);
  });

  it('rounds each line once', () => {
    const price = tiered('graduated', tier(1n, '0.5'), tier(2n, '0.5'), tier(null, '0.499999999999'));
    expect(rateQuantity(3n, price).map((line) => line.amountMinor)).toEqual([1n, 1n, 0n]);
    expect(exactAmount(3n, price)).toBe(1_499_999_999_999n);
  });
});

describe('any price', () => {
  it('gives the lines of the oracle, to the last pico and the last cent', () => {
    fc.assert(
      fc.property(anyQuantity, anyPrice, (quantity, price) => {
        const expected = oracleLines(quantity, price);
        const lines = rateQuantity(quantity, price);
        expect(lines.map((line) => [line.amountPicoMinor, line.amountMinor])).toEqual(
          expected.map(({ exact, minor }) => [exact, minor]),
        );
        const exact = sumOf(expected.map((line) => line.exact));
        expect(exactAmount(quantity, price)).toBe(exact);
        expect(prepareRate(price)(quantity)).toBe(exact);
      }),
      { numRuns: 500 },
    );
  });

  it('agrees with the oracle at both sides of each end of a tier', () => {
    const tieredPrice = fc.oneof(anyTieredPrice('graduated'), anyTieredPrice('volume'));
    fc.assert(
      fc.property(tieredPrice, (price) => {
        const ends = price.kind === 'tiered' ? price.tiers.flatMap((each) => each.upTo ?? []) : [];
        for (const quantity of ends.flatMap((end) => [end - 1n, end, end + 1n])) {
          expect(exactAmount(quantity, price)).toBe(
            sumOf(oracleLines(quantity, price).map((line) => line.exact)),
          );
        }
      }),
    );
  });

  it('is additive where it is per unit', () => {
    fc.assert(
      fc.property(anyQuantity, anyQuantity, anyPerUnitPrice, (some, more, price) => {
        expect(exactAmount(some, price) + exactAmount(more, price)).toBe(exactAmount(some + more, price));
      }),
    );
  });

  it('never falls when usage grows, unless it is by volume, and is never negative', () => {
    const monotone = fc.oneof(anyPerUnitPrice, anyTieredPrice('graduated'));
    fc.assert(
      fc.property(anyQuantity, anyQuantity, monotone, (some, more, price) => {
        expect(exactAmount(some + more, price)).toBeGreaterThanOrEqual(exactAmount(some, price));
        expect(minorOf(some, price)).toBeGreaterThanOrEqual(0n);
      }),
    );
  });

  it('loses nothing between its lines: their quantities sum to what was used', () => {
    fc.assert(
      fc.property(anyQuantity, anyPrice, (quantity, price) => {
        expect(sumOf(rateQuantity(quantity, price).map((line) => line.quantity))).toBe(quantity);
      }),
    );
  });
});

describe('a price that is wrong', () => {
  it.each([
    ['no tier', tiered('graduated'), /tiers: there is no tier/],
    ['no open end', tiered('volume', tier(5n, '1')), /tiers\[0\]\.upTo: the last tier ends at 5.*open/],
    [
      'an open end before the last',
      tiered('graduated', tier(null, '1'), tier(null, '2')),
      /tiers\[0\]\.upTo: tier 1 has no end and overlaps the 1 after it/,
    ],
    [
      'tiers out of order',
      tiered('graduated', tier(10n, '1'), tier(5n, '1'), tier(null, '1')),
      /tiers\[1\]\.upTo: tier 2 ends at 5 and overlaps tier 1.*Sort/,
    ],
    [
      'an empty tier',
      tiered('graduated', tier(10n, '1'), tier(10n, '1'), tier(null, '1')),
      /tiers\[1\]\.upTo.*it is empty/,
    ],
    ['an end of nothing', tiered('graduated', tier(0n, '1'), tier(null, '1')), /0 is not positive/],
    [
      'a negative price',
      tiered('graduated', tier(null, '-1')),
      /tiers\[0\]\.unitAmountDecimal: -1 is negative/,
    ],
    [
      'a negative flat amount',
      tiered('graduated', tier(null, '1', '-1')),
      /flatAmountDecimal: -1 is negative/,
    ],
    ['13 decimals', { kind: 'per_unit', unitAmountDecimal: '0.0000000000001' } as RatePrice, /12 decimals/],
  ])('%s: is refused with the tier and the fix', (_, price, expected) => {
    expect(() => checkRatePrice(price)).toThrow(RangeError);
    expect(() => checkRatePrice(price)).toThrow(expected);
    expect(() => rateQuantity(1n, price)).toThrow(RangeError);
  });

  it('is refused with all that is wrong', () => {
    const price = tiered('graduated', tier(5n, '-1'), tier(4n, 'x'), tier(9n, '1'));
    expect(() => checkRatePrice(price)).toThrow(/tiers\[0\].*tiers\[1\]\.upTo.*tiers\[1\]\.unit.*tiers\[2\]/);
  });
});
