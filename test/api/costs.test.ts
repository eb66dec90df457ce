import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rateUsage } from '../../jobs/rate-usage.ts';
import { completePriceRow } from '../../pricing/prices/rows.ts';
import type { MarginsBody } from '../../src/costs/margin-routes.ts';
import type { PurchaseShown } from '../../src/costs/provisioned/routes.ts';
import type { CostsBody } from '../../src/costs/routes.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { changePriceBook } from '../../src/prices/book-changes.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

const HOUR = '2026-11-20T05:00:00Z';
const DAY = 'from=2026-11-20&to=2026-11-21';

let bench: ApiBench;

beforeEach(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await seedPriceBook(bench.ledger.database, bench.clock.now());
});
afterEach(() => bench.close());

const rate = () =>
  rateUsage({
    database: bench.ledger.database,
    clock: bench.clock,
    log: createLogger('silent'),
  });

async function ask<Body>(path: string, init?: Parameters<ApiBench['call']>[1]): Promise<Body> {
  const response = await bench.call(path, init);
  expect(response.status, await response.clone().text()).toBeLessThan(300);
  return (await response.json()) as Body;
}
const post = (path: string, body: object) =>
  bench.call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** As costs, margins and status say it. */
async function dueDays(): Promise<string[]> {
  const { dueDayCount } = await ask<CostsBody>(`/v1/costs?${DAY}`);
  const margins = await ask<MarginsBody>(`/v1/margins?${DAY}`);
  const status = await ask<{ costs: { dueDayCount: string } }>('/v1/status');
  return [dueDayCount, margins.dueDayCount, status.costs.dueDayCount];
}

const PURCHASE = {
  deployment: 'ptu-1',
  from: '2026-11-20T05:00:00Z',
  until: '2026-11-20T07:00:00Z',
  unitCount: 10,
  unitIncrement: 10,
  hourlyUsdPerUnit: '1',
  tokensPerMinutePerUnit: 1_000,
  completionWeight: '4',
};

