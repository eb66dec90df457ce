import { expect, it } from 'vitest';
import { twoDecimals } from '../../src/pages/words.ts';

it.each([
  ['1', '1.00', '1.00'],
  ['2.5', '2.50', '2.50'],
  ['66.666666666667', '66.67', '66.67'],
  ['66.661', '66.66', '66.67'],
  ['0.004999999999', '0.00', '0.01'],
  ['0.005', '0.01', '0.01'],
])('%s is shown as %s, and as %s where it must be reached', (amount, nearest, up) => {
  expect([twoDecimals(amount), twoDecimals(amount, 'up')]).toEqual([nearest, up]);
});

it('rounds what is below zero away from it, as every amount is', () => {
  expect(twoDecimals('-1897.345')).toBe('-1897.35');
});
