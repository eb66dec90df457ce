import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MarginsBody } from '../../src/costs/margin-routes.ts';
import type { CostsBody } from '../../src/costs/routes.ts';
import { insertRollupWorld, rate } from '../costs/rollup-world.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertUsage } from './world.ts';

const MONTHS = 'from=2026-10-01&to=2026-12-01';

let bench: ApiBench;

beforeEach(async () => {
  bench = await createApiBench();
  await insertRollupWorld(bench.ledger.database);
  await rate(bench.ledger.database);
});
afterEach(() => bench.close());

async function ask<Body>(path: string): Promise<Body> {
  const response = await bench.call(path);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Body;
}

/** Decimal text in units of 10^-16. */
function exact(text: string | null): bigint {
  const [whole = '', fraction = ''] = (text ?? '').split('.');
  return BigInt(whole + fraction.padEnd(16, '0'));
}

describe('GET /v1/costs', () => {
  it('has the revenue, the cost and the users that /v1/margins has, of customers and of features', async () => {
    const margins = await ask<MarginsBody>(`/v1/margins?${MONTHS}`);
    const customers = await ask<CostsBody>(`/v1/costs?${MONTHS}&groupBy=customer`);
    const usdOf = (row: CostsBody['rows'][number] | undefined, currency: string) =>
      row?.revenue.find((entry) => entry.currency === currency)?.amount ?? '0.00';
    for (const expected of margins.customers) {
      const row = customers.rows.find(({ customerId }) => customerId === expected.customerId);
      expect(row).toMatchObject({ tokenCount: expected.tokenCount, cost: expected.cost.amount });
      const [revenue] = row?.revenue ?? [];
      expect(revenue?.unratedTokenCount).toBe(expected.unratedTokenCount);
      if (expected.revenue.amount !== null) expect(revenue?.amount).toBe(expected.revenue.amount);
    }
    const features = await ask<CostsBody>(`/v1/costs?${MONTHS}&groupBy=feature`);
    expect(margins.features.length).toBe(4);
    for (const { feature, currency, revenue, activeUsers } of margins.features) {
      const row = features.rows.find((entry) => entry.feature === feature);
      if (revenue.amount !== null) expect(usdOf(row, currency)).toBe(revenue.amount);
      expect(row?.activeUserCount).toBe(activeUsers.count);
    }
    for (const { currency } of margins.totals) {
      const parts = margins.features.filter((entry) => entry.currency === currency);
      const rows = features.rows.map((row) => exact(usdOf(row, currency)));
      const total = customers.totals.revenue.find((entry) => entry.currency === currency);
      expect(rows.reduce((sum, amount) => sum + amount, 0n)).toBe(exact(total?.amount ?? null));
      expect(parts.length).toBeGreaterThan(0);
    }
  });

  it.each(['from=2026-11-03&to=2026-11-07', 'from=2026-10-31&to=2026-11-06', 'period=2026-11'])(
    'has in %s the revenue that /v1/margins has, although tiers are of the month',
    async (window) => {
      const margins = await ask<MarginsBody>(`/v1/margins?${window}`);
      const customers = await ask<CostsBody>(`/v1/costs?${window}&groupBy=customer`);
      expect(margins.customers.length).toBeGreaterThan(1);
      for (const { customerId, currency, revenue, knownCost, unratedTokenCount } of margins.customers) {
        const row = customers.rows.find((entry) => entry.customerId === customerId);
        const [told] = row?.revenue ?? [];
        expect(row?.knownCost).toBe(knownCost);
        expect(told).toMatchObject({ currency, unratedTokenCount });
        if (revenue.amount !== null) expect([customerId, told?.amount]).toEqual([customerId, revenue.amount]);
      }
      const paged: MarginsBody['customers'] = [];
      for (let cursor = ''; ; ) {
        const page = await ask<MarginsBody>(`/v1/margins?${window}&limit=1${cursor}`);
        paged.push(...page.customers);
        if (page.nextCursor === null) break;
        cursor = `&cursor=${page.nextCursor}`;
      }
      expect(paged).toEqual(margins.customers);
    },
  );

  it('sorts by a figure, pages it without a gap, and gives it whole as CSV', async () => {
    const query = `${MONTHS}&groupBy=user,day&sort=-cost`;
    const whole = await ask<CostsBody>(`/v1/costs?${query}`);
    const costs = whole.rows.map((row) => exact(row.knownCost));
    expect(costs).toEqual(costs.toSorted((left, right) => (left < right ? 1 : left > right ? -1 : 0)));
    const paged: CostsBody['rows'] = [];
    for (let cursor = ''; ; ) {
      const page = await ask<CostsBody>(`/v1/costs?${query}&limit=3${cursor}`);
      expect(page.rowCount).toBe(whole.rows.length);
      paged.push(...page.rows);
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(paged).toEqual(whole.rows);
    const csv = await bench.call(`/v1/costs?${query}`, { headers: { accept: 'text/csv' } });
    const lines = parse(await csv.text(), { columns: true }) as Record<string, string>[];
    expect(lines.map(({ user, day, cost }) => [user, day, cost])).toEqual(
      whole.rows.map(({ user, day, cost }) => [user, day, cost ?? '']),
    );
  });

  it('compares with the window before, and draws days, where asked to', async () => {
    const november = await ask<CostsBody>(
      '/v1/costs?period=2026-11&groupBy=customer&compare=before&days=true',
    );
    const october = await ask<CostsBody>('/v1/costs?period=2026-10&groupBy=customer');
    expect(november.totals.costBefore).toBe(october.totals.knownCost);
    for (const row of november.rows) {
      const before = october.rows.find(({ customerId }) => customerId === row.customerId);
      expect(row.costBefore).toBe(before?.knownCost ?? '0.00');
      const days = row.days?.map(({ knownCost }) => exact(knownCost)) ?? [];
      expect(days.reduce((sum, cost) => sum + cost, 0n)).toBe(exact(row.knownCost));
    }
    expect(october.rows[0]).toMatchObject({ costBefore: null });
    expect(october.rows[0]).not.toHaveProperty('days');
  });

  it('says while revenue waits to be rated again', async () => {
    expect(await ask<CostsBody>(`/v1/costs?${MONTHS}`)).toMatchObject({ dueRevenueCount: '0' });
    await bench.ledger.database
      .updateTable('subscription_items')
      .set({ unit_amount_decimal: '0.5', tiers_mode: null, price_tiers: null })
      .where('customer_id', '=', 'northwind')
      .execute();
    expect(await ask<CostsBody>(`/v1/costs?${MONTHS}`)).toMatchObject({ dueRevenueCount: '1' });
    await rate(bench.ledger.database);
    expect(await ask<CostsBody>(`/v1/costs?${MONTHS}`)).toMatchObject({ dueRevenueCount: '0' });
  });

  it('takes hostile names for what they are, and refuses a cursor of another query', async () => {
    const feature = `'; drop table daily_costs; --\u202e${'x'.repeat(480)}`;
    await insertUsage(bench.ledger.database, [
      { hour: '2026-11-10T05:00:00Z', tokens: 5n, feature, subject: feature },
    ]);
    await rate(bench.ledger.database);
    const named = `feature=${encodeURIComponent(feature)}`;
    const { rows } = await ask<CostsBody>(`/v1/costs?${MONTHS}&groupBy=user&${named}`);
    expect(rows).toMatchObject([{ user: feature, tokenCount: '5' }]);
    const { nextCursor } = await ask<CostsBody>(`/v1/costs?${MONTHS}&groupBy=user&sort=cost&limit=1`);
    for (const query of [
      `groupBy=user,day&cursor=${nextCursor}`,
      'groupBy=user&sort=cost&cursor=WyJ4Il0',
      'groupBy=user&sort=price',
      'groupBy=subject',
      'compare=last',
    ]) {
      expect((await bench.call(`/v1/costs?${MONTHS}&${query}`)).status, query).toBe(400);
    }
  });
});