describe('GET /v1/costs', () => {
  it('sums up to its totals by every dimension, and keeps unknown cost apart', async () => {
    await insertUsage(bench.ledger.database, [
      { hour: HOUR, tokens: 1_000_000n },
      { hour: HOUR, tokens: 500_000n, subject: 'user-3', customer: 'adatum', feature: 'search' },
      { hour: HOUR, tokens: 11n, model: 'gpt-99', deployment: 'x' },
      { hour: HOUR, tokens: 60_000n, deployment: 'PTU-1', feature: 'search' },
    ]);
    expect((await post('/v1/provisioned', PURCHASE)).status).toBe(201);
    await rate();
    for (const groupBy of ['day', 'customer', 'model', 'feature', 'deployment', 'day,customer,feature']) {
      const costs = await ask<CostsBody>(`/v1/costs?${DAY}&groupBy=${groupBy}`);
      const cents = (text: string) => Math.round(Number(text) * 100);
      expect(cents(costs.totals.knownCost)).toBe(475);
      expect(costs.rows.reduce((sum, row) => sum + cents(row.knownCost), 0)).toBe(475);
      expect(costs.totals).toMatchObject({
        tokenCount: '1560011',
        cost: null,
        tokenCost: '3.75',
        provisionedCost: '1.00',
        overhead: '19.00',
        unknown: [{ reason: 'unknown_model', tokenCount: '11' }],
      });
      expect(costs.overhead).toEqual([{ deployment: 'ptu-1', cost: '19.00' }]);
    }
    const byCustomer = await ask<CostsBody>(`/v1/costs?${DAY}&groupBy=customer`);
    expect(byCustomer.rows).toMatchObject([
      { customerId: 'adatum', cost: '1.25', unknown: [] },
      { customerId: 'northwind', cost: null, knownCost: '3.50' },
    ]);
  });

  it('has no cost where nobody told what was written to the cache, and that of the known part', async () => {
    const { database } = bench.ledger;
    const rows = (
      [
        ['prompt', '3'],
        ['prompt_cache_write_1h', '6'],
        ['completion', '15'],
      ] as const
    ).map(([tokenType, amount]) => completePriceRow({ model: 'claude-x', tokenType, amount }));
    await changePriceBook(database, {
      change: { rows, supersede: false, addModels: true },
      kind: 'add',
      reason: 'Another maker.',
      actor: 'test',
      now: bench.clock.now(),
    });
    const usage = { hour: HOUR, model: 'claude-x', deployment: '' };
    await insertUsage(database, [
      { ...usage, tokens: 1_000_000n },
      { ...usage, tokens: 100_000n, tokenType: 'completion' },
      { hour: HOUR, tokens: 1_000_000n },
    ]);
    await database
      .insertInto('measured_figures')
      .values(
        ['prompt', 'completion'].map((token_kind) => ({
          window_start: new Date(HOUR),
          model: 'claude-x',
          deployment: '',
          token_kind,
          measurement_count: 1n,
          token_count: 100n,
        })),
      )
      .execute();
    await rate();
    const { totals, rows: models } = await ask<CostsBody>(`/v1/costs?${DAY}&groupBy=model`);
    expect(totals).toMatchObject({
      tokenCount: '2100000',
      cost: null,
      knownCost: '7.00',
      unknown: [{ reason: 'cache_writes_not_told', tokenCount: '0' }],
    });
    expect(models).toMatchObject([
      { model: 'claude-x', cost: null, knownCost: '4.50' },
      { model: 'gpt-4o', cost: '2.50', unknown: [] },
    ]);
    const margins = await ask<MarginsBody>(`/v1/margins?${DAY}`);
    expect(margins.features).toMatchObject([
      { cost: { amount: null, reason: 'cache_writes_not_told' }, knownCost: '7.00' },
    ]);
    // Told, even that there was nothing, it is known.
    await database
      .insertInto('measured_figures')
      .values({
        window_start: new Date(HOUR),
        model: 'claude-x',
        deployment: '',
        token_kind: 'cache_write_1h',
        measurement_count: 1n,
        token_count: 0n,
      })
      .execute();
    await insertUsage(database, [{ hour: HOUR, tokens: 1n, feature: 'later' }]);
    await rate();
    expect((await ask<CostsBody>(`/v1/costs?${DAY}&groupBy=model`)).totals).toMatchObject({ unknown: [] });
  });

  it('gives the same in pages, and as CSV', async () => {
    await insertUsage(
      bench.ledger.database,
      ['a', 'b', 'c'].map((feature) => ({ hour: HOUR, tokens: 1_000_000n, feature })),
    );
    await rate();
    const seen: (string | undefined)[] = [];
    let cursor = '';
    for (;;) {
      const page = await ask<CostsBody>(`/v1/costs?${DAY}&groupBy=feature&limit=1${cursor}`);
      seen.push(...page.rows.map((row) => row.feature));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    const csv = await bench.call(`/v1/costs?${DAY}&groupBy=feature`, { headers: { accept: 'text/csv' } });
    const [names, first] = (await csv.text()).split('\r\n');
    expect(names).toMatch(
      /^feature,tokenCount,cost,knownCost,tokenCost,provisionedCost,unknownTokens,requestCount,/,
    );
    expect(first).toMatch(/^a,1000000,2\.50,2\.50,2\.50,0\.00,,0,1,0,0,3\.00,0\.50,/);
  });

  it('says how many days wait, and refuses what is no day, dimension or scope', async () => {
    await insertUsage(bench.ledger.database, [{ hour: HOUR, tokens: 1n }]);
    expect(await dueDays()).toEqual(['1', '1', '1']);
    for (const query of [
      'from=2026-11-20T05:00:00Z&to=2026-11-21',
      `${DAY}&groupBy=subject`,
      `${DAY}&groupBy=day,day`,
      `${DAY}&cursor=x`,
      '',
    ]) {
      expect((await bench.call(`/v1/costs?${query}`)).status, query).toBe(400);
    }
    expect((await bench.call(`/v1/costs?${DAY}`, { scope: null })).status).toBe(401);
    expect((await bench.call(`/v1/costs?${DAY}`, { scope: 'sales' })).status).toBe(200);
  });

  it('counts days as due from the moment a price of the past is corrected, or a user moves', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [{ hour: HOUR, tokens: 1_000_000n }]);
    await rate();
    expect(await dueDays()).toEqual(['0', '0', '0']);

    await changePriceBook(database, {
      change: {
        rows: [
          completePriceRow({
            model: 'gpt-4o',
            tokenType: 'prompt',
            amount: '3',
            effectiveFrom: '2026-11-01T00:00:00Z',
          }),
        ],
        supersede: true,
        addModels: false,
      },
      kind: 'add',
      reason: 'The price was another.',
      actor: 'test',
      now: bench.clock.now(),
    });
    expect(await dueDays()).toEqual(['1', '1', '1']);
    expect((await ask<CostsBody>('/v1/costs?from=2026-11-21&to=2026-11-22')).dueDayCount).toBe('0');
    await rate();
    expect(await dueDays()).toEqual(['0', '0', '0']);

    await database
      .updateTable('subjects')
      .set({ customer_id: 'adatum' })
      .where('subject', '=', 'user-1')
      .execute();
    expect(await dueDays()).toEqual(['1', '1', '1']);
    await rate();
    expect(await dueDays()).toEqual(['0', '0', '0']);
  });
});

