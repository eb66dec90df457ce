import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  divideHalfUp,
  divideUp,
  formatDecimal,
  formatMinor,
  formatPico,
  formatPicoMinor,
  groupDigits,
  parseDecimal,
} from '../../pricing/money.ts';

describe('decimal text', () => {
  it('survives the way in and out', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
        fc.integer({ min: 0, max: 14 }),
        (value, digits) => {
          expect(parseDecimal(formatDecimal(value, digits), digits)).toBe(value);
        },
      ),
    );
  });

  it.each(['', '1e3', '.5', '5.', '1,5', '0x10', ' 1', '--1', 'NaN', '9'.repeat(80)])(
    'refuses %j',
    (text) => {
      expect(() => parseDecimal(text, 12)).toThrow(RangeError);
    },
  );

  it('refuses digits it would have to drop, and takes zeros beyond them', () => {
    expect(() => parseDecimal('0.1234567', 6)).toThrow(RangeError);
    expect(parseDecimal('0.1234560', 6)).toBe(123_456n);
  });

  it('writes the minor unit of each currency', () => {
    expect(formatMinor(1234n, 'usd')).toBe('12.34');
    expect(formatMinor(-5n, 'eur')).toBe('-0.05');
    expect(formatMinor(1234n, 'JPY')).toBe('1234');
    expect(formatMinor(1234n, 'kwd')).toBe('1.234');
    expect(formatMinor(0n, 'usd')).toBe('0.00');
  });

  it('writes pico with at least two decimals, and all that count', () => {
    expect(formatPico(2_500_000_000_000n)).toBe('2.50');
    expect(formatPico(1n)).toBe('0.000000000001');
    expect(formatPico(-3_000_000_000_000n)).toBe('-3.00');
    expect(formatPicoMinor(250_000_000_000_000n, 'usd')).toBe('2.50');
    expect(formatPicoMinor(1n, 'kwd')).toBe('0.000000000000001');
    expect(formatPicoMinor(-3_000_000_000_000n, 'JPY')).toBe('-3.00');
  });

  it.each([
    ['0', '0'],
    ['999', '999'],
    ['1000', '1,000'],
    ['1250000', '1,250,000'],
    ['-1234567.5050', '-1,234,567.5050'],
    ['100.1234', '100.1234'],
  ])('%s in groups is %s', (text, grouped) => {
    expect(groupDigits(text)).toBe(grouped);
  });
});

describe('rounding', () => {
  it.each([
    [5n, 10n, 1n],
    [4n, 10n, 0n],
    [-5n, 10n, -1n],
    [-4n, 10n, 0n],
    [15n, 10n, 2n],
    [25n, 10n, 3n],
  ])('%d / %d is %d: halves go away from zero', (numerator, denominator, expected) => {
    expect(divideHalfUp(numerator, denominator)).toBe(expected);
  });

  it('has no answer for what is divided by nothing', () => {
    for (const denominator of [0n, -1n]) expect(() => divideHalfUp(1n, denominator)).toThrow('positive');
  });

  it.each([
    [0n, 10n, 0n],
    [1n, 10n, 1n],
    [10n, 10n, 1n],
    [11n, 10n, 2n],
  ])('%d / %d rounded up is %d', (numerator, denominator, expected) => {
    expect(divideUp(numerator, denominator)).toBe(expected);
  });

  it('is never more than half a unit off', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt({ min: 1n, max: 10n ** 20n }), (numerator, denominator) => {
        const error = 2n * (divideHalfUp(numerator, denominator) * denominator - numerator);
        expect(error <= denominator && error >= -denominator).toBe(true);
      }),
    );
  });
});
