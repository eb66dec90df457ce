import { parse } from 'csv-parse/sync';
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatPico, parseDecimal } from '../../pricing/money.ts';
import { moneyInWords, twoDecimals } from '../../src/pages/words.ts';
import { createApp } from '../../src/service/app.ts';
import { failCutSimulations } from '../../src/simulations/cut.ts';
import type { SimulationBody } from '../../src/simulations/schemas.ts';
import { insertSimulation } from '../../src/simulations/simulations.ts';
import { hasChromium } from '../setup/chromium.ts';
import { insertSimulationWorld } from './simulations-world.ts';
import { type ConsoleBench, openConsole, sendTwice } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;
let simulation: SimulationBody;

const PERIOD = { from: '2026-11-01', to: '2026-11-21' };
const SWAP = '/console/simulations?feature=search&fromModel=gpt-4o&toModel=gpt-4o-mini&period=2026-11';
const SCENARIOS = [
  { name: 'dearer', sellChanges: [{ model: 'gpt-4o', percent: '10' }], costChanges: [{ percent: '-20' }] },
  { name: 'everybody on scale', plan: 'scale' },
];

type Customer = {
  customerId: string | null;
  figures: SimulationBody['result'] extends infer Result
    ? Result extends { totals: { figures: infer Figures }[] }
      ? Figures
      : never
    : never;
  marginDeltas: (string | null)[];
};

const money = (amount: string, currency: string) => moneyInWords(twoDecimals(amount), currency);
const signed = (delta: string, currency: string) =>
  /^-?0*(\.0*)?$/.test(delta)
    ? '0'
    : `${delta.startsWith('-') ? '' : '+'}${money(delta, currency)}`.replace(/^\+.*?0\.00$/, '+0.00');
const csvOf = async (page: Page, path: string) =>
  parse(String(await page.evaluate(`fetch('${path}').then((answer) => answer.text())`)), {
    columns: true,
    bom: true,
  }) as Record<string, string>[];

async function customersOf(simulationId: string): Promise<Customer[]> {
  const answer = await bench.call(`/v1/simulations/${simulationId}/customers?limit=100`);
  return ((await answer.json()) as { customers: Customer[] }).customers;
}

/** What a scenario changes of a customer, from what the API says of before and after. */
function deltasOf({ figures, marginDeltas }: Customer, index: number) {
  const [before, after] = [figures[0], figures[index + 1]];
  if (before === undefined || after === undefined) throw new Error('no figures');
  const less = (one: string | null, other: string | null) =>
    one === null || other === null ? null : parseDecimal(one, 12) - parseDecimal(other, 12);
  const sameRated =
    before.unratedTokenCount === after.unratedTokenCount && before.currency === after.currency;
  return {
    before,
    after,
    revenue: sameRated ? less(after.ratedRevenue, before.ratedRevenue) : null,
    cost:
      before.unknownCostTokenCount === after.unknownCostTokenCount
        ? less(after.knownCost, before.knownCost)
        : null,
    margin: marginDeltas[index] ?? null,
  };
}

