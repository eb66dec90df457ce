import { expect, it } from 'vitest';
import { playAccount } from './generated/account.ts';
import type { ComparedPeriod } from './generated/compared.ts';
import { judgePeriods } from './generated/judge.ts';

const CUSTOMER_COUNT = 20;
const MONTH_COUNT = 5;
/** Of each kind of drafts, with lines rounded to the minor unit and to what can be charged. */
const SEEDS = [20_261_120, 20_261_121, 20_261_122, 20_261_123];
const PERIOD_COUNT = CUSTOMER_COUNT * MONTH_COUNT * SEEDS.length;

// `npm run periods` plays ten thousand.
it(`rating, invoice, statement and certificate agree to the last unit over ${PERIOD_COUNT} generated periods`, {
  timeout: 120_000,
}, async () => {
  const periods: ComparedPeriod[] = [];
  for (const seed of SEEDS)
    periods.push(...(await playAccount({ seed, customerCount: CUSTOMER_COUNT, monthCount: MONTH_COUNT })));
  expect(periods).toHaveLength(PERIOD_COUNT);
  const { differences, differenceMinor, counts } = judgePeriods(periods);
  expect(differences).toEqual([]);
  expect(differenceMinor).toBe(0n);
  // The seeds do use what the comparison is about.
  for (const name of [
    'topUp',
    'swapped',
    'storage',
    'tiers',
    'coupon',
    'tax',
    'usd',
    'eur',
    'jpy',
    'kwd',
    'ugx',
    'late',
    'unsent',
    'quoted',
    'previewedTotal',
    'packages',
    'credits',
  ])
    expect(counts[name] ?? 0, name).toBeGreaterThan(PERIOD_COUNT / 20);
  for (const name of ['forgone', 'takenUp', 'trial', 'partTrial', 'balance'])
    expect(counts[name] ?? 0, name).toBeGreaterThan(0);
  expect([counts.follow, counts.stand_still]).toEqual([PERIOD_COUNT / 2, PERIOD_COUNT / 2]);
});