describe('GET /v1/margins', () => {
  it('holds revenue by the customers’ rates against cost, never mixing currencies', async () => {
    await insertUsage(bench.ledger.database, [
      { hour: HOUR, tokens: 2_000_000n },
      { hour: HOUR, tokens: 1_000_000n, subject: 'user-2', feature: 'search' },
      { hour: HOUR, tokens: 1_000_000n, subject: 'user-3', customer: 'adatum' },
    ]);
    await rate();
    const margins = await ask<MarginsBody>(`/v1/margins?${DAY}`);
    // 3.00 a million (0.0003 cents a token) against 2.50.
    expect(margins.customers).toMatchObject([
      {
        customerId: 'adatum',
        currency: 'eur',
        margin: { amount: null, reason: 'no_exchange_rate' },
        exchange: null,
      },
      {
        customerId: 'northwind',
        currency: 'usd',
        revenue: { amount: '9.00' },
        cost: { amount: '7.50' },
        margin: { amount: '1.50' },
      },
    ]);
    expect(margins.features.find(({ feature }) => feature === 'search')).toMatchObject({
      revenue: { amount: '3.00' },
      cost: { amount: '2.50' },
    });
    expect(margins.totals.map(({ currency }) => currency)).toEqual(['eur', 'usd']);
  });

  const importRates = (text: string, query = '') =>
    bench.call(`/v1/exchange-rates/import${query}`, {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: text,
    });

  it('converts costs for customers of other currencies, by a rate that it names', async () => {
    await insertUsage(bench.ledger.database, [
      { hour: HOUR, tokens: 1_000_000n, subject: 'user-3', customer: 'adatum' },
    ]);
    await rate();
    const file = 'Date, USD, \n20 November 2026, 1.2500, \n';
    expect((await importRates(file, '?dryRun=true')).status).toBe(200);
    const margin = async () => (await ask<MarginsBody>(`/v1/margins?${DAY}`)).customers[0];
    expect((await margin())?.margin.reason).toBe('no_exchange_rate');

    expect((await importRates(file)).status).toBe(201);
    expect((await importRates(file)).status).toBe(200);
    // 3.00 EUR against 2.50 USD at 1.25 USD for 1 EUR.
    expect(await margin()).toMatchObject({
      currency: 'eur',
      cost: { amount: '2.50' },
      margin: { amount: '1.00', reason: null },
      exchange: {
        from: 'usd',
        to: 'eur',
        rate: '0.8',
        day: '2026-11-20',
        source: 'ECB',
        published: [{ base: 'eur', currency: 'usd', rate: '1.25' }],
      },
    });
    const absurd = await importRates('Date,USD\n2026-11-21,12.6\n');
    expect([absurd.status, await absurd.json()]).toMatchObject([
      400,
      { code: 'VALIDATION', errors: [{ field: 'line 2: rate', message: expect.stringContaining('absurd') }] },
    ]);
    const corrected = 'day,base,currency,rate\n2026-11-20,eur,usd,1.5\n';
    expect((await importRates(corrected)).status).toBe(400);
    expect(await (await importRates(corrected, '?supersede=true')).json()).toMatchObject({
      supersededCount: 1,
    });
    // 2.50 / 1.5 = 1.666666..., rounded at the twelfth decimal of a cent.
    expect((await margin())?.margin.amount).toBe('1.33333333333333');
    const listed = await ask<{ rates: { rate: string }[] }>('/v1/exchange-rates?currency=usd');
    expect(listed.rates.map(({ rate }) => rate)).toEqual(['1.5']);
  });

  it('shows the margin of what is known, and how much is not', async () => {
    await insertUsage(bench.ledger.database, [
      { hour: HOUR, tokens: 624_000n },
      // A model without a price, but with a rate for any model; and one of each day that has none for a part of the tokens.
      { hour: HOUR, tokens: 1_000n, model: 'gpt-99', deployment: 'x' },
    ]);
    await rate();
    const { customers, totals } = await ask<MarginsBody>(`/v1/margins?${DAY}`);
    expect(customers[0]).toMatchObject({
      customerId: 'northwind',
      cost: { amount: null, reason: 'no_known_cost' },
      margin: { amount: null },
      // 0.624 million at the average of a line that charges 1.87, against 2.50 a million: what the console has.
      knownMargin: { amount: '0.30999999888', reason: null },
      unknownTokenPercent: '0.16',
    });
    expect(totals[0]).toMatchObject({
      knownMargin: { amount: '0.30999999888' },
      unknownTokenPercent: '0.16',
    });
    const costs = await ask<CostsBody>(`/v1/costs?${DAY}&groupBy=customer`);
    expect(costs.rows[0]?.knownMarginUsd).toBe('0.30999999888');
  });

  it('gives the cost of an active user, without those whose cost is unknown', async () => {
    await insertUsage(bench.ledger.database, [
      { hour: HOUR, tokens: 1_000_000n, subject: 'user-1' },
      { hour: HOUR, tokens: 3_000_000n, subject: 'user-2' },
      { hour: HOUR, tokens: 2_000_000n, subject: 'user-3', customer: 'adatum' },
      {
        hour: HOUR,
        tokens: 5n,
        subject: 'user-5',
        model: 'gpt-99',
        deployment: 'x',
        push: { meterId: 'mtr_prompt', status: 'delivered' },
      },
      // Nobody's user is no user of ours.
      { hour: HOUR, tokens: 9_000_000n, subject: 'stray', customer: null },
    ]);
    await rate();
    const { features } = await ask<MarginsBody>(`/v1/margins?${DAY}`);
    for (const { activeUsers } of features) {
      expect(activeUsers).toEqual({ count: '4', unknownCostCount: '1', costP50: '5.00', costP90: '7.50' });
    }
  });

  it('leaves revenue and cost unknown where a rate or a price is missing', async () => {
    await insertUsage(bench.ledger.database, [{ hour: HOUR, tokens: 9n, model: 'gpt-99', deployment: 'x' }]);
    await rate();
    const { customers } = await ask<MarginsBody>(`/v1/margins?${DAY}`);
    expect(customers).toMatchObject([
      {
        revenue: { amount: null, reason: 'no_sell_rate' },
        cost: { amount: null, reason: 'no_known_cost' },
        margin: { amount: null },
        unratedTokenCount: '9',
        unknownCostTokenCount: '9',
      },
    ]);
  });
});

