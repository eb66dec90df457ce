import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChangesBody } from '../../src/anomalies/changes/schemas.ts';
import { timesNeighbours } from '../../src/console/features/neighbours.ts';
import { comparedWindow } from '../../src/console/rollups/decide.ts';
import type { MarginsBody } from '../../src/costs/margin-routes.ts';
import type { CostsBody } from '../../src/costs/routes.ts';
import type { SwapsBody } from '../../src/costs/swaps/routes.ts';
import { moneyInWords, twoDecimals } from '../../src/pages/words.ts';
import type { CostProjectionBody } from '../../src/previews/cost-projection-routes.ts';
import { insertUsage } from '../api/world.ts';
import {
  insertCollectionStart,
  insertRequests,
  insertRollupWorld,
  NOVEMBER,
  OCTOBER,
  rate,
} from '../costs/rollup-world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;

const dollars = (amount: string | null) => moneyInWords(twoDecimals(amount ?? ''), 'usd');
const ask = async <Body = CostsBody>(query: string) =>
  (await (await bench.call(query.startsWith('/') ? query : `/v1/costs?${query}`)).json()) as Body;

describe.skipIf(!hasChromium())('overview and features of the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertRollupWorld(database);
    await insertRequests(database, [
      { hour: '2026-11-02T09:00:00Z', requests: 40n },
      { hour: '2026-11-03T09:00:00Z', requests: 2n, feature: 'search', subject: 'user-2' },
      { hour: '2026-11-03T01:00:00Z', requests: 1n, model: 'gpt-99', deployment: 'x', feature: 'mystery' },
    ]);
    await insertUsage(database, [
      ...HOSTILE_NAMES.map((name, index) => ({
        hour: `2026-11-04T0${index}:00:00Z`,
        tokens: 1_000n,
        feature: name,
      })),
      { hour: '2026-11-03T01:00:00Z', tokens: 5n, model: 'gpt-99', deployment: 'x', feature: 'mystery' },
      { hour: '2026-08-10T01:00:00Z', tokens: 5n, model: 'gpt-99', deployment: 'x', feature: 'mystery' },
      {
        hour: '2026-11-20T01:00:00Z',
        tokens: 77n,
        subject: 'stray',
        customer: null,
        quarantine: 'no_customer',
      },
    ]);
    await insertCollectionStart(database, '2026-09-10T00:00:00Z');
    // It has waited for longer than the alarm allows.
    await database
      .updateTable('hourly_usage')
      .set({ created_at: new Date('2026-11-18T00:00:00Z') })
      .where('quarantine_reason', '=', 'no_customer')
      .execute();
    await rate(database);
    await database
      .insertInto('made_changes')
      .values(
        ['chat', ...HOSTILE_NAMES].map((feature) => ({
          kind: 'swap' as const,
          feature,
          from_model: 'gpt-4o',
          to_model: 'gpt-4o-mini',
          subject: '',
          made_on: '2026-11-11',
          forecast_day_pico_usd: '2000000000000',
          note: '',
          recorded_by: 'anna',
          recorded_at: bench.clock.now(),
        })),
      )
      .execute();
  });
  afterAll(() => bench?.close());

  it.each(['/console/overview', '/console/features?period=2026-11'])(
    '%s is whole at every size, in both themes, without scripts',
    async (path) => {
      await bench.walk(path);
    },
  );

  it('says what the API says of the month, and what changed against as many days of the last', async () => {
    const costs = await ask('period=2026-11&groupBy=customer,feature,model&compare=before');
    const before = await ask('from=2026-10-01&to=2026-10-22&groupBy=day');
    const { page, complaints, close } = await bench.open('/console/overview', { scope: 'finance' });
    const figures = await page.locator('.figures dd').allInnerTexts();
    expect(figures[0]).toContain(dollars(costs.totals.knownCost));
    expect(figures[0]).toContain(dollars(before.totals.knownCost));
    expect(figures[1]).toContain(dollars(costs.totals.revenueUsd));
    expect(figures[2]).toContain(dollars(costs.totals.knownMarginUsd));
    const [first] = costs.rows.toSorted((one, other) => Number(other.knownCost) - Number(one.knownCost));
    expect(await page.locator('#movers tbody tr').first().innerText()).toContain(
      `+${dollars(first?.knownCost ?? null)}`,
    );
    const needs = await page.locator('.todo li').allInnerTexts();
    expect(needs.filter((text) => /77 tokens wait in quarantine/.test(text))).toHaveLength(1);
    expect(needs.filter((text) => /23 tokens of gpt-99 have no cost/.test(text))).toHaveLength(1);
    expect(await page.locator('.todo a:has-text("gpt-99")').getAttribute('href')).toBe(
      '/console/prices?model=gpt-99#book',
    );
    expect(complaints).toEqual([]);
    await close();
  });

  it('compares nothing with a month that was collected in part, and says why', async () => {
    const costs = await ask('period=2026-10&groupBy=customer&compare=before&sort=-costChange');
    expect(costs.comparison).toEqual({
      from: '2026-09-01T00:00:00.000Z',
      to: '2026-10-01T00:00:00.000Z',
      isComparable: false,
      reason: 'collected_in_part',
      collectedFrom: '2026-09-10T00:00:00.000Z',
    });
    expect([costs.totals, ...costs.rows].map(({ costBefore }) => costBefore)).toEqual(
      [costs.totals, ...costs.rows].map(() => null),
    );
    expect(await ask('period=2026-11&groupBy=customer&compare=before')).toMatchObject({
      comparison: { isComparable: true, reason: null },
      totals: { costBefore: expect.any(String) },
    });
    const { page, complaints, close } = await bench.open('/console/overview?period=2026-10');
    for (const path of ['overview', 'features', 'models', 'customers', 'customers/northwind']) {
      await page.goto(`${bench.origin}/console/${path}?period=2026-10`);
      const figures = await page.locator('.figures').first().innerText();
      expect(figures, path).toContain('not comparable with 1 Sept to 30 Sept');
      expect(figures, path).toContain('collected since 10 Sept');
      expect(await page.locator('td[data-label="Change"]').allInnerTexts(), path).not.toContainEqual(
        expect.stringContaining('%'),
      );
    }
    await page.goto(`${bench.origin}/console/overview?period=2026-10`);
    expect(await page.locator('.lead').innerText()).not.toMatch(/more than|less than/);
    expect(await page.locator('#movers').innerText()).toContain('Not comparable with 1 Sept to 30 Sept');
    expect(complaints).toEqual([]);
    await close();
  });

  it('says nothing of the end of a month that is over', async () => {
    const { page, close } = await bench.open('/console/overview?period=2026-10');
    expect(await page.locator('.figures div').count()).toBe(3);
    await close();
  });

  it('calls what nobody knows unknown, where a whole month has no price', async () => {
    const { page, close } = await bench.open('/console/overview?period=2026-08');
    const [cost = '', revenue = '', margin = ''] = await page.locator('.figures dd').allInnerTexts();
    for (const text of [cost, revenue, margin]) {
      expect(text).toMatch(/^unknown/);
      expect(text).not.toContain('%');
    }
    expect(await page.locator('.lead').innerText()).toContain('is unknown');
    const drawn = await page.locator('#daily-cost table tr:has-text("2026-08-10") td').allTextContents();
    expect(drawn).toContain('unknown');
    for (const path of ['features', 'models', 'customers']) {
      await page.goto(`${bench.origin}/console/${path}?period=2026-08`);
      expect(await page.locator('.figures').innerText(), path).not.toContain('$0.00 ');
      const cells = await page.locator('main table.data').nth(1).locator('tbody td').allInnerTexts();
      expect(
        cells.filter((text) => /\$0\.00|−100/.test(text)),
        path,
      ).toEqual([]);
    }
    await close();
  });

  it('has axis labels that stand apart on a phone', async () => {
    const { page, close } = await bench.open('/console/overview', { width: 360 });
    const boxes = (await page.evaluate(`[...document.querySelectorAll('.axis li')].filter(
      (item) => item.textContent !== '' && getComputedStyle(item).visibility === 'visible').map((item) => {
        const range = document.createRange();
        range.selectNodeContents(item);
        const { left, right } = range.getBoundingClientRect();
        return [left, right];
      })`)) as [number, number][];
    expect(boxes.length).toBeGreaterThan(2);
    for (const [index, [left, right]] of boxes.entries()) {
      expect(right).toBeLessThanOrEqual(360);
      if (index > 0) expect(left).toBeGreaterThan((boxes[index - 1]?.[1] ?? 0) + 4);
    }
    await close();
  });

  it('keeps what is finance’s from sales', async () => {
    const { page, status, close } = await bench.open('/console/overview', { scope: 'sales' });
    expect(status).toBe(200);
    expect(await page.locator('.todo').count()).toBe(0);
    expect(await page.locator('main').innerText()).not.toContain('quarantine');
    await close();
  });

  it('says what the API says of each feature, whatever its name', async () => {
    const { rows } = await ask('period=2026-11&groupBy=feature&sort=-cost');
    const { page, complaints, close } = await bench.open('/console/features?period=2026-11');
    const shown = await page.locator('#features tbody tr').count();
    expect(shown).toBe(rows.length);
    const costs = await page.locator('#features td[data-label=Cost]').allInnerTexts();
    expect(costs.map((text) => text.split('\n')[0])).toEqual(
      rows.map((row) => (row.feature === 'mystery' ? 'unknown' : dollars(row.knownCost))),
    );
    const mystery = page.locator('#features tbody tr:has(bdi:text-is("mystery"))');
    for (const label of ['a request', 'a user'])
      expect(await mystery.locator(`[data-label="${label}"]`).innerText()).toBe('unknown');
    const users = (await page.locator('#features td[data-label="Users"]').allInnerTexts()).map(
      (text) => text.split('\n')[0],
    );
    expect(users).toEqual(rows.map((row) => row.activeUserCount));
    const csv = String(
      await page.evaluate(
        "fetch('/console/features?period=2026-11&csv=features').then((answer) => answer.text())",
      ),
    );
    for (const row of rows) expect(csv).toContain(row.knownCost);
    const changes = String(
      await page.evaluate(
        "fetch('/console/features?period=2026-11&csv=changes').then((answer) => answer.text())",
      ),
    );
    const told = (await ask<ChangesBody>('/v1/costs/changes')).changes.find(
      ({ feature }) => feature === 'chat',
    );
    expect(changes).toContain(
      `chat,gpt-4o to gpt-4o-mini,2026-11-11,${told?.dayCount},${told?.forecast},${told?.saved ?? ''}`,
    );
    await page.fill('.filters [name=feature]', 'SEAR');
    await page.press('.filters [name=feature]', 'Enter');
    await page.waitForURL(/feature=SEAR/);
    expect(await page.locator('#features tbody tr').count()).toBe(1);
    expect(complaints).toEqual([]);
    await close();
  });
});

