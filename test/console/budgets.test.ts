import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeBudgets } from '../../jobs/judge-budgets.ts';
import type { OneBudgetBody } from '../../src/budgets/schemas.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { insertEvents } from '../anomalies/world.ts';
import { insertCatalog } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole, sendTwice } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;
const PATH = '/console/budgets';
const ids: string[] = [];
const post = async (path: string, body: object) =>
  (await (
    await bench.call(path, {
      method: 'POST',
      scope: 'finance',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  ).json()) as OneBudgetBody;
const get = async (id: string) =>
  (await (await bench.call(`/v1/budgets/${id}`, { scope: 'sales' })).json()) as OneBudgetBody;
const judge = () =>
  judgeBudgets({ database: bench.ledger.database, clock: bench.clock, log: createLogger('silent') });

describe.skipIf(!hasChromium())('the pages of budgets', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertCatalog(database);
    await seedPriceBook(database, bench.clock.now());
    const { page, close } = await bench.open(PATH, { scope: 'sales', javaScriptEnabled: false });
    expect(await page.locator('.lead').innerText()).toBe('Nothing is limited.');
    await close();
    const missing = await bench.open(`${PATH}/bud_none`, { scope: 'sales' });
    expect(missing.status).toBe(404);
    await missing.close();
    const month = { period: 'month', currency: 'usd', scope: 'customer', customerId: 'northwind' };
    const steps = [
      { sharePermille: 800, action: 'tell' },
      { sharePermille: 1_000, action: 'stop', contact: 'ops@example.com' },
    ];
    for (const body of [
      { ...month, name: 'Northwind', limit: '1.50', steps },
      { ...month, name: 'Each user', limit: '5', perUser: true, steps },
      { name: HOSTILE_NAMES[0], scope: 'all', period: 'day', measure: 'tokens', limit: '90000000' },
    ]) {
      ids.push((await post('/v1/budgets', body)).id);
    }
    const hour = new Date(Math.floor(bench.clock.now().getTime() / 3_600_000) * 3_600_000).toISOString();
    await insertEvents(database, [
      { hour, promptTokens: 400_000 },
      { hour, subject: 'user-2', promptTokens: 280_000 },
      { hour, subject: HOSTILE_NAMES[2] ?? '', promptTokens: 7 },
    ]);
    await judge();
  });
  afterAll(() => bench?.close());

  it('say what the API says, hold to what every page must be, and change a budget once, by who saw it as it is', async () => {
    await bench.walk(PATH);
    for (const id of ids) await bench.walk(`${PATH}/${id}`);
    const { page, close } = await bench.open(PATH, { scope: 'sales', javaScriptEnabled: false });
    expect(await page.locator('.lead').innerText()).toBe('Of 3 budgets, 1 is used up.');
    const shares = await page.locator('td[data-label="Share used"]').allInnerTexts();
    const told = await Promise.all(ids.map(get));
    expect(shares).toEqual(told.map(({ standing }) => `${(Number(standing?.share) * 100).toFixed(1)} %`));
    expect(told[0]).toMatchObject({ standing: { used: '1.70', limit: '1.50', share: '1.133' } });
    expect(told[1]?.holders.map(({ userId, used }) => [userId, used])).toEqual([
      ['user-1', '1.00'],
      ['user-2', '0.70'],
    ]);
    await close();
    const overview = await bench.open('/console/overview', { scope: 'finance' });
    const needs = overview.page.locator('.todo li', { hasText: 'budget' });
    expect(await needs.allInnerTexts()).toEqual([expect.stringContaining('Northwind')]);
    expect(await needs.locator('a').getAttribute('href')).toBe(`${PATH}/${ids[0]}`);
    await overview.close();
    const customer = await bench.open('/console/customers/northwind', { scope: 'sales' });
    expect(await customer.page.locator('#budgets tbody tr').count()).toBe(2);
    await customer.close();
    const csv = await bench.open(PATH, { scope: 'sales' });
    const text = String(
      await csv.page.evaluate(`fetch('${PATH}?csv=budgets').then((answer) => answer.text())`),
    );
    expect(text.trim().split('\r\n')).toHaveLength(4);
    await csv.close();

    // Another limit, once, from whoever saw the one before; more for a reason.
    const [id = ''] = ids;
    const seen = await bench.open(`${PATH}/${id}`, { scope: 'finance' });
    const other = await bench.open(`${PATH}/${id}`, { scope: 'finance' });
    await seen.page.locator('input[name=limit]').fill('1.60');
    await seen.page.getByRole('button', { name: 'Change the limit' }).click();
    expect(await seen.page.locator('main').innerText()).toContain('judged by the new limit');
    await other.page.locator('input[name=limit]').fill('9');
    await other.page.getByRole('button', { name: 'Change the limit' }).click();
    expect(await other.page.locator('main').innerText()).toContain('Nothing was done');
    expect(await get(id)).toMatchObject({ limit: '1.60' });
    await seen.page.locator('input[name=extra]').fill('1');
    await seen.page.locator('textarea[name=reason]').fill('the fair');
    await seen.page.getByRole('button', { name: 'Grant it' }).click();
    await judge();
    expect(await get(id)).toMatchObject({
      grace: { extra: '1.00' },
      standing: { limit: '2.60' },
      openSteps: [],
    });
    await seen.close();
    await other.close();

    // Sent by two tabs at once: one act, and the other tab is told.
    const terms = { period: 'month', currency: 'usd', scope: 'customer', customerId: 'adatum' };
    for (const act of ['grace', 'end']) {
      const { id: twice } = await post('/v1/budgets', {
        ...terms,
        name: `Twice ${act}`,
        limit: '5',
        steps: [],
      });
      const { page: form, close: closeForm } = await bench.open(`${PATH}/${twice}`, { scope: 'finance' });
      if (act === 'grace') {
        await form.locator('input[name=extra]').fill('1');
        await form.locator('textarea[name=reason]').fill('the fair');
      }
      const { refused, done } = await sendTwice(form, `form[action$="/${act}"]`);
      expect([refused.length, done.length], act).toEqual([1, 1]);
      const acts = await bench.ledger.database
        .selectFrom('audit_log')
        .select('action')
        .where('target', '=', twice)
        .where('action', '!=', 'budgets.create')
        .execute();
      expect(acts).toEqual([{ action: `budgets.${act}` }]);
      await closeForm();
    }
  });
});
