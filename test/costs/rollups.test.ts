import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dearestSeries } from '../../src/console/rollups/trends.ts';
import { readCostRows, readMovers } from '../../src/costs/rollups/cost-rows.ts';
import { readCostSeries } from '../../src/costs/rollups/cost-series.ts';
import type { RollupDimension, RollupFigures, RollupQuery } from '../../src/costs/rollups/query.ts';
import { readRollupRows } from '../../src/costs/rollups/rows.ts';
import { windowBefore } from '../../src/costs/rollups/scope.ts';
import { readDailySeries } from '../../src/costs/rollups/series.ts';
import { readRollupMoney, readRollupTotals } from '../../src/costs/rollups/totals.ts';
import { insertUsage } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { insertRequests, insertRollupWorld, NOVEMBER, OCTOBER, rate, scopeOf } from './rollup-world.ts';

let ledger: TestLedger;

beforeEach(async () => {
  ledger = await createTestLedger();
  await insertRollupWorld(ledger.database);
});
afterEach(() => ledger.close());

async function rowsBy(groupBy: readonly RollupDimension[], more: Partial<RollupQuery> = {}) {
  const query = { before: null, sort: null, after: null, offset: 0, limit: 1_000, withDays: false };
  return await readRollupRows(ledger.database, {
    ...(await scopeOf(ledger.database)),
    groupBy,
    ...query,
    ...more,
  });
}
const sumBy = (rows: readonly RollupFigures[], pick: (row: RollupFigures) => bigint) =>
  rows.reduce((sum, row) => sum + pick(row), 0n);
const costOf = (row: RollupFigures) => row.tokenCostPicoUsd + row.provisionedCostPicoUsd;
const revenueIn = (currency: string) => (row: RollupFigures) =>
  row.currencies.find((entry) => entry.currency === currency)?.revenuePicoMinor ?? 0n;

const GROUPINGS: RollupDimension[][] = [
  ['day'],
  ['month'],
  ['customer'],
  ['model'],
  ['feature'],
  ['deployment'],
  ['user'],
  ['day', 'customer', 'feature'],
  ['user', 'model'],
];