describe.skipIf(!hasChromium())('users and swaps of features in the console', () => {
  it('records a change where its link leads, keeps what was typed when it is refused, and says who', async () => {
    const { database } = bench.ledger;
    const { page, complaints, close } = await bench.open('/console/features?period=2026-11', {
      scope: 'finance',
    });
    await page.locator('#swaps tbody a', { hasText: 'Made' }).first().click();
    await page.waitForURL(/#record$/);
    const form = page.locator('#record');
    const [feature, from, to] = await Promise.all(
      ['changedFeature', 'fromModel', 'toModel'].map((name) => form.locator(`[name=${name}]`).inputValue()),
    );
    await form.locator('[name=madeOn]').fill('2027-01-01');
    await form.locator('button').click();
    await page.locator('#record .bad').waitFor();
    expect(await page.locator('#record .bad').innerText()).toContain('still to come');
    expect(await form.locator('[name=toModel]').inputValue()).toBe(to);
    await form.locator('[name=madeOn]').fill('2026-11-08');
    await form.locator('button').click();
    await page.locator('#changes').waitFor();
    expect(await page.locator('.notice').first().innerText()).toMatch(/^Recorded/);
    const audits = await database
      .selectFrom('audit_log')
      .select(['actor', 'details'])
      .where('action', '=', 'changes.record')
      .execute();
    expect(audits).toMatchObject([
      {
        actor: expect.stringContaining('finance'),
        details: { kind: 'swap', feature, fromModel: from, toModel: to },
      },
    ]);
    // The browser's own word for the refusal.
    expect(complaints.filter((text) => !text.includes('status of 400'))).toEqual([]);
    await close();
    const { page: read, close: leave } = await bench.open('/console/features?period=2026-11', {
      scope: 'sales',
    });
    expect(await read.locator('#record').count()).toBe(0);
    await leave();
  });

  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertRollupWorld(database);
    await insertUsage(database, [
      {
        hour: '2026-11-07T09:00:00Z',
        tokens: 5_000_000n,
        feature: 'search',
        subject: 'user-3',
        customer: 'adatum',
      },
      {
        hour: '2026-11-07T10:00:00Z',
        tokens: 9n,
        feature: 'search',
        model: 'gpt-99',
        deployment: 'x',
        subject: 'user-1',
      },
    ]);
    await rate(database);
  });
  afterAll(() => bench?.close());

  it("shows every column at 1280 pixels, of amounts as long as a real month's", async () => {
    const { page, close } = await bench.open('/console/features?period=2026-11');
    await page.evaluate(`for (const row of document.querySelectorAll('#features tbody tr')) {
      for (const [label, text, note] of [['Cost', '$12,345.67', '+ 12.7 % unknown'], ['Change', '+6742 %', ''],
        ['Requests', '123,456', ''], ['Users', '1,234', '12 unknown'], ['a user', '$133.88', ''], ['p50', '$133.88', ''],
        ['p90', '$133.88', ''], ['Margin', '$1,323.69', '12.7 % unknown']]) {
        const small = document.createElement('small');
        small.textContent = note;
        row.querySelector('[data-label="' + label + '"]').replaceChildren(text, small);
      }
      row.querySelector('th').textContent = 'document-search';
    }`);
    const beyond = await page.evaluate(
      `[...document.querySelectorAll('.scroll')].map(({ clientWidth, scrollWidth }) => scrollWidth - clientWidth)`,
    );
    expect(Math.max(...(beyond as number[]))).toBeLessThanOrEqual(0);
    await close();
  });

  it('says what /v1/margins and SQL say of a feature’s users, and how many are unknown', async () => {
    const { features } = (await (await bench.call('/v1/margins?period=2026-11')).json()) as MarginsBody;
    const { page, close } = await bench.open('/console/features?period=2026-11');
    for (const { feature, activeUsers } of features) {
      const row = page.locator(`#features tbody tr:has(th:has-text("${feature}"))`);
      for (const [label, amount] of [
        ['p50', activeUsers.costP50],
        ['p90', activeUsers.costP90],
      ] as const) {
        const text = await row.locator(`[data-label="${label}"]`).innerText();
        expect(text, feature).toContain(Number(amount) < 0.005 ? '< $0.01' : dollars(amount));
      }
      if (activeUsers.unknownCostCount !== '0') {
        expect(await row.locator('[data-label="Users"]').innerText()).toContain(
          `${activeUsers.unknownCostCount} unknown`,
        );
      }
    }
    const search = features.find(({ feature }) => feature === 'search')?.activeUsers;
    const { rows } = await sql<{ cost: string }>`
      select round(sum(cost_pico_usd) / 1e12, 8)::text as cost from daily_users
      where feature = 'search' and customer_id is not null and day >= '2026-11-01' and subject <> 'user-1'
      group by subject order by sum(cost_pico_usd)`.execute(bench.ledger.database);
    expect(search).toMatchObject({ count: '3', unknownCostCount: '1' });
    expect([search?.costP50, search?.costP90].map(Number)).toEqual(rows.map(({ cost }) => Number(cost)));
    await close();
  });

  it('says what the API says of swaps, leads to a quote of one, and exports each', async () => {
    const { features } = (await (await bench.call('/v1/costs/swaps?period=2026-11')).json()) as SwapsBody;
    expect(features.length).toBeGreaterThan(1);
    const { page, complaints, close } = await bench.open('/console/features?period=2026-11', {
      scope: 'sales',
    });
    const cells = (label: string) => page.locator(`#swaps td[data-label="${label}"]`).allInnerTexts();
    expect((await cells('Saving')).map((text) => text.split(/\s/)[0])).toEqual(
      features.map(({ candidates: [best] }) => dollars(best?.saving ?? null)),
    );
    expect(await cells('Cost there')).toEqual(
      features.map(({ candidates: [best] }) => dollars(best?.cost ?? null)),
    );
    const csv = String(
      await page.evaluate(
        "fetch('/console/features?period=2026-11&csv=swaps').then((answer) => answer.text())",
      ),
    );
    expect(csv.trim().split('\n').length - 1).toBe(features.flatMap(({ candidates }) => candidates).length);
    const gpt = await ask('period=2026-11&groupBy=feature&model=gpt-4o&feature=chat');
    const [chat] = gpt.rows;
    const swap = features.find(({ feature, model }) => feature === 'chat' && model === 'gpt-4o');
    // What runs on bought capacity is in no swap.
    expect(swap?.cost).toBe(chat?.tokenCost);
    await page.locator('#swaps tbody tr').first().locator('a').click();
    await page.waitForURL(/quotes\/new|simulations/);
    expect(await page.locator('main').innerText()).not.toContain('cannot be shown');
    expect(complaints).toEqual([]);
    await close();
  });
});

