import { parse } from 'csv-parse/sync';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tiersInWords } from '../../src/console/prices/words.ts';
import { moneyInWords, twoDecimals } from '../../src/pages/words.ts';
import type { PlanDetailBody, PlanListBody } from '../../src/plans/schemas.ts';
import type { SimulationBody } from '../../src/simulations/schemas.ts';
import { hasChromium } from '../setup/chromium.ts';
import { insertPricesWorld } from './prices-world.ts';
import { type ConsoleBench, openConsole } from './walk.ts';

let bench: ConsoleBench;
let waiting: { largeChange: string; unmapped: string };

interface PriceShown {
  model: string;
  deploymentType: string;
  region: string;
  tokenType: string;
  variant: string;
  serviceTier: 'standard';
  aboveInputTokenCount: number;
  amount: string;
  unit: string;
  effectiveFrom: string | null;
  source: string;
}

const ask = async <Body>(path: string) => (await (await bench.call(path)).json()) as Body;
const csvOf = async (page: Page, path: string) =>
  parse(String(await page.evaluate(`fetch('${path}').then((answer) => answer.text())`)), {
    columns: true,
  }) as Record<string, string>[];

async function pricesOf(query: string): Promise<PriceShown[]> {
  const prices: PriceShown[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { prices: PriceShown[]; nextCursor: string | null } = await ask(
      `/v1/prices?${query}&limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    prices.push(...page.prices);
    cursor = page.nextCursor;
  }
  return prices;
}

const keyOf = (row: { model: string; tokenType: string }, type: string, region: string) =>
  [row.model, row.tokenType, type, region].join(' ');

describe.skipIf(!hasChromium())('prices and plans of the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    waiting = await insertPricesWorld(bench);
  });
  afterAll(() => bench?.close());

  it.each([
    ['/console/prices', 200],
    ['/console/prices?at=2001-01-01&model=nothing', 200],
    ['/console/prices/history?model=gpt-4.1&tokenType=prompt', 200],
    ['/console/prices/history?model=%3Cb%3Egpt4o', 200],
    ['/console/prices/plans/scale', 200],
    ['/console/prices/plans/cost-plus', 200],
    ['/console/prices/plans/nothing-of-this-name', 404],
  ] as const)('%s is whole at every size, in both themes, without scripts', async (path, status) => {
    await bench.walk(path, { scope: 'admin', status });
  });

  it.each(['', '2026-04-01', '2027-03-01'])('has the book of the API as of %s', async (day) => {
    const path = `/console/prices${day === '' ? '' : `?at=${day}`}`;
    const { page, complaints, close } = await bench.open(path, { scope: 'sales' });
    const rows = await csvOf(page, `${path}${day === '' ? '?' : '&'}csv=prices`);
    const prices = await pricesOf(day === '' ? '' : `at=${day}`);
    expect(rows).toHaveLength(prices.length);
    const byKey = new Map(rows.map((row) => [keyOf(row as never, row.type ?? '', row.region ?? ''), row]));
    for (const price of prices) {
      const tokenType = [price.tokenType, ...tiersInWords(price)].join(', ');
      const row = byKey.get(keyOf({ ...price, tokenType }, price.deploymentType, price.region));
      expect(row).toMatchObject({ from: price.effectiveFrom ?? '', source: price.source });
      if (price.unit === 'million_tokens') expect(Number(row?.amount)).toBe(Number(price.amount));
    }
    const narrowed = `${path}${day === '' ? '?' : '&'}model=GPT-4o-mini&type=global&tokenType=prompt`;
    await page.goto(`${bench.origin}${narrowed}`);
    expect(await page.locator('#prices tbody tr').count()).toBe(
      prices.filter(
        ({ model, deploymentType, tokenType }) =>
          model.includes('gpt-4o-mini') && deploymentType === 'global' && tokenType === 'prompt',
      ).length,
    );
    expect(complaints).toEqual([]);
    await close();
  });

  it('draws a price’s history, and has each step as the API has it', async () => {
    const path = '/console/prices/history?model=gpt-4.1&tokenType=prompt';
    const { page, close } = await bench.open(path, { scope: 'sales' });
    const all = (await pricesOf('at=all&model=gpt-4.1')).filter(({ tokenType }) => tokenType === 'prompt');
    const rows = await csvOf(page, `${path}&csv=history`);
    const told = ({ type, from, amount }: Record<string, string>) =>
      `${type} ${from} ${amount === '' ? 'retired' : Number(amount)}`;
    expect(rows.map(told).sort()).toEqual(
      all
        .map(
          ({ deploymentType, region, effectiveFrom, amount }) =>
            `${deploymentType} ${region} ${effectiveFrom ?? ''} ${amount === 'retired' ? amount : Number(amount)}`,
        )
        .sort(),
    );
    const global = rows.filter(({ type }) => type === 'global *');
    expect(global.map(({ changePercent }) => changePercent)).toEqual(['', '10.0', '-9.1', '-20.0']);
    expect(await page.locator('#steps path.stroke').count()).toBe(
      // Lines that run upon each other are one.
      new Set(
        [...Map.groupBy(all, ({ deploymentType, region }) => `${deploymentType} ${region}`).values()].map(
          (line) => line.map(({ effectiveFrom, amount }) => `${effectiveFrom} ${amount}`).join(),
        ),
      ).size,
    );
    // Level, a step up in March, one down in August, and one to come; what ended is drawn to its end.
    const [steps = ''] = await page
      .locator('#steps path.stroke')
      .evaluateAll((paths) =>
        paths.map((path) => (path as unknown as { getAttribute(name: string): string }).getAttribute('d')),
      );
    expect(steps.match(/L/g)).toHaveLength(8);
    await page.goto(`${bench.origin}/console/prices/history?model=gpt4o`);
    expect(await page.locator('.lead').innerText()).toContain('Near names: gpt-4o');
    await close();
  });

  it('lists plans, and says each rate in words as the API has it', async () => {
    const { plans } = await ask<PlanListBody>('/v1/plans');
    const { page, close } = await bench.open('/console/prices', { scope: 'sales' });
    const rows = await csvOf(page, '/console/prices?csv=plans');
    for (const plan of plans) {
      expect(rows.find((row) => row.plan === plan.planId)).toMatchObject({
        currency: plan.currency,
        version: plan.versionInForce,
        customers: plan.planId === 'scale' ? '12' : '0',
      });
    }
    for (const [version, at] of [
      ['', ''],
      [plans.find(({ planId }) => planId === 'scale')?.versions.at(-1)?.versionId ?? '', '?at=2027-01-01'],
    ] as const) {
      const shown = await ask<PlanDetailBody>(`/v1/plans/scale${at}`);
      await page.goto(
        `${bench.origin}/console/prices/plans/scale${version === '' ? '' : `?version=${version}`}`,
      );
      const lead = await page.locator('.lead').innerText();
      expect(lead).toContain(
        `A month costs at least ${moneyInWords(twoDecimals(shown.version.minimum ?? ''), 'usd')}`,
      );
      const rates = await page.locator('#rates tbody tr').allInnerTexts();
      expect(rates).toHaveLength(shown.rates.length);
      for (const [index, { price }] of shown.rates.entries()) {
        const amounts =
          price.kind === 'per_unit' ? [price.perMillion] : price.tiers.map(({ perMillion }) => perMillion);
        for (const amount of amounts.filter((text) => !/^0(\.0*)?$/.test(text))) {
          expect(rates[index]).toContain(`${moneyInWords(amount, 'usd')} a million`);
        }
      }
    }
    expect(await page.locator('#rates').innerText()).toContain(
      'the first 1,000,000 included, then $12.00 a million up to 50,000,000, then $11.00 a million and $5.00 once',
    );
    expect(await page.getByRole('button', { name: 'Show the effect' }).count()).toBe(0);
    await page.goto(`${bench.origin}/console/prices/plans/cost-plus`);
    expect(await page.locator('main').innerText()).toContain('Markups are on the price book');
    await close();
  });

  it('shows what a version would change for all on the plan, before it is applied', async () => {
    const { plans } = await ask<PlanListBody>('/v1/plans');
    const next = plans.find(({ planId }) => planId === 'scale')?.versions.at(-1)?.versionId;
    const { page, close } = await bench.open(`/console/prices/plans/scale?version=${next}`, {
      scope: 'finance',
    });
    await page.locator('[name=from]').fill('2026-11-01');
    await page.locator('[name=to]').fill('2026-11-20');
    await page.getByRole('button', { name: 'Show the effect' }).click();
    await page.waitForURL(/simulations\/sim_/);
    expect(await page.locator('h1').innerText()).toBe('scale from 2027-01-01');
    const made = await ask<SimulationBody>(`/v1${new URL(page.url()).pathname.replace('/console', '')}`);
    expect(made.request).toMatchObject({
      customersOfPlan: 'scale',
      scenarios: [{ plan: 'scale', planVersion: next }],
    });
    expect(made.result?.customerCount).toBe(12);
    const figures = made.result?.totals[0]?.figures ?? [];
    const tiles = await page.locator('[data-currency="usd"] dd').allInnerTexts();
    expect(tiles[0]).toContain(moneyInWords(figures[1]?.revenue.amount ?? '', 'usd'));
    expect(tiles[0]).toContain(`was ${moneyInWords(figures[0]?.revenue.amount ?? '', 'usd')}`);
    await close();
  });

  it('has changes that wait, which an admin takes or refuses for a reason, once, and as seen', async () => {
    const { items } = await ask<{
      items: { id: string; oldPrice: string; newPrice: string; verdict: string }[];
    }>('/v1/prices/sync');
    const finance = await bench.open('/console/prices', { scope: 'finance' });
    const texts = await finance.page.locator('#waiting tbody tr').allInnerTexts();
    expect(texts).toHaveLength(items.length);
    expect(texts[0]).toContain('$2.50');
    expect(texts[0]).toContain('$5.00');
    expect(texts[0]).toContain('+100.0 %');
    const csv = await csvOf(finance.page, '/console/prices?csv=waiting');
    expect(csv.map(({ id, oldPrice, newPrice }) => [id, oldPrice, newPrice])).toEqual(
      items.map(({ id, oldPrice, newPrice }) => [id, oldPrice ?? '', newPrice ?? '']),
    );
    expect(await finance.page.locator('#waiting summary').count()).toBe(0);
    await finance.page.goto(`${bench.origin}/console/overview`);
    const needs = finance.page.locator('.todo li', { hasText: 'listed price' });
    expect(await needs.count()).toBe(items.length);
    expect(await needs.first().innerText()).toMatch(/gpt-4o input, global waits \(\+100.0 %\)/);
    expect(await needs.first().locator('a').getAttribute('href')).toBe('/console/prices#waiting-head');
    await finance.close();
    const sales = await bench.open('/console/prices', { scope: 'sales' });
    expect(await sales.page.locator('#waiting').count()).toBe(0);
    expect((await sales.page.goto(`${bench.origin}/console/prices?csv=waiting`))?.status()).toBe(404);
    await sales.close();

    // Opened twice: the list says something else before the first acts, and the second comes too late.
    const [one, two] = [await bench.open('/console/prices'), await bench.open('/console/prices')];
    const { database } = bench.ledger;
    const price = async (pico: string) =>
      await database
        .updateTable('price_sync_items')
        .set({ new_pico_per_unit: pico })
        .where('price_sync_item_id', '=', BigInt(waiting.largeChange))
        .execute();
    const accept = async ({ page }: typeof one, reason: string) => {
      const row = page.locator('#waiting tbody tr').first();
      if ((await row.locator('details[open]').count()) === 0) await row.locator('summary').click();
      await row.locator('input[name=reason]').first().fill(reason);
      await row.getByRole('button', { name: 'Take it from then on' }).click();
      await page.locator('.notice').first().waitFor();
      return await page.locator('.notice').first().innerText();
    };
    await price('9000000');
    expect(await accept(one, 'announced')).toContain('has changed since you opened the page');
    expect(await one.page.locator('#waiting input[name=reason]').first().inputValue()).toBe('announced');
    await price('5000000');
    await one.page.goto(`${bench.origin}/console/prices`);
    expect(await accept(one, 'announced')).toContain(
      'The book has the listed price of gpt-4o input from 2026-11-21, 11:00',
    );
    expect(await accept(two, 'me, too')).toContain('was accepted');
    const book = await pricesOf('at=2026-11-22&model=gpt-4o');
    expect(
      book.find(({ tokenType, deploymentType }) => tokenType === 'prompt' && deploymentType === 'global')
        ?.amount,
    ).toBe('5');
    const audit = await database
      .selectFrom('audit_log')
      .select(['actor', 'action'])
      .where('action', 'in', ['price_sync.accept', 'price_sync.reject'])
      .execute();
    expect(audit).toEqual([{ action: 'price_sync.accept', actor: expect.stringContaining('admin') }]);
    await one.page.goto(`${bench.origin}/console/prices`);
    const unmapped = one.page.locator('#waiting tbody tr').first();
    await unmapped.locator('summary').click();
    expect(await unmapped.innerText()).toContain('tallystick prices map');
    await unmapped.locator('input[name=reason]').fill('not ours');
    await unmapped.getByRole('button', { name: 'Leave the book as it is' }).click();
    expect(await one.page.locator('.notice').first().innerText()).toContain('the same is not asked again');
    expect(await one.page.locator('#waiting').innerText()).toContain('Nothing waits for anybody');
    await one.close();
    await two.close();
  });
});
