import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rateUsage } from '../../jobs/rate-usage.ts';
import type { PriceChange } from '../../pricing/prices/change.ts';
import { completeDeploymentRule, completePriceRow } from '../../pricing/prices/rows.ts';
import { addPurchase } from '../../src/costs/provisioned/provisioned.ts';
import { readRollupScope } from '../../src/costs/rollups/scope.ts';
import { readRollupTotals } from '../../src/costs/rollups/totals.ts';
import { createLogger } from '../../src/platform/log.ts';
import { readPriceBook, seedPriceBook } from '../../src/prices/book.ts';
import { changePriceBook } from '../../src/prices/book-changes.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const NOW = new Date('2026-11-21T10:30:00Z');
const HOUR = '2026-11-20T05:00:00Z';
const TERMS = {
  unitCount: 10,
  unitIncrement: 10,
  hourlyUsdPerUnit: '1',
  reservedUnitCount: 0,
  reservedHourlyUsdPerUnit: null,
  tokensPerMinutePerUnit: 1_000,
  completionWeight: '4',
  cachedWeight: '0',
  idlePolicy: 'overhead' as const,
};

let ledger: TestLedger;
let deps: Parameters<typeof rateUsage>[0];

beforeEach(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
  deps = { database: ledger.database, clock: { now: () => NOW }, log: createLogger('silent') };
  await seedPriceBook(ledger.database, NOW);
  await rateUsage(deps);
});
afterEach(() => ledger.close());

const costs = async () =>
  await ledger.database
    .selectFrom('daily_costs')
    .select(['day', 'kind', 'customer_id', 'model', 'token_type', 'token_count', 'cost_pico_usd', 'reason'])
    .orderBy('day')
    .orderBy('kind')
    .orderBy('customer_id')
    .orderBy('model')
    .orderBy('token_type')
    .execute();
const audits = async () =>
  await ledger.database.selectFrom('audit_log').selectAll().where('action', '=', 'costs.rerate').execute();

