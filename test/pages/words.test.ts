import { expect, it } from 'vitest';
import { speakInstants, speakNote } from '../../pricing/closing/words.ts';
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

it('says instants within a sentence as people do, and leaves what only looks like one', () => {
  expect(
    speakInstants(
      'Stripe finalizes it at 2026-10-27T00:00:00.000Z, by list-2025-09-05, after 2026-02-01T07:05Z.',
    ),
  ).toBe(
    'Stripe finalizes it at 27 October 2026, 00:00 UTC, by list-2025-09-05, after 1 February 2026, 07:05 UTC.',
  );
});

it('says of a note of a close what it means, and when it goes on; what a person wrote stays', () => {
  expect(speakNote('hours of the period are not settled')).toEqual({
    because: expect.stringContaining('OpenMeter'),
    next: expect.stringContaining('by itself'),
  });
  expect(speakNote('agreed by phone')).toEqual({ because: 'agreed by phone', next: null });
});
