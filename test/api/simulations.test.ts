import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rateUsage } from '../../jobs/rate-usage.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import type { SimulationBody } from '../../src/simulations/schemas.ts';
import { insertSimulation } from '../../src/simulations/simulations.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

const HOUR = '2026-11-20T05:00:00Z';
const PERIOD = { from: '2026-11-20', to: '2026-11-21' };

let bench: ApiBench;

beforeEach(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await seedPriceBook(bench.ledger.database, bench.clock.now());
  await insertUsage(bench.ledger.database, [
    { hour: HOUR, tokens: 2_000_000n },
    { hour: HOUR, tokens: 1_000_000n, subject: 'user-2', feature: 'search' },
    { hour: HOUR, tokens: 1_000_000n, subject: 'user-3', customer: 'adatum' },
    { hour: HOUR, tokens: 4_000n, subject: 'stray', customer: null },
  ]);
});
afterEach(() => bench.close());

const simulate = (body: object, headers: Record<string, string> = {}) =>
  bench.call('/v1/simulations', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

async function answer(scenarios: object[]): Promise<SimulationBody> {
  const response = await simulate({ ...PERIOD, scenarios });
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as SimulationBody;
}

/** Figures of the customers billed in usd: northwind alone. */
const ofUsd = (body: SimulationBody) =>
  body.result?.totals
    .find(({ currency }) => currency === 'usd')
    ?.figures.map(({ scenario, revenue, cost, margin }) => [
      scenario,
      revenue.amount,
      cost.amount,
      margin.amount,
    ]);

describe('POST /v1/simulations', () => {
  it('rates the period as it was and under each kind of scenario', async () => {
    const body = await answer([
      { name: 'markup', markupPercent: '100' },
      { name: 'swap', modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4o-mini' }] },
      { name: 'no search', withoutFeatures: ['search'] },
      { name: 'azure', costPrices: [{ model: 'gpt-4o', tokenType: 'prompt', usdPerMillion: '2' }] },
      { name: 'dearer', sellPrices: [{ tokenType: 'prompt', feature: 'search', perMillion: '10' }] },
    ]);
    expect(ofUsd(body)).toEqual([
      ['baseline', '9.00', '7.50', '1.50'],
      ['markup', '15.00', '7.50', '7.50'],
      // Nobody has a rate for the other model; its tokens still cost 0.15 a million.
      ['swap', null, '0.45', null],
      ['no search', '6.00', '5.00', '1.00'],
      ['azure', '9.00', '6.00', '3.00'],
      ['dearer', '16.00', '7.50', '8.50'],
    ]);
    const [markup, , without] = body.result?.scenarios ?? [];
    expect(markup).toMatchObject({
      winners: [{ customerId: 'northwind', currency: 'usd', marginDelta: '6.00' }],
      losers: [],
    });
    expect(without).toMatchObject({
      winners: [],
      losers: [{ customerId: 'northwind', marginDelta: '-0.50' }],
    });
  });

  it('puts everybody on a plan, with its currency and its minimum', async () => {
    await seedPlans(bench.ledger.database, bench.clock.now());
    const body = await answer([
      { name: 'cost plus', plan: 'cost-plus' },
      { name: 'scale', plan: 'scale' },
    ]);
    const euro = body.result?.totals.find(({ currency }) => currency === 'eur');
    // 15 % on 2.50 for three million tokens; the other plan asks for 500 a month at least.
    expect(ofUsd(body)).toEqual([
      ['baseline', '9.00', '7.50', '1.50'],
      ['cost plus', '8.63', '7.50', '1.13'],
      ['scale', '500.00', '7.50', '492.50'],
    ]);
    expect(euro?.figures.map(({ currency, revenue }) => [currency, revenue.amount])).toEqual([
      ['eur', '3.00'],
      ['usd', '2.88'],
      ['usd', '500.00'],
    ]);
    expect(body.result?.scenarios[1]?.winners).toMatchObject([{ customerId: 'northwind' }]);
  });

  it('has the minimum of a customer’s plan, and flat amounts of what was not used, in the baseline too', async () => {
    const { database } = bench.ledger;
    await seedPlans(database, bench.clock.now());
    await database
      .updateTable('subscription_items')
      .set({ price_plan: 'scale' })
      .where('customer_id', '=', 'northwind')
      .execute();
    await database
      .updateTable('subscription_items')
      .set({
        unit_amount_decimal: null,
        tiers_mode: 'graduated',
        price_tiers: JSON.stringify([{ upTo: null, unitAmountDecimal: '1', flatAmountDecimal: '700' }]),
      })
      .where('subscription_item_id', 'in', ['si_northwind_completion', 'si_adatum_completion'])
      .execute();
    const dearer = {
      name: 'dearer',
      sellPrices: [{ tokenType: 'prompt', feature: 'search', perMillion: '10' }],
    };
    const dearest = {
      name: 'dearest',
      sellPrices: [{ tokenType: 'prompt', feature: 'search', perMillion: '600' }],
    };
    const body = await answer([dearer, dearest, { name: 'scale', plan: 'scale' }]);
    const euro = body.result?.totals.find(({ currency }) => currency === 'eur');
    expect(ofUsd(body)?.map(([scenario, revenue]) => [scenario, revenue])).toEqual([
      ['baseline', '500.00'],
      ['dearer', '500.00'],
      ['dearest', '613.00'],
      ['scale', '500.00'],
    ]);
    // Three for its prompt, seven that a tier charges for no completion, and no plan.
    expect(euro?.figures[0]?.revenue.amount).toBe('10.00');
  });

  it('raises and lowers prices by percent, asks for a minimum, and takes a discount off', async () => {
    const body = await answer([
      { name: 'dearer', sellChanges: [{ model: 'gpt-4o', tokenType: 'prompt', percent: '+10' }] },
      { name: 'free search', sellChanges: [{ feature: 'search', percent: '-100' }] },
      { name: 'cheaper Azure', costChanges: [{ percent: '-20' }] },
      { name: 'at least 20', minimum: { amount: '20' } },
      { name: 'half', minimum: { amount: '20' }, discountPercent: '50' },
    ]);
    expect(ofUsd(body)).toEqual([
      ['baseline', '9.00', '7.50', '1.50'],
      ['dearer', '9.90', '7.50', '2.40'],
      ['free search', '6.00', '7.50', '-1.50'],
      ['cheaper Azure', '9.00', '6.00', '3.00'],
      ['at least 20', '20.00', '7.50', '12.50'],
      ['half', '10.00', '7.50', '2.50'],
    ]);
    const one = { from: 'gpt-4o', to: 'gpt-4o-mini', feature: 'search' };
    const swapped = await answer([{ name: 'search elsewhere', modelSwaps: [one] }]);
    // Two million stay at 2.50, one is at 0.15.
    expect(ofUsd(swapped)?.[1]?.[2]).toBe('5.15');
  });

  it('tries a version of a plan before it is in force, of the customers on the plan alone', async () => {
    const { database } = bench.ledger;
    await seedPlans(database, bench.clock.now());
    const later = `plan: scale
name: Scale
currency: usd
versions:
  - effectiveFrom: 2027-01-01
    rates:
      - { model: gpt-4o, tokenType: prompt, perMillion: "7.00" }
`;
    const recorded = await bench.call('/v1/plans', {
      method: 'POST',
      headers: { 'content-type': 'application/yaml' },
      body: later,
    });
    expect(recorded.status, await recorded.clone().text()).toBe(201);
    const made = (await recorded.json()) as { recorded: { versionId: string }[] };
    const planVersion = made.recorded[0]?.versionId;
    await database
      .updateTable('subscription_items')
      .set({ price_plan: 'scale' })
      .where('customer_id', '=', 'northwind')
      .execute();
    const scenarios = [{ name: 'next year', plan: 'scale', planVersion }];
    const response = await simulate({ ...PERIOD, customersOfPlan: 'scale', scenarios });
    const body = (await response.json()) as SimulationBody;
    expect(ofUsd(body)).toEqual([
      ['baseline', '500.00', '7.50', '492.50'],
      ['next year', '21.00', '7.50', '13.50'],
    ]);
    expect(body.result).toMatchObject({ customerCount: 1, totals: [{ currency: 'usd' }] });
    const named = await simulate({ ...PERIOD, customerIds: ['northwind'], scenarios });
    expect(((await named.json()) as SimulationBody).result).toEqual(body.result);
    const refused: [object, number, string][] = [
      [{ customersOfPlan: 'standrd', scenarios }, 400, 'Customers are on scale.'],
      [{ customerIds: ['nobody'], scenarios }, 404, 'nobody'],
      [{ customerIds: ['northwind'], customersOfPlan: 'scale', scenarios }, 400, 'beside'],
      [{ scenarios: [{ name: 'a', plan: 'scale', planVersion: '2020-01-01-00000000' }] }, 422, 'no version'],
      [{ scenarios: [{ name: 'a', planVersion }] }, 400, 'is of a plan'],
    ];
    for (const [asked, status, words] of refused) {
      const answered = await simulate({ ...PERIOD, ...asked });
      const text = await answered.text();
      expect(answered.status, text).toBe(status);
      expect(text).toContain(words);
    }
  });

  it('are listed, the newest first, page by page', async () => {
    const ids: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      ids.unshift((await answer([{ name }])).simulationId);
    }
    // At one instant their ids decide.
    ids.sort().reverse();
    const list = async (query = '') =>
      (await (await bench.call(`/v1/simulations${query}`, { scope: 'sales' })).json()) as {
        simulations: SimulationBody[];
        nextCursor: string | null;
      };
    const first = await list('?limit=2');
    const second = await list(`?limit=2&cursor=${first.nextCursor}`);
    expect([...first.simulations, ...second.simulations].map(({ simulationId }) => simulationId)).toEqual(
      ids,
    );
    expect(second.nextCursor).toBeNull();
    expect(first.simulations[0]).toMatchObject({ status: 'done', createdBy: expect.any(String) });
    expect(first.simulations[0]).not.toHaveProperty('result');
    expect((await bench.call(`/v1/simulations?cursor=${btoa('["x","y"]')}`)).status).toBe(400);
  });

  it('keeps currencies apart, and usage that is nobody’s', async () => {
    const { result } = await answer([{ name: 'as it is' }]);
    expect(result?.customerCount).toBe(2);
    expect(
      result?.totals.map(({ currency, customerCount, figures }) => [
        currency,
        customerCount,
        figures[0]?.revenue.amount,
        figures[0]?.margin.reason,
      ]),
    ).toEqual([
      [null, 0, null, 'nobody_pays'],
      ['eur', 1, '3.00', 'no_exchange_rate'],
      ['usd', 1, '9.00', null],
    ]);
  });

  it('is stored with what each customer comes to', async () => {
    const body = await answer([{ name: 'no search', withoutFeatures: ['search'] }]);
    const again = await bench.call(`/v1/simulations/${body.simulationId}`, { scope: 'sales' });
    expect(await again.json()).toEqual(body);
    const page = await bench.call(`/v1/simulations/${body.simulationId}/customers?limit=2`);
    const first = (await page.json()) as { customers: { customerId: string | null }[]; nextCursor: string };
    expect(first.customers.map(({ customerId }) => customerId)).toEqual([null, 'adatum']);
    const rest = await bench.call(
      `/v1/simulations/${body.simulationId}/customers?cursor=${first.nextCursor}`,
    );
    expect(await rest.json()).toMatchObject({
      customers: [{ customerId: 'northwind', currency: 'usd', marginDeltas: ['-0.50'] }],
      nextCursor: null,
    });
    expect((await bench.call('/v1/simulations/sim_AAAAAAAAAAAAAAAAAAAAAA')).status).toBe(404);
  });

  it('streams its progress and ends with the same answer', async () => {
    const response = await simulate(
      { ...PERIOD, scenarios: [{ name: 'as it is' }] },
      { accept: 'application/x-ndjson' },
    );
    expect(response.headers.get('content-type')).toContain('application/x-ndjson');
    const lines = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.slice(0, -1).map((line) => line.progress.ratedCustomerCount)).toEqual([0, 3]);
    const { simulation } = lines.at(-1);
    const stored = await bench.call(`/v1/simulations/${simulation.simulationId}`);
    expect(await stored.json()).toEqual(simulation);
  });

  it('is worked out whether or not its listener reads: no transaction waits for one', async () => {
    const response = await simulate(
      { ...PERIOD, scenarios: [{ name: 'as it is' }] },
      { accept: 'application/x-ndjson' },
    );
    const location = response.headers.get('location') ?? '';
    await expect
      .poll(async () => ((await (await bench.call(location)).json()) as SimulationBody).status, {
        timeout: 20_000,
      })
      .toBe('done');
    expect((await response.text()).trim().split('\n')).toHaveLength(3);
  });

  it('keeps what capacity costs, whatever the scenario, and shows what nobody used', async () => {
    await insertUsage(bench.ledger.database, [{ hour: HOUR, tokens: 60_000n, deployment: 'PTU-1' }]);
    await bench.call('/v1/provisioned', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        deployment: 'ptu-1',
        from: HOUR,
        until: '2026-11-20T06:00:00Z',
        unitCount: 10,
        hourlyUsdPerUnit: '1',
        tokensPerMinutePerUnit: 1_000,
        completionWeight: '4',
      }),
    });
    const { database } = bench.ledger;
    await rateUsage({ database, clock: bench.clock, log: createLogger('silent') });
    const body = await answer([{ name: 'no chat', withoutFeatures: ['chat'] }]);
    expect(body.result?.overhead).toBe('9.00');
    expect(ofUsd(body)?.map(([, , cost]) => cost)).toEqual(['8.50', '3.50']);
  });

  it('refuses what it cannot do, by the field, with near names', async () => {
    const scenario = { name: 'a' };
    const refused: [object, number, string][] = [
      [
        { ...PERIOD, scenarios: Array.from({ length: 6 }, (_, index) => ({ name: `${index}` })) },
        400,
        'at most 5',
      ],
      [{ ...PERIOD, scenarios: [] }, 400, 'at least one'],
      [{ ...PERIOD, scenarios: [scenario, scenario] }, 400, 'different names'],
      [{ ...PERIOD, scenarios: [{ ...scenario, plan: 'standrd' }] }, 422, 'standrd'],
      [{ ...PERIOD, scenarios: [{ ...scenario, withoutFeatures: ['serch'] }] }, 422, 'search'],
      [
        { ...PERIOD, scenarios: [{ ...scenario, modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4oo' }] }] },
        422,
        'gpt-4o',
      ],
      [{ ...PERIOD, scenarios: [{ ...scenario, plan: 'x', markupPercent: '5' }] }, 400, 'exclude'],
      [{ ...PERIOD, scenarios: [{ ...scenario, markupPercent: '-5' }] }, 400, 'percentage'],
      [{ ...PERIOD, scenarios: [{ ...scenario, sellChanges: [{ percent: '-100.1' }] }] }, 400, '-100'],
      [{ ...PERIOD, scenarios: [{ ...scenario, costChanges: [{ percent: '-101' }] }] }, 400, '-100'],
      [
        { ...PERIOD, scenarios: [{ ...scenario, costChanges: [{ model: 'gpt4o', percent: '1' }] }] },
        422,
        'gpt-4o',
      ],
      [
        { ...PERIOD, scenarios: [{ ...scenario, sellChanges: [{ model: 'x', percent: '1' }] }] },
        422,
        'known',
      ],
      [
        { ...PERIOD, scenarios: [{ ...scenario, sellChanges: [{ feature: 'x', percent: '1' }] }] },
        422,
        'no usage of',
      ],
      [{ ...PERIOD, scenarios: [{ ...scenario, discountPercent: '101' }] }, 400, '0 to 100'],
      [{ ...PERIOD, scenarios: [{ ...scenario, minimum: { amount: '0.001' } }] }, 400, 'decimals'],
      [{ from: '2026-10-01', to: '2026-10-02', scenarios: [scenario] }, 400, 'no usage is stored'],
      [{ from: '2027-01-01', to: '2027-01-02', scenarios: [scenario] }, 400, 'future'],
      [{ from: '2026-11-20', to: '2026-12-20', scenarios: [scenario] }, 400, 'future'],
      [{ from: '2026-11-20T05:00:00Z', to: '2026-11-21', scenarios: [scenario] }, 400, 'midnight'],
    ];
    for (const [body, status, words] of refused) {
      const response = await simulate(body);
      const text = await response.text();
      expect(response.status, text).toBe(status);
      expect(text).toContain(words);
    }
    const rows = await bench.ledger.database.selectFrom('simulations').selectAll().execute();
    expect(rows).toEqual([]);
  });

  it('says so when whoever worked it out was killed', async () => {
    const createdAt = new Date(bench.clock.now().getTime() - 2 * 3_600_000);
    const window = { start: new Date('2026-10-01T00:00:00Z'), end: new Date('2026-10-02T00:00:00Z') };
    const simulationId = 'sim_killed0000000000000';
    const common = { simulationId, request: {}, window, priceBookVersion: '1', createdBy: 'test' };
    await insertSimulation(bench.ledger.database, { ...common, createdAt });
    const response = await bench.call(`/v1/simulations/${simulationId}`, { scope: 'finance' });
    expect(await response.json()).toMatchObject({ status: 'failed', lastError: 'ABANDONED', result: null });
  });

  it('may be read by sales, and asked for by finance', async () => {
    const body = JSON.stringify({ ...PERIOD, scenarios: [{ name: 'a' }] });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    expect((await bench.call('/v1/simulations', { ...init, scope: 'sales' })).status).toBe(403);
    expect((await bench.call('/v1/simulations', { ...init, scope: 'finance' })).status).toBe(201);
  });
});