describe.skipIf(!hasChromium())('how a month ends, in the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertRollupWorld(database);
    await insertUsage(
      database,
      Array.from({ length: 50 }, (_, index) => ({
        hour: new Date(Date.UTC(2026, 9, 2 + index, 11)).toISOString(),
        tokens: 10_000_000n + BigInt((index * 7_919) % 13) * 500_000n,
      })),
    );
    await rate(database);
  });
  afterAll(() => bench?.close());

  it('is a range that the API has, above what is spent already, and unknown where too much of the cost is', async () => {
    const end = await ask<CostProjectionBody>('/v1/costs/projection?period=2026-11');
    const { rows } = await sql<{ cost: string }>`
      select (sum(cost_pico_usd) / 1e12)::text as cost from daily_costs
      where kind <> 'idle' and day >= '2026-11-01' and day < '2026-12-01'`.execute(bench.ledger.database);
    const [spent, low, middle, high] = [rows[0]?.cost, end.total?.p10, end.total?.p50, end.total?.p90].map(
      Number,
    );
    expect(low).toBeGreaterThan(spent ?? 0);
    expect(middle).toBeGreaterThanOrEqual(low ?? 0);
    expect(high).toBeGreaterThan(low ?? 0);
    const { page, complaints, close } = await bench.open('/console/overview', { scope: 'sales' });
    const card = await page.locator('.figures div').nth(3).innerText();
    expect(card).toContain(`${dollars(end.total?.p10 ?? null)} to ${dollars(end.total?.p90 ?? null)}`);
    expect(card).toContain(`${dollars(end.total?.expected ?? null)} expected`);
    expect(complaints).toEqual([]);
    const { database } = bench.ledger;
    await insertUsage(database, [
      { hour: '2026-11-20T03:00:00Z', tokens: 90_000_000n, model: 'gpt-99', deployment: 'x' },
    ]);
    await rate(database);
    expect(await ask('/v1/costs/projection?period=2026-11')).toMatchObject({
      total: null,
      reason: 'cost_unknown',
    });
    await page.reload();
    expect(await page.locator('.figures div').nth(3).innerText()).toContain('unknown');
    await close();
  });
});