describe('rollups', () => {
  it('sum up to the same totals by every dimension, to the last pico', async () => {
    await insertRequests(ledger.database, [
      { hour: '2026-11-02T09:00:00Z', requests: 5n },
      { hour: '2026-11-02T15:00:00Z', requests: 7n },
      { hour: '2026-11-09T15:00:00Z', requests: 11n, subject: 'user-2' },
      { hour: '2026-11-09T15:00:00Z', requests: 13n, subject: 'stray' },
    ]);
    await rate(ledger.database);
    const totals = await readRollupTotals(ledger.database, await scopeOf(ledger.database));
    expect(totals).toMatchObject({
      tokenCount: 1_911_312n,
      requestCount: 36n,
      activeUserCount: 3n,
      unpricedTokenCount: 13n,
      unattributedTokenCount: 17n,
      unknown: [{ reason: 'unknown_model', tokenCount: 13n, between: null }],
    });
    for (const groupBy of GROUPINGS) {
      const { rows, rowCount } = await rowsBy(groupBy);
      expect(rowCount).toBe(rows.length);
      for (const pick of [
        costOf,
        revenueIn('usd'),
        revenueIn('eur'),
        (row: RollupFigures) => row.tokenCount,
        (row: RollupFigures) => row.requestCount,
        (row: RollupFigures) => row.unpricedTokenCount,
        (row: RollupFigures) => row.unattributedTokenCount,
        (row: RollupFigures) => row.provisionedCostPicoUsd,
        (row: RollupFigures) => row.tokenCounts.completion ?? 0n,
        (row: RollupFigures) => row.knownMarginTokenCount,
      ]) {
        expect([groupBy, sumBy(rows, pick)]).toEqual([groupBy, pick(totals)]);
      }
    }
  });

  it('bring what invoices of the month charge, late usage and new rates included', async () => {
    await rate(ledger.database);
    // 1,660,025 tokens: a million for nothing, 660,025 at 0.0007 cents and 123 once; 200 of completion at 0.0012.
    const [, northwind] = (await rowsBy(['customer'])).rows.slice(-2);
    expect(northwind?.dimensions).toEqual({ customer: 'northwind' });
    expect(northwind && revenueIn('usd')(northwind)).toBe(585n * 10n ** 12n);
    await insertUsage(ledger.database, [{ hour: '2026-11-02T09:00:00Z', tokens: 1_000_000n, revision: 2 }]);
    await rate(ledger.database);
    const changed = await readRollupTotals(ledger.database, await scopeOf(ledger.database));
    expect(revenueIn('usd')(changed)).toBe(1_285n * 10n ** 12n);
    await ledger.database
      .updateTable('subscription_items')
      .set({ unit_amount_decimal: '0.001', tiers_mode: null, price_tiers: null })
      .where('subscription_item_id', '=', 'si_northwind_prompt')
      .execute();
    await rate(ledger.database);
    const swapped = await readRollupTotals(ledger.database, await scopeOf(ledger.database));
    expect(revenueIn('usd')(swapped)).toBe(2_660n * 10n ** 12n);
    const october = await readRollupTotals(ledger.database, await scopeOf(ledger.database, OCTOBER));
    expect(revenueIn('usd')(october)).toBe(790n * 10n ** 12n);
  });

  it('count users once however they are grouped, and never sum them', async () => {
    await rate(ledger.database);
    const byFeature = (await rowsBy(['feature'])).rows.map((row) => [
      row.dimensions.feature,
      row.activeUserCount,
    ]);
    expect(byFeature).toEqual([
      ['chat', 3n],
      ['search', 2n],
    ]);
    const byDay = (await rowsBy(['day'])).rows.map((row) => row.activeUserCount);
    expect(byDay).toEqual([2n, 2n, 3n, 1n]);
    const corrected = { hour: '2026-11-06T09:00:00Z', customer: 'adatum', subject: 'user-3', revision: 2 };
    await insertUsage(ledger.database, [{ ...corrected, tokens: -250_013n }]);
    await rate(ledger.database);
    expect((await rowsBy(['feature'])).rows[0]?.activeUserCount).toBe(3n);
    expect((await rowsBy(['day', 'feature'])).rows.at(-1)?.dimensions).toEqual({
      day: '2026-11-06',
      feature: 'search',
    });
  });

  it('stand beside the window before, with what was used then alone', async () => {
    await rate(ledger.database);
    const before = windowBefore(NOVEMBER);
    expect(before).toEqual(OCTOBER);
    const past = await readRollupTotals(ledger.database, await scopeOf(ledger.database, OCTOBER));
    const { rows } = await rowsBy(['customer', 'feature'], { before, withDays: true });
    expect(sumBy(rows, (row) => row.costBeforePicoUsd ?? -1n)).toBe(costOf(past));
    for (const row of rows) {
      expect(row.days.reduce((sum, day) => sum + day.knownCostPicoUsd, 0n)).toBe(costOf(row));
    }
    const days = { start: new Date('2026-11-06T00:00:00Z'), end: new Date('2026-11-09T00:00:00Z') };
    expect(windowBefore(days)).toEqual({ start: new Date('2026-11-03T00:00:00Z'), end: days.start });
    const scope = await scopeOf(ledger.database, { start: days.end, end: NOVEMBER.end });
    const gone = await rowsBy(['customer'], { ...scope, before: days });
    expect(gone.rows).toMatchObject([{ dimensions: { customer: 'adatum' }, tokenCount: 0n }]);
  });

  it('sort by any figure and page without a gap, filters applied', async () => {
    await rate(ledger.database);
    const whole = await rowsBy(['user', 'feature', 'day'], { sort: { by: 'cost', descending: true } });
    const costs = whole.rows.map(costOf);
    expect(costs).toEqual(costs.toSorted((left, right) => (left < right ? 1 : left > right ? -1 : 0)));
    const paged = [];
    for (let offset = 0; offset < whole.rowCount; offset += 2) {
      const page = await rowsBy(['user', 'feature', 'day'], {
        sort: { by: 'cost', descending: true },
        offset,
        limit: 2,
      });
      expect(page.rowCount).toBe(whole.rowCount);
      paged.push(...page.rows);
    }
    expect(paged).toEqual(whole.rows);
    const byUser = (await rowsBy(['user'])).rows;
    for (const { dimensions, ...figures } of byUser) {
      const filter = { user: dimensions.user };
      const { days: _, ...row } = figures;
      expect(
        await readRollupTotals(ledger.database, await scopeOf(ledger.database, NOVEMBER, filter)),
      ).toEqual(row);
    }
    const nobody = await rowsBy(['user'], { filter: { customerId: null } });
    expect(nobody.rows).toMatchObject([{ dimensions: { user: 'stray' }, tokenCount: 17n, currencies: [] }]);
  });

  it('draw the highest values of a dimension by day, and the rest as one', async () => {
    await rate(ledger.database);
    const scope = await scopeOf(ledger.database);
    const series = await readDailySeries(ledger.database, { ...scope, by: 'customer', top: 1 });
    expect(series.map(({ value }) => value)).toEqual(['northwind', null]);
    const cells = series.flatMap(({ days }) => days);
    const totals = await readRollupTotals(ledger.database, scope);
    expect(cells.reduce((sum, cell) => sum + cell.knownCostPicoUsd, 0n)).toBe(costOf(totals));
    expect(cells.reduce((sum, cell) => sum + cell.tokenCount, 0n)).toBe(totals.tokenCount);
  });

  it('cost the same where nobody asks what they bring, or who was active', async () => {
    await insertRequests(ledger.database, [{ hour: '2026-11-02T09:00:00Z', requests: 5n }]);
    await rate(ledger.database);
    const { database } = ledger;
    const scope = await scopeOf(database);
    for (const by of ['customer', 'model', 'feature', 'deployment'] as const) {
      const query = { ...scope, groupBy: [by], before: OCTOBER };
      const { rows } = await rowsBy([by], { before: OCTOBER, sort: { by: 'cost', descending: true } });
      const costs = await readCostRows(database, query, 100);
      expect(rows).toMatchObject(costs);
      const { risen, fallen } = await readMovers(database, query, 2);
      const moved = async (descending: boolean) =>
        (await rowsBy([by], { before: OCTOBER, sort: { by: 'costChange', descending }, limit: 2 })).rows;
      expect(await moved(true)).toMatchObject(risen);
      expect(await moved(false)).toMatchObject(fallen);
      const all = await readCostSeries(database, { ...scope, by, top: null });
      for (const top of [1, 2]) {
        const drawn = await readDailySeries(database, { ...scope, by, top });
        const series = await readCostSeries(database, { ...scope, by, top });
        expect(drawn).toMatchObject(series);
        expect(dearestSeries(all, NOVEMBER, top)).toEqual(series);
      }
    }
    const { activeUserCount, ...money } = await readRollupTotals(database, scope);
    expect(activeUserCount).toBe(3n);
    expect(await readRollupMoney(database, scope)).toEqual(money);
  });

  it('say that revenue in dollars is unknown where there is no exchange rate', async () => {
    await rate(ledger.database);
    const withRate = await readRollupTotals(ledger.database, await scopeOf(ledger.database));
    expect(withRate.revenuePicoUsd).toBe(585n * 10n ** 10n + ((revenueIn('eur')(withRate) / 100n) * 5n) / 4n);
    await ledger.database.deleteFrom('exchange_rates').execute();
    const without = await rowsBy(['customer']);
    expect(without.rows.map((row) => row.revenuePicoUsd)).toEqual([0n, null, 585n * 10n ** 10n]);
  });
});
