import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeBudgets } from '../../jobs/judge-budgets.ts';
import type { PastWindowsBody } from '../../src/budgets/past/routes.ts';
import type { OneBudgetBody } from '../../src/budgets/schemas.ts';
import type { DryRunBody, StepsBody } from '../../src/enforcement/schemas.ts';
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
const steps = async (id: string) =>
  (await (
    await bench.call(`/v1/enforcement/steps?budgetId=${id}`, { scope: 'finance' })
  ).json()) as StepsBody;
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
      {
        ...month,
        name: 'Northwind',
        limit: '1.50',
        steps: [...steps, { sharePermille: 1_050, action: 'bill' }],
      },
      { ...month, name: 'Each user', limit: '5', perUser: true, steps },
      { name: HOSTILE_NAMES[0], scope: 'all', period: 'day', measure: 'tokens', limit: '90000000' },
    ]) {
      ids.push((await post('/v1/budgets', body)).id);
    }
    const hour = new Date(Math.floor(bench.clock.now().getTime() / 3_600_000) * 3_600_000).toISOString();
    await insertEvents(database, [
      // The month before: 2.00 USD in one hour, and one more in the next, which a cap of 1.50 holds back.
      { hour: '2026-10-10T08:00:00Z', promptTokens: 800_000 },
      { hour: '2026-10-10T09:00:00Z', promptTokens: 400_000 },
      { hour, promptTokens: 400_000 },
      { hour, subject: 'user-2', promptTokens: 280_000 },
      { hour, subject: HOSTILE_NAMES[2] ?? '', promptTokens: 7 },
    ]);
    // Judged two days before, too, whose window is over by now.
    const { instant } = bench.clock;
    bench.clock.instant = new Date(instant.getTime() - 2 * 86_400_000);
    await judge();
    bench.clock.instant = instant;
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
    // Billing early: on its way, as the API says it, and what it would have been the month before.
    const billed = told[0]?.events.find(({ step }) => step.action === 'bill')?.earlyBills;
    expect(billed).toMatchObject([{ state: 'wanted', reason: null, invoiceId: null }]);
    await page.goto(`${bench.origin}${PATH}/${ids[0]}?dry-run=2026-10`);
    expect(await page.locator('#events').innerText()).toContain('Stripe invoices it with the next usage');
    expect(await page.locator('section#dry').innerText()).toContain(
      '800,000 tokens would have been invoiced early',
    );
    await close();
    const past = await bench.open(`${PATH}/${ids[2]}`, { scope: 'sales' });
    expect(await past.page.locator('#windows tbody tr').count()).toBe(1);
    await past.close();
    const { windows } = (await (
      await bench.call(`/v1/budgets/${ids[2]}/windows`, { scope: 'sales' })
    ).json()) as PastWindowsBody;
    expect(windows).toMatchObject([{ used: '0', limit: '90000000', steps: [] }]);
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

    // A stop is lifted for a time by who sees it as it is, and holds again when it is restored.
    const [stopped = ''] = ids;
    const reader = await bench.open(`${PATH}/${stopped}`, { scope: 'sales' });
    expect(await reader.page.locator('#steps tbody tr').innerText()).toContain('holds');
    expect(await reader.page.locator('#steps form').count()).toBe(0);
    await reader.close();
    const lifting = await bench.open(`${PATH}/${stopped}`, { scope: 'finance' });
    const late = await bench.open(`${PATH}/${stopped}`, { scope: 'finance' });
    const lift = async ({ page }: typeof lifting, hours: string) => {
      if ((await page.locator('#steps details[open]').count()) === 0)
        await page.locator('#steps summary').click();
      await page.locator('#steps input[name=hours]').fill(hours);
      await page.locator('#steps input[name=reason]').fill('the fair');
      await page.getByRole('button', { name: 'Lift it' }).click();
      return await page.locator('main').innerText();
    };
    expect(await lift(lifting, 'soon')).toContain('is no whole number of hours');
    expect(await lifting.page.locator('#steps input[name=hours]').inputValue()).toBe('soon');
    expect(await lift(lifting, '745')).toContain('is more than 31 days away');
    expect((await steps(stopped)).steps).toMatchObject([{ action: 'stop', liftedUntil: null }]);
    expect(await lift(lifting, '4')).toContain('Lifted for 4 hours');
    expect((await steps(stopped)).steps).toMatchObject([
      { liftedUntil: new Date(bench.clock.now().getTime() + 4 * 3_600_000).toISOString() },
    ]);
    expect(await lift(late, '9')).toContain('Nothing was done');
    await late.page.getByRole('button', { name: 'Restore it' }).click();
    expect(await late.page.locator('main').innerText()).toContain('gateways act on it again');
    expect((await steps(stopped)).steps).toMatchObject([{ liftedUntil: null }]);
    // A form of one budget does nothing to a step of another.
    await late.page.locator('#steps summary').click();
    await late.page.evaluate(
      `document.querySelector('#steps form').setAttribute('action', '${PATH}/${ids[1]}/lift')`,
    );
    expect(await lift(late, '4')).toContain('is of another budget');
    await lifting.close();
    await late.close();

    // The month before, when it is asked for, says what the API says.
    const dry = await bench.open(`${PATH}/${stopped}`, { scope: 'sales', javaScriptEnabled: false });
    await dry.page.getByRole('link', { name: 'October 2026, by its steps' }).click();
    const month = `/v1/enforcement/dry-run?budgetId=${stopped}&period=2026-10`;
    const replayed = (await (await bench.call(month, { scope: 'sales' })).json()) as DryRunBody;
    expect([replayed.saved, replayed.used.cost]).toEqual(['1.00', '3.00']);
    expect(await dry.page.locator('section#dry').innerText()).toContain('saved $1.00 of $3.00');
    expect(await dry.page.locator('section#dry tbody tr').count()).toBe(1);
    await dry.close();
    await bench.walk(`${PATH}/${ids[1]}?dry-run=2026-10&stop=1`);
    const running = await bench.open(`${PATH}/${stopped}?dry-run=2026-11`, { scope: 'sales' });
    expect(await running.page.locator('section#dry').innerText()).toContain('it is not over');
    await running.close();

    // A budget is made in a form: what is wrong stands beside its field, and nothing typed is lost.
    const made = await bench.open(PATH, { scope: 'finance', javaScriptEnabled: false });
    await made.page.getByRole('link', { name: 'New budget' }).click();
    await made.page.locator('input[name=feature]').fill('summarize');
    await made.page.locator('input[name=perUser]').check();
    await made.page.locator('input[name=limit]').fill('0');
    await made.page.locator('select[name=period]').selectOption('rolling_days');
    await made.page.locator('input[name=stepShare]').first().fill('90');
    await made.page.locator('select[name=stepAction]').first().selectOption('slow');
    const send = made.page.getByRole('button', { name: 'Make the budget' });
    const wrong = async (name: string) =>
      await made.page.locator(`label:has([name=${name}]) small`).first().innerText();
    await send.click();
    expect(await wrong('limit')).toContain('is zero');
    expect(await wrong('rollingDayCount')).toContain('goes with the period rolling_days');
    expect(await wrong('stepDetail')).toContain('goes with slow');
    expect(await made.page.locator('input[name=feature]').inputValue()).toBe('summarize');
    expect(await made.page.locator('select[name=period]').inputValue()).toBe('rolling_days');
    expect(await made.page.locator('select[name=stepAction]').first().inputValue()).toBe('slow');
    expect(await made.page.locator('input[name=perUser]').isChecked()).toBe(true);
    await made.page.locator('input[name=limit]').fill('much');
    await send.click();
    expect(await wrong('limit')).toContain('must be a decimal number');
    await made.page.locator('input[name=limit]').fill('1,000.40');
    await made.page.locator('input[name=rollingDayCount]').fill('7');
    await made.page.locator('input[name=stepDetail]').first().fill('20000');
    await send.click();
    expect(await get(made.page.url().split('/').at(-1) ?? '')).toMatchObject({
      name: 'summarize, rolling days',
      scope: 'feature',
      perUser: true,
      rollingDayCount: 7,
      limit: '1000.40',
      currency: 'usd',
      steps: [{ sharePermille: 900, action: 'slow', tokensPerMinute: 20_000 }],
    });
    await made.page.goto(`${bench.origin}${PATH}/new?template=internal-experimentation`);
    await made.page.locator('input[name=customerId]').fill('lab');
    await made.page.locator('input[name=limit]').fill('0');
    await send.click();
    expect((await bench.call('/v1/customers/lab', { scope: 'finance' })).status).toBe(404);
    await made.page.locator('input[name=limit]').fill('30');
    await made.page.locator('input[name=contact]').fill('the platform team');
    await send.click();
    expect(await get(made.page.url().split('/').at(-1) ?? '')).toMatchObject({
      customerId: 'lab',
      limit: '30.00',
      steps: [
        { sharePermille: 500, action: 'tell' },
        { sharePermille: 800, action: 'tell' },
        { sharePermille: 1_000, on: 'forecast', action: 'tell' },
        { sharePermille: 1_000, action: 'stop', contact: 'the platform team' },
      ],
    });
    await made.page.goto(`${bench.origin}${PATH}/new`);
    await made.page.locator('input[name=customerId]').fill('nobody');
    await made.page.locator('input[name=limit]').fill('30');
    await send.click();
    expect(await wrong('customerId')).toContain('there is no such customer');
    await made.close();

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
