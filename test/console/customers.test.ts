import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CostsBody } from '../../src/costs/routes.ts';
import { moneyInWords, twoDecimals } from '../../src/pages/words.ts';
import { insertUsage } from '../api/world.ts';
import { insertRequests, insertRollupWorld, rate } from '../costs/rollup-world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;

const dollars = (amount: string | null) => moneyInWords(twoDecimals(amount ?? ''), 'usd');
const ask = async (query: string) => (await (await bench.call(`/v1/costs?${query}`)).json()) as CostsBody;

describe.skipIf(!hasChromium())('customers of the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertRollupWorld(database);
    await insertUsage(database, [
      { hour: '2026-11-21T08:00:00Z', tokens: 1_000_000n },
      // All that one of them used today has no price, unlike what it used before.
      {
        hour: '2026-11-21T08:00:00Z',
        tokens: 9n,
        customer: 'adatum',
        subject: 'user-3',
        model: 'gpt-99',
        deployment: 'x',
      },
      { hour: '2026-11-20T08:00:00Z', tokens: 9_000n, customer: 'adatum', subject: 'user-3' },
    ]);
    await insertRequests(database, [{ hour: '2026-11-02T09:00:00Z', requests: 40n }]);
    await database
      .updateTable('customers')
      .set({ name: HOSTILE_NAMES[0] })
      .where('customer_id', '=', 'adatum')
      .execute();
    await rate(database);
  });
  afterAll(() => bench?.close());

  it.each([
    '/console/customers',
    '/console/customers?period=2026-10',
    '/console/customers?period=2026-01',
    '/console/customers?customer=nothing-of-this-name',
  ])('%s is whole at every size, in both themes, without scripts', async (path) => {
    await bench.walk(path, { scope: 'sales' });
  });

  it("shows every column at 1280 pixels, of amounts as long as a real month's", async () => {
    const { page, close } = await bench.open('/console/customers?period=2026-11');
    await page.evaluate(`for (const row of document.querySelectorAll('#customers tbody tr')) {
      const cell = (label) => row.querySelector('[data-label="' + label + '"]');
      for (const label of ['Cost', 'Revenue', 'Margin']) {
        const unknown = document.createElement('small');
        unknown.textContent = '+ 12.7 % unknown';
        cell(label).replaceChildren('$12,345.67', unknown);
      }
      cell('Change').textContent = '+1734 %';
      cell('Features by cost').textContent = 'thread-summary 77 % +4';
    }`);
    const widths = await page.evaluate(
      `[...document.querySelectorAll('.scroll')].map(({ clientWidth, scrollWidth }) => scrollWidth - clientWidth)`,
    );
    expect(Math.max(...(widths as number[]))).toBeLessThanOrEqual(0);
    await close();
  });

  it('says what the API says, of the whole and of each customer', async () => {
    const costs = await ask('period=2026-11&groupBy=customer&sort=-cost');
    const { page, complaints, close } = await bench.open('/console/customers?period=2026-11');
    const figures = await page.locator('.figures dd').allInnerTexts();
    expect(figures[0]).toContain(dollars(costs.totals.knownCost));
    expect(figures[0]).toMatch(/\+ < 0.1 % unknown/);
    expect(figures[1]).toContain(dollars(costs.totals.revenueUsd));
    expect(figures[2]).toContain(dollars(costs.totals.knownMarginUsd));
    const today = await ask('from=2026-11-21&to=2026-11-22&groupBy=customer');
    const costToday = new Map(
      today.rows.map((row) => [row.customerId, row.cost === null ? 'unknown' : dollars(row.knownCost)]),
    );
    expect(costToday.get('adatum')).toBe('unknown');
    expect(costToday.size).toBe(2);
    const rows = page.locator('#customers tbody tr');
    expect(await rows.count()).toBe(costs.rows.length);
    for (const [index, row] of costs.rows.entries()) {
      const text = async (label: string) =>
        await rows.nth(index).locator(`[data-label="${label}"]`).innerText();
      expect(await text('#')).toBe(String(index + 1));
      expect(await text('Cost')).toContain(dollars(row.knownCost));
      expect(await text('Today')).toBe(costToday.get(row.customerId ?? null) ?? '–');
      if (row.customerId === 'adatum') {
        const trend = rows.nth(index).locator('svg.spark');
        expect(await trend.getAttribute('aria-label')).toMatch(/to an unknown cost a day$/);
      }
      expect(await text('Revenue')).toContain(dollars(row.revenueUsd));
      if (row.marginUsd !== null) expect(await text('Margin')).toContain(dollars(row.marginUsd));
      const share = (Number(row.tokenCount) / Number(costs.totals.tokenCount)) * 100;
      expect(await text('of tokens')).toBe(`${share.toFixed(1)} %`);
    }
    expect(await page.locator('main script').count()).toBe(0);
    expect(await page.locator('main').innerText()).toContain(HOSTILE_NAMES[0]);
    expect(complaints).toEqual([]);
    await close();
  });

  it('exports every customer exactly, with the filters and the order of the address', async () => {
    const { page, close } = await bench.open('/console/customers?period=2026-11');
    const csv = async (query: string) =>
      parse(
        String(
          await page.evaluate(
            `fetch('/console/customers?period=2026-11&csv=customers${query}').then((answer) => answer.text())`,
          ),
        ),
        { columns: true },
      ) as Record<string, string>[];
    for (const [query, sort] of [
      ['', '-cost'],
      ['&customers-sort=tokens', 'tokens'],
    ] as const) {
      const { rows } = await ask(`period=2026-11&groupBy=customer&sort=${sort}`);
      const exact = (await csv(query)).map(({ customerId, cost, revenue, margin, tokens, unpriced }) => [
        customerId || null,
        cost,
        revenue,
        margin || null,
        tokens,
        unpriced,
      ]);
      expect(exact).toEqual(
        rows.map((row) => [
          row.customerId,
          row.knownCost,
          row.revenueUsd,
          row.marginUsd,
          row.tokenCount,
          row.unpricedTokenCount,
        ]),
      );
    }
    expect((await csv('&customer=NORTH')).map(({ name }) => name)).toEqual(['NORTHWIND']);
    await close();
  });

  it('sorts and narrows by its address, and pages beyond the end show the first', async () => {
    const { page, close } = await bench.open('/console/customers?period=2026-11&customers-page=9');
    expect(await page.locator('#customers tbody tr').count()).toBe(3);
    await page.click('#customers th a:text-is("of tokens")');
    await page.waitForURL(/customers-sort=-tokens/);
    await page.fill('.filters [name=customer]', '100%_');
    await page.press('.filters [name=customer]', 'Enter');
    await page.waitForURL(/customer=100/);
    expect(await page.locator('#customers .empty').innerText()).toContain('Nothing matches');
    await close();
  });
});