describe.skipIf(!hasChromium())('how a young month ends, in the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    await insertRollupWorld(bench.ledger.database);
    await bench.ledger.database
      .deleteFrom('hourly_usage')
      .where('window_start', '<', new Date('2026-11-15T00:00:00Z'))
      .execute();
    await insertUsage(bench.ledger.database, [{ hour: '2026-11-17T11:00:00Z', tokens: 10_000_000n }]);
    await rate(bench.ledger.database);
  });
  afterAll(() => bench?.close());

  it('is in words while there is too little to tell it from', async () => {
    const end = await ask<CostProjectionBody>('/v1/costs/projection?period=2026-11');
    expect(end).toMatchObject({ total: null, reason: 'too_little_history' });
    const { page, close } = await bench.open('/console/overview');
    const card = await page.locator('.figures div').nth(3).innerText();
    expect(card).toContain('too early to say');
    expect(card).toContain(`${end.knownDayCount} whole days are known`);
    await close();
  });
});

describe('what a period is compared with', () => {
  it.each([
    ['2026-11-21T10:30:00Z', '2026-10-22'],
    ['2026-11-01T00:00:00Z', '2026-10-02'],
    ['2026-12-05T00:00:00Z', '2026-11-01'],
    ['2026-10-05T00:00:00Z', '2026-11-01'],
  ])('at %s November is, with October up to %s', (now, end) => {
    expect(comparedWindow(NOVEMBER, new Date(now))).toEqual({
      start: OCTOBER.start,
      end: new Date(`${end}T00:00:00Z`),
    });
  });
});

describe('how many times its neighbours a feature costs', () => {
  const costs = (...each: [bigint, bigint][]) =>
    each.map(([picoUsd, requestCount]) => ({ picoUsd, requestCount }));
  it('is against the middle of the others, and nothing without them', () => {
    expect(timesNeighbours(costs([120n, 10n], [10n, 10n], [30n, 10n], [20n, 10n]), 0)).toBe(6);
    expect(timesNeighbours(costs([120n, 10n], [10n, 10n], [30n, 10n]), 0)).toBe(6);
    expect(timesNeighbours(costs([120n, 10n], [10n, 0n]), 0)).toBe(null);
    expect(timesNeighbours(costs([120n, 0n], [10n, 1n]), 0)).toBe(null);
  });
});
