import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDecimal } from '../../pricing/money.ts';
import { amountMinor, exactAmountPicoMinor, splitAmount } from '../../pricing/rating/rating.ts';

const quantity = fc.bigInt({ min: 0n, max: 10n ** 15n });
const price = fc.bigInt({ min: 0n, max: 10n ** 15n }).map((pico) => formatDecimal(pico, 12));

describe('an invoice line', () => {
  it.each([
    [1_000_000n, '0.00025', 250n],
    [1n, '0.5', 1n],
    [1n, '0.499999999999', 0n],
    [3n, '0.000000000001', 0n],
    [500_000_000_000n, '0.000000000001', 1n],
    [499_999_999_999n, '0.000000000001', 0n],
    [0n, '7', 0n],
  ])('of %d at %s is %d, rounded once', (tokens, unit, expected) => {
    expect(amountMinor(tokens, unit)).toBe(expected);
  });

  it('never falls when usage grows, and is never negative', () => {
    fc.assert(
      fc.property(quantity, quantity, price, (some, more, unit) => {
        expect(amountMinor(some + more, unit)).toBeGreaterThanOrEqual(amountMinor(some, unit));
        expect(amountMinor(some, unit)).toBeGreaterThanOrEqual(0n);
      }),
    );
  });

  it('is exact before rounding: splitting usage changes nothing', () => {
    fc.assert(
      fc.property(quantity, quantity, price, (some, more, unit) => {
        expect(exactAmountPicoMinor(some, unit) + exactAmountPicoMinor(more, unit)).toBe(
          exactAmountPicoMinor(some + more, unit),
        );
      }),
    );
  });

  it.each(['-0.1', '1e-5', '', '0.0000000000001', 'free'])('has no price %j', (unit) => {
    expect(() => amountMinor(1n, unit)).toThrow(RangeError);
  });
});

describe('splitting an amount', () => {
  const weights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 15n }), { minLength: 1, maxLength: 20 });

  it('sums exactly, and no part is a unit away from its share', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), weights, (amount, parts) => {
        const total = parts.reduce((sum, part) => sum + part, 0n);
        fc.pre(total > 0n);
        const split = splitAmount(amount, parts);
        expect(split.reduce((sum, part) => sum + part, 0n)).toBe(amount);
        split.forEach((part, index) => {
          const error = part * total - amount * (parts[index] ?? 0n);
          expect(error < total && error > -total).toBe(true);
        });
      }),
    );
  });

  it('gives what is left over to the largest remainder, then to the first', () => {
    expect(splitAmount(10n, [1n, 1n, 1n])).toEqual([4n, 3n, 3n]);
    expect(splitAmount(2n, [2n, 3n, 5n])).toEqual([0n, 1n, 1n]);
    expect(splitAmount(0n, [0n, 0n])).toEqual([0n, 0n]);
    expect(() => splitAmount(1n, [0n])).toThrow(RangeError);
    expect(() => splitAmount(1n, [-1n, 2n])).toThrow(RangeError);
  });
});