describe('rate-usage', () => {
  it('rates each day by customer, model and token type at the book’s price, and then does nothing', async () => {
    await insertUsage(ledger.database, [
      { hour: HOUR, tokens: 1_000_000n },
      { hour: '2026-11-20T06:00:00Z', tokens: 500_000n },
      { hour: HOUR, tokens: 200n, tokenType: 'completion' },
      { hour: HOUR, tokens: 7n, subject: 'stray', customer: null },
    ]);
    expect(await rateUsage(deps)).toMatchObject({ ratedDayCount: 1, unknownTokenCount: 0n });
    expect(await costs()).toMatchObject([
      // 2.50 USD for a million prompt tokens, 10 USD for a million of completion.
      { day: '2026-11-20', customer_id: 'northwind', token_type: 'completion', cost_pico_usd: '2000000000' },
      { day: '2026-11-20', customer_id: 'northwind', token_type: 'prompt', cost_pico_usd: '3750000000000' },
      { day: '2026-11-20', customer_id: null, token_type: 'prompt', cost_pico_usd: '17500000' },
    ]);
    const first = await ledger.database.selectFrom('cost_days').selectAll().execute();
    expect(await rateUsage(deps)).toMatchObject({ ratedDayCount: 0 });
    expect(await ledger.database.selectFrom('cost_days').selectAll().execute()).toEqual(first);
    expect(await audits()).toEqual([]);
  });

  it('adds later revisions to the day they belong to, and leaves other days alone', async () => {
    await insertUsage(ledger.database, [
      { hour: HOUR, tokens: 100n },
      { hour: '2026-11-19T05:00:00Z', tokens: 100n },
    ]);
    await rateUsage(deps);
    await insertUsage(ledger.database, [{ hour: HOUR, tokens: -40n, revision: 2 }]);
    expect(await rateUsage(deps)).toMatchObject({ ratedDayCount: 1 });
    expect((await costs()).map((row) => [row.day, row.token_count])).toEqual([
      ['2026-11-19', 100n],
      ['2026-11-20', 60n],
    ]);
  });

  it('keeps usage of an unknown model with its reason, never at zero', async () => {
    await insertUsage(ledger.database, [{ hour: HOUR, tokens: 5n, model: 'gpt-99', deployment: 'x' }]);
    expect(await rateUsage(deps)).toMatchObject({ unknownTokenCount: 5n });
    expect(await costs()).toMatchObject([{ token_count: 5n, cost_pico_usd: null, reason: 'unknown_model' }]);
    expect(await ledger.database.selectFrom('cost_days').selectAll().execute()).toMatchObject([
      { unknown_token_count: 5n, known_cost_pico_usd: '0' },
    ]);
  });

  it('knows no cost that hangs on what metrics do not tell of requests, only what it lies between', async () => {
    const long = { model: 'tiered-1', tokenType: 'prompt' as const };
    const change = {
      rows: [
        completePriceRow({ ...long, amount: '2.50' }),
        completePriceRow({ ...long, amount: '5.00', aboveInputTokenCount: 272_000 }),
        completePriceRow({ ...long, amount: '7.00', serviceTier: 'priority' }),
        completePriceRow({ ...long, amount: '9.00', serviceTier: 'priority', aboveInputTokenCount: 272_000 }),
      ],
      deployments: [completeDeploymentRule({ deployment: '*', serviceTier: 'standard' })],
      addModels: true,
      supersede: false,
    };
    const add = async (wanted: PriceChange) => {
      const made = { kind: 'add' as const, reason: 'Listed.', actor: 'test', now: NOW };
      const { plan } = await changePriceBook(ledger.database, { change: wanted, ...made });
      expect(plan.problems).toEqual([]);
    };
    await add(change);
    const of = (hour: string, tokens: bigint, more = {}) => ({
      hour: `2026-11-20T${hour}:00:00Z`,
      tokens,
      model: 'tiered-1',
      deployment: 'any-global',
      ...more,
    });
    await insertUsage(ledger.database, [
      // Two users: neither had a long request.
      of('05', 200_000n),
      of('05', 200_000n, { subject: 'user-2' }),
      of('06', 500_000n),
    ]);
    await rateUsage(deps);
    const scope = await readRollupScope(ledger.database, {
      window: { start: new Date('2026-11-01'), end: new Date('2026-12-01') },
      filter: {},
      now: NOW,
    });
    const totals = async () => {
      const { tokenCostPicoUsd, unknown } = await readRollupTotals(ledger.database, scope);
      return { tokenCostPicoUsd, unknown };
    };
    expect(await totals()).toEqual({
      tokenCostPicoUsd: 1_000_000_000_000n,
      unknown: [
        {
          reason: 'context_tier_not_told',
          tokenCount: 500_000n,
          between: { leastPicoUsd: 1_250_000_000_000n, mostPicoUsd: 2_500_000_000_000n },
        },
      ],
    });
    await add({
      rows: [],
      deployments: [completeDeploymentRule({ deployment: '*', retired: true })],
      supersede: true,
    });
    await rateUsage(deps);
    expect(await totals()).toEqual({
      tokenCostPicoUsd: 0n,
      unknown: [
        {
          reason: 'service_tier_not_told',
          tokenCount: 900_000n,
          between: { leastPicoUsd: 2_250_000_000_000n, mostPicoUsd: 7_300_000_000_000n },
        },
      ],
    });
  });

  it('moves usage that no push carries with its subject to the customer it is assigned to', async () => {
    await insertUsage(ledger.database, [{ hour: HOUR, tokens: 7n, subject: 'stray', customer: null }]);
    await rateUsage(deps);
    await ledger.database
      .updateTable('subjects')
      .set({ customer_id: 'adatum', assigned_by: 'person' })
      .where('subject', '=', 'stray')
      .execute();
    await rateUsage(deps);
    expect((await costs()).map((row) => row.customer_id)).toEqual(['adatum']);
  });

  it('rates the days of a price change again, with the totals before and after in the audit log', async () => {
    await insertUsage(ledger.database, [{ hour: HOUR, tokens: 1_000_000n }]);
    await rateUsage(deps);
    await ledger.database
      .insertInto('rerating_requests')
      .values({
        change_id: 1n,
        day_start: '2026-11-20',
        day_end: '2026-11-21',
        models: [],
        done_at: null,
        audit: null,
      })
      .execute();
    expect(await rateUsage(deps)).toMatchObject({ ratedDayCount: 1, reratedChangeCount: 1 });
    const [audit] = await audits();
    expect(audit).toMatchObject({ target: '2026-11-20', details: { cause: 'price_change:1' } });
    expect(audit?.details).toMatchObject({
      before: { knownCostPicoUsd: '2500000000000', revision: '1' },
      after: { knownCostPicoUsd: '2500000000000', revision: '2' },
      priceBookVersion: (await readPriceBook(ledger.database)).version,
    });
    expect(await rateUsage(deps)).toMatchObject({ ratedDayCount: 0, reratedChangeCount: 0 });
  });

  it('divides bought capacity among its users and shows what nobody used', async () => {
    await insertUsage(ledger.database, [
      // Capacity: 10 units of 1000 weighted tokens a minute: 600 000 an hour, for 10 USD.
      { hour: HOUR, tokens: 60_000n, deployment: 'PTU-1' },
      {
        hour: HOUR,
        tokens: 30_000n,
        tokenType: 'completion',
        deployment: 'PTU-1',
        customer: 'adatum',
        subject: 'user-3',
      },
      { hour: HOUR, tokens: 9n, tokenType: 'prompt_cached', deployment: 'PTU-1' },
      { hour: HOUR, tokens: 1_000_000n },
    ]);
    await rateUsage(deps);
    const [start, end] = [new Date('2026-11-20T05:00:00Z'), new Date('2026-11-20T07:00:00Z')];
    const purchase = { deployment: 'ptu-1', validFrom: start, validUntil: end, terms: TERMS, note: '' };
    await addPurchase(ledger.database, purchase, { actor: 'test', now: NOW });
    await rateUsage(deps);
    const rows = (await costs()).map((row) => [row.kind, row.customer_id, row.token_type, row.cost_pico_usd]);
    expect(rows).toEqual([
      ['idle', null, null, '17000000000000'],
      ['provisioned', 'adatum', 'completion', '2000000000000'],
      ['provisioned', 'northwind', 'prompt', '1000000000000'],
      ['provisioned', 'northwind', 'prompt_cached', '0'],
      ['tokens', 'northwind', 'prompt', '2500000000000'],
    ]);
    expect(await audits()).toHaveLength(1);
  });

  it('counts an hour of capacity that nobody used once it is over, also on days without usage', async () => {
    let now = new Date('2026-11-21T10:30:00Z');
    deps = { ...deps, clock: { now: () => now } };
    const validFrom = new Date('2026-11-21T08:00:00Z');
    const purchase = { deployment: 'ptu-1', validFrom, validUntil: null, terms: TERMS, note: '' };
    await addPurchase(ledger.database, purchase, { actor: 'test', now });
    await rateUsage(deps);
    expect(await costs()).toMatchObject([{ kind: 'idle', cost_pico_usd: '20000000000000' }]);
    now = new Date('2026-11-22T02:10:00Z');
    expect(await rateUsage(deps)).toMatchObject({ ratedDayCount: 2 });
    expect((await costs()).map((row) => [row.day, row.cost_pico_usd])).toEqual([
      ['2026-11-21', '160000000000000'],
      ['2026-11-22', '20000000000000'],
    ]);
    expect(await rateUsage(deps)).toMatchObject({ ratedDayCount: 0 });
  });

  it('keeps a note that comes while the day is being rated', async () => {
    await insertUsage(ledger.database, [{ hour: HOUR, tokens: 1n }]);
    await ledger.database
      .transaction()
      .execute(async (other) => {
        await insertUsage(other, [{ hour: HOUR, tokens: 2n, revision: 2 }]);
        const rating = rateUsage(deps);
        await new Promise((resolve) => setTimeout(resolve, 200));
        return { rating };
      })
      .then(({ rating }) => rating);
    await rateUsage(deps);
    expect((await costs()).map((row) => row.token_count)).toEqual([3n]);
  });
});