describe('/v1/provisioned', () => {
  it('shows average and marginal cost of what is bought', async () => {
    await insertUsage(bench.ledger.database, [{ hour: HOUR, tokens: 60_000n, deployment: 'PTU-1' }]);
    expect((await post('/v1/provisioned', PURCHASE)).status).toBe(201);
    const { purchases } = await ask<{ purchases: PurchaseShown[] }>('/v1/provisioned');
    expect(purchases).toMatchObject([
      {
        deployment: 'ptu-1',
        hourlyCost: '10.00',
        use: {
          hourCount: 2,
          usedWeightedTokens: '60000',
          weightedTokensPerHourAtMost: '600000',
          averageUsdPerMillion: '333.333333333333',
          marginalUsdPerHour: { freeWeightedTokens: '540000', beyond: '10.00', addedUnitCount: 10 },
        },
      },
    ]);
  });

  it('ends an open purchase where the next begins, and refuses any other overlap', async () => {
    const { until: _, ...open } = PURCHASE;
    expect((await post('/v1/provisioned', open)).status).toBe(201);
    expect((await post('/v1/provisioned', open)).status).toBe(409);
    const later = { ...open, from: '2026-11-20T09:00:00Z', unitCount: 0 };
    expect((await post('/v1/provisioned', later)).status).toBe(201);
    const { purchases } = await ask<{ purchases: PurchaseShown[] }>('/v1/provisioned');
    expect(purchases.map(({ from, until }) => [from, until])).toEqual([
      ['2026-11-20T05:00:00.000Z', '2026-11-20T09:00:00.000Z'],
      ['2026-11-20T09:00:00.000Z', null],
    ]);
    expect((await post('/v1/provisioned', { ...open, from: '2026-11-20T06:00:00Z' })).status).toBe(409);
  });

  it.each([
    { hourlyUsdPerUnit: '0' },
    { hourlyUsdPerUnit: '-1' },
    { from: '2026-11-20T05:30:00Z' },
    { until: '2026-11-20T05:00:00Z' },
    { reservedUnitCount: 11, reservedHourlyUsdPerUnit: '0.3' },
    { reservedUnitCount: 3 },
    { idlePolicy: 'forget' },
    { unitCount: 1.5 },
  ])('refuses %j', async (change) => {
    expect((await post('/v1/provisioned', { ...PURCHASE, ...change })).status).toBe(400);
  });

  it('may be read by sales, and written by finance', async () => {
    const write = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    expect((await bench.call('/v1/provisioned', { scope: 'sales' })).status).toBe(200);
    expect((await bench.call('/v1/provisioned', { ...write, scope: 'sales' })).status).toBe(403);
    expect((await bench.call('/v1/provisioned', { ...write, scope: 'finance' })).status).toBe(400);
  });
});