describe.skipIf(!hasChromium())('simulations of the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    await insertSimulationWorld(bench);
    const answer = await bench.call('/v1/simulations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...PERIOD, scenarios: SCENARIOS }),
    });
    simulation = (await answer.json()) as SimulationBody;
  });
  afterAll(() => bench?.close());

  it('are whole at every size, in both themes, without scripts', async () => {
    const { database } = bench.ledger;
    const window = { start: new Date('2026-11-01T00:00:00Z'), end: new Date('2026-11-02T00:00:00Z') };
    const killed = {
      simulationId: 'sim_killed0000000000000',
      window,
      priceBookVersion: '1',
      createdBy: 'test',
    };
    const request = { scenarios: [{ name: HOSTILE_NAMES[0] }] };
    await insertSimulation(database, { ...killed, request, createdAt: new Date('2026-11-20T00:00:00Z') });
    await bench.walk(SWAP, { scope: 'finance' });
    await bench.walk(`/console/simulations/${simulation.simulationId}`, { scope: 'sales' });
    await bench.walk('/console/simulations/sim_killed0000000000000', { scope: 'sales' });
    await bench.walk('/console/simulations/sim_AAAAAAAAAAAAAAAAAAAAAA', { scope: 'sales', status: 404 });
  });

  it('are run once, however often the form is sent', async () => {
    const { page, close } = await bench.open(SWAP, { scope: 'finance' });
    const runCount = async () =>
      (await bench.ledger.database.selectFrom('simulations').select('simulation_id').execute()).length;
    const before = await runCount();
    const { refused, led } = await sendTwice(page, 'form[action$="/run"]');
    expect(refused).toEqual([]);
    expect(led[0]).toMatch(/simulations\/sim_/);
    expect(led[1]).toBe(led[0]);
    expect(await runCount()).toBe(before + 1);
    await close();
  });

  it('say sums, winners and losers as the API and SQL do', async () => {
    const { result } = simulation;
    for (const [index, { name }] of SCENARIOS.entries()) {
      const { page, complaints, close } = await bench.open(
        `/console/simulations/${simulation.simulationId}?scenario=${index}`,
      );
      for (const { currency, figures } of result?.totals ?? []) {
        if (currency === null) continue;
        const tiles = await page.locator(`[data-currency="${currency}"] dd`).allInnerTexts();
        const [before, after] = [figures[0], figures.find(({ scenario }) => scenario === name)];
        if (before === undefined || after === undefined) throw new Error('no figures');
        expect(tiles[0]).toContain(money(after.ratedRevenue ?? '', after.currency ?? ''));
        expect(tiles[0]).toContain(`was ${money(before.ratedRevenue ?? '', currency)}`);
        expect(tiles[1]).toContain(money(after.knownCost, 'usd'));
        expect(tiles[1]).toContain(`was ${money(before.knownCost, 'usd')}`);
        expect(tiles[2]).toContain(
          money(after.margin.amount ?? after.knownMargin.amount ?? '', after.currency ?? ''),
        );
      }
      const drawn = await page.locator('#change .amount').allInnerTexts();
      const { winners = [], losers = [] } = result?.scenarios[index] ?? {};
      const ofDollars = [...winners, ...losers.toReversed()].filter(({ currency }) => currency === 'usd');
      for (const { marginDelta } of ofDollars) expect(drawn).toContain(signed(marginDelta, 'usd'));
      expect(complaints).toEqual([]);
      await close();
    }
    const known = (result?.totals ?? []).reduce(
      (sum, { figures }) => sum + parseDecimal(figures[0]?.knownCost ?? '0', 12),
      0n,
    );
    const rated = await sql<{ cost: string }>`
      select sum(cost_pico_usd)::text as cost from daily_costs
      where kind <> 'idle' and day >= '2026-11-01' and day < '2026-11-21'`.execute(bench.ledger.database);
    expect(formatPico(known)).toBe(formatPico(BigInt(rated.rows[0]?.cost ?? '0')));
  });

  it.each(['revenue', 'cost', 'margin'] as const)(
    'list each customer as the API does, by the change of %s and whole as CSV',
    async (measure) => {
      const byId = new Map(
        (await customersOf(simulation.simulationId)).map((each) => [
          each.customerId ?? '',
          deltasOf(each, 0),
        ]),
      );
      const path = `/console/simulations/${simulation.simulationId}?customers-sort=-${measure}`;
      const { page, close } = await bench.open(path);
      const csv = await csvOf(page, `${path}&csv=customers`);
      expect(csv).toHaveLength(byId.size);
      const sizes: (bigint | null)[] = [];
      for (const row of csv) {
        const expected = byId.get(row.customer ?? '');
        if (expected === undefined) throw new Error(`nobody is ${row.customer}`);
        const exact = (text: string | undefined) => (text === '' ? null : parseDecimal(text ?? '', 12));
        expect(exact(row.revenueDelta)).toBe(expected.revenue);
        expect(exact(row.costDeltaUsd)).toBe(expected.cost);
        expect(row.marginDelta).toBe(expected.margin ?? '');
        expect(row.revenueAfter).toBe(expected.after.revenue.amount ?? '');
        expect(row.costUsdBefore).toBe(expected.before.cost.amount ?? '');
        const margin = expected.margin === null ? null : parseDecimal(expected.margin, 14);
        sizes.push({ revenue: expected.revenue, cost: expected.cost, margin }[measure]);
      }
      const ordered = sizes.toSorted((one, other) =>
        one === null || other === null
          ? Number(one === null) - Number(other === null)
          : one < other
            ? 1
            : one > other
              ? -1
              : 0,
      );
      expect(sizes).toEqual(ordered);
      const shown = await page.locator('#customers tbody tr').allInnerTexts();
      expect(shown).toHaveLength(25);
      for (const [index, text] of shown.entries()) {
        const expected = byId.get(csv[index]?.customer ?? '');
        if (expected?.margin != null) {
          expect(text).toContain(signed(expected.margin, expected.before.currency ?? ''));
        }
      }
      await close();
    },
  );

  it('narrow to a customer or a currency, whole as CSV too', async () => {
    const path = `/console/simulations/${simulation.simulationId}`;
    const { page, close } = await bench.open(`${path}?currency=eur`);
    expect(await page.locator('#customers tbody th').allInnerTexts()).toEqual(['ADATUM']);
    expect(await csvOf(page, `${path}?csv=customers&customer=evil`)).toHaveLength(2);
    expect(await csvOf(page, `${path}?csv=customers&customer=c-0`)).toHaveLength(10);
    await close();
  });

  it('are made from a swap that stands in the address, kept, and begun from again', async () => {
    const { page, complaints, close } = await bench.open(SWAP, { scope: 'finance' });
    const value = (name: string) => page.locator(`[name=${name}]`).first().inputValue();
    expect([await value('swapFrom'), await value('swapTo'), await value('swapFeature')]).toEqual([
      'gpt-4o',
      'gpt-4o-mini',
      'search',
    ]);
    // The month runs: no day of it lies in the future.
    expect([await value('from'), await value('to')]).toEqual(['2026-11-01', '2026-11-21']);
    await page.locator('[name=discount]').fill('5');
    await page.getByRole('button', { name: 'Another swap' }).click();
    await page.locator('[name=swapFrom]').nth(1).fill('gpt-4o-mini');
    await page.locator('[name=swapTo]').nth(1).fill('gpt-4o');
    await page.locator('[name=sellAmount]').fill('+2.5 %');
    await page.getByRole('button', { name: 'Work it out' }).click();
    await page.waitForURL(/simulations\/sim_/);
    const made = (await (
      await bench.call(`/v1${new URL(page.url()).pathname.replace('/console', '')}`)
    ).json()) as SimulationBody;
    expect(made.createdBy).toContain('finance');
    expect(made.request).toMatchObject({
      from: '2026-11-01',
      to: '2026-11-22',
      scenarios: [
        {
          discountPercent: '5',
          modelSwaps: [
            { from: 'gpt-4o', to: 'gpt-4o-mini', feature: 'search' },
            { from: 'gpt-4o-mini', to: 'gpt-4o' },
          ],
          sellChanges: [{ model: '*', feature: '*', tokenType: '*', percent: '2.5' }],
        },
      ],
    });
    const main = await page.locator('main').innerText();
    expect(main).toContain('gpt-4o becomes gpt-4o-mini in search');
    expect(main).toContain('whether its answers are as good is not measured');
    // Nobody has a rate for the other model: what is unknown is said, and costs are drawn.
    expect(main).toContain('A part is unknown');
    expect(await page.locator('#change figcaption').innerText()).toContain('what it costs us');
    await page.getByRole('link', { name: 'Change it and try again' }).click();
    expect([await value('discount'), await value('sellAmount')]).toEqual(['5', '2.5']);
    expect(await page.locator('[name=swapTo]').nth(1).inputValue()).toBe('gpt-4o');
    expect(complaints).toEqual([]);
    await close();
  });

  it.each([
    [{ swapTo: 'gpt-4oo' }, 'no price is known for "gpt-4oo"; near names: gpt-4o'],
    [{ sellAmount: '-100.5' }, 'What customers pay, change: must be a change in percent of -100 or more'],
    [{ costAmount: 'much' }, 'What Azure asks, change: must be'],
    [{ from: '2026-01-01', to: '2026-01-31' }, 'From: no usage is stored of the period'],
    [{ from: '2026-11-20', to: '2027-11-20' }, 'To: lies in the future'],
    [{ customer: 'nobody-of-this-name' }, 'nobody-of-this-name'],
    [{ without: '<b>none</b>' }, 'no usage of "<b>none</b>"'],
    [{ minimum: '0.001' }, '0.001 has more than 2 decimals'],
  ] as [Record<string, string>, string][])(
    'refuse %o in the form’s words, and keep what was typed',
    async (typed, words) => {
      const { page, close } = await bench.open(SWAP, { scope: 'finance' });
      for (const [name, value] of Object.entries(typed))
        await page.locator(`[name=${name}]`).first().fill(value);
      await page.getByRole('button', { name: 'Work it out' }).click();
      await page.locator('.notice.danger').waitFor();
      expect(await page.locator('.notice.danger').innerText()).toContain(words);
      for (const [name, value] of Object.entries(typed)) {
        expect(await page.locator(`[name=${name}]`).first().inputValue()).toBe(value);
      }
      await close();
    },
  );

  it('are tried by finance, and read by sales', async () => {
    const { page, close } = await bench.open('/console/simulations', { scope: 'sales' });
    expect(await page.getByRole('button', { name: 'Work it out' }).count()).toBe(0);
    await page.getByRole('link', { name: 'dearer | everybody on scale' }).click();
    expect(await page.locator('h1').innerText()).toBe('dearer');
    await close();
    const all = await bench.ledger.database.selectFrom('simulations').select('simulation_id').execute();
    const csv = await bench.open('/console/simulations');
    expect(await csvOf(csv.page, '/console/simulations?csv=simulations')).toHaveLength(all.length);
    await csv.close();
  });

  it('are of the customers on a plan, with a version of it', async () => {
    const { page, close } = await bench.open('/console/simulations?period=2026-11', { scope: 'finance' });
    await page.locator('[name=ofPlan]').selectOption('scale');
    const version = await page
      .locator('[name=plan] option[value^="standard "]')
      .first()
      .getAttribute('value');
    await page.locator('[name=plan]').selectOption(version ?? '');
    await page.getByRole('button', { name: 'Work it out' }).click();
    await page.waitForURL(/simulations\/sim_/);
    expect(await page.locator('main').innerText()).toContain('customers on scale');
    expect(await page.locator('#customers tbody tr').count()).toBe(12);
    await close();
  });

  it('answer at once, say that they run, and are done by themselves; what a restart cut is told', async () => {
    const { database } = bench.ledger;
    const { clock, billing } = bench;
    const staying = createApp({ database, clock, billing, version: '0', goesOnAfterAnswer: true });
    const ask = async (path: string, body?: URLSearchParams) =>
      await staying.request(path, {
        headers: {
          cookie,
          'sec-fetch-site': 'same-origin',
          'content-type': 'application/x-www-form-urlencoded',
        },
        ...(body === undefined ? {} : { method: 'POST', body: body.toString() }),
      });
    let cookie = '';
    const signedIn = await ask('/console/sign-in', new URLSearchParams({ key: bench.keys.finance }));
    cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    const form = await (await ask('/console/simulations')).text();
    const formToken = /name="formToken" value="([^"]+)"/.exec(form)?.[1] ?? '';
    const window = { start: new Date('2026-11-01T00:00:00Z'), end: new Date('2026-11-02T00:00:00Z') };
    const cut = {
      simulationId: 'sim_cut0000000000000000',
      request: { scenarios: [{ name: 'cut' }] },
      window,
    };
    await insertSimulation(database, {
      ...cut,
      priceBookVersion: '1',
      createdBy: 'test',
      createdAt: clock.now(),
    });
    let path = '';
    await database.transaction().execute(async (transaction) => {
      await sql`lock table simulation_customers in exclusive mode`.execute(transaction);
      const answer = await ask(
        '/console/simulations/run',
        new URLSearchParams({ formToken, from: '2026-11-01', to: '2026-11-20', discount: '5' }),
      );
      expect(answer.status).toBe(303);
      path = answer.headers.get('location') ?? '';
      // Held from its first statement on; the one that nobody holds is the one that was cut.
      await expect
        .poll(
          async () => (await sql`select 1 from pg_locks where locktype = 'advisory'`.execute(database)).rows,
        )
        .not.toEqual([]);
      const told = await failCutSimulations(database, clock.now());
      expect(told).toContain(cut.simulationId);
      expect(told).not.toContain(path.split('/').at(-1));
      expect(await (await ask(path)).text()).toContain('data-refresh="2"');
    });
    await expect
      .poll(async () => await (await ask(path)).text(), { timeout: 20_000 })
      .toContain('Winners and losers');
    expect(await (await ask(path)).text()).not.toContain('data-refresh');
    const told = await (await ask(`/console/simulations/${cut.simulationId}`)).text();
    expect(told).toContain('the service was restarted meanwhile');
    expect(told).toContain('Begin again');
  });
});
