import { describe, expect, it } from 'vitest';
import { type ComparedPeriod, playAccount } from './generated/account.ts';

const PERIOD_COUNT = 10_000;
const ACCOUNT_COUNT = 10;
const MONTH_COUNT = 20;
const SEED = 20_261_122;

describe('our rating and Stripe’s finalized invoices', () => {
  it(`agree to the cent over ${PERIOD_COUNT} generated periods with tiers, allowances and minimums`, {
    timeout: 120_000,
  }, async () => {
    const customerCount = PERIOD_COUNT / ACCOUNT_COUNT / MONTH_COUNT;
    const periods: ComparedPeriod[] = [];
    for (let account = 0; account < ACCOUNT_COUNT; account += 1) {
      periods.push(...(await playAccount({ seed: SEED + account, customerCount, monthCount: MONTH_COUNT })));
    }
    expect(periods).toHaveLength(PERIOD_COUNT);
    let differenceCents = 0n;
    for (const { what, rated, invoiced, expected } of periods) {
      expect(invoiced, `the invoice of ${what}`).toEqual(expected);
      expect(rated, `our rating of ${what}`).toEqual(expected);
      const difference = rated.total - invoiced.total;
      differenceCents += difference < 0n ? -difference : difference;
    }
    expect(differenceCents).toBe(0n);
    // The seed's plans do use what the comparison is about.
    expect(periods.filter(({ hasTopUp }) => hasTopUp).length).toBeGreaterThan(PERIOD_COUNT / 20);
    expect(
      periods.filter(({ invoiced }) => invoiced.lines.some((lines) => lines.length > 2)).length,
    ).toBeGreaterThan(PERIOD_COUNT / 20);
    expect(new Set(periods.map(({ invoiced }) => invoiced.total)).size).toBeGreaterThan(PERIOD_COUNT / 4);
  });
});
