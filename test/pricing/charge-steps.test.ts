import { describe, expect, it } from 'vitest';
import { minimumTopUp } from '../../pricing/closing/certificate.ts';
import { rateMeter, rateMeterInSteps } from '../../pricing/closing/meter.ts';
import { formatMinor, toChargeable } from '../../pricing/money.ts';
import { wholeMinorOf } from '../../pricing/plans/price.ts';

describe('amounts that can be charged', () => {
  it.each([
    ['usd', 1_234n, 1_234n, '12.34'],
    ['jpy', 1_234n, 1_234n, '1234'],
    ['kwd', 1_235n, 1_240n, '1.240'],
    ['kwd', 1_234n, 1_230n, '1.230'],
    ['ugx', 1_249n, 1_200n, '12.00'],
    ['isk', 1_250n, 1_300n, '13.00'],
    ['KWD', -1_235n, -1_240n, '-1.240'],
  ])('of %s: %s is charged as %s', (currency, amount, expected, text) => {
    expect(toChargeable(amount, currency)).toBe(expected);
    expect(formatMinor(expected, currency)).toBe(text);
  });

  it('a plan takes no minimum that cannot be charged', () => {
    expect(wholeMinorOf('500', 'ugx')).toBe(50_000n);
    expect(wholeMinorOf('1.23', 'kwd')).toBe(1_230n);
    expect(() => wholeMinorOf('1.235', 'kwd')).toThrow('steps of 0.010');
    expect(() => wholeMinorOf('500.50', 'ugx')).toThrow('cannot be charged');
  });

  it('a top-up reaches the minimum and can be charged', () => {
    const minimum = { minimumMinor: '5000', linesMinor: '1234' } as Parameters<typeof minimumTopUp>[0];
    expect(minimumTopUp(minimum, 'usd')).toBe(3_766n);
    expect(minimumTopUp(minimum, 'kwd')).toBe(3_770n);
    expect(minimumTopUp(minimum, 'ugx')).toBe(3_800n);
    expect(minimumTopUp({ ...minimum, linesMinor: '5001' }, 'ugx')).toBe(0n);
  });

  it('rates each line either way', () => {
    const price = { kind: 'per_unit', unitAmountDecimal: '0.5' } as const;
    expect(rateMeter(2_468n, price)).toBe(1_234n);
    expect(rateMeterInSteps(2_468n, price, 'kwd')).toBe(1_230n);
    expect(rateMeterInSteps(2_468n, price, 'usd')).toBe(1_234n);
  });
});
