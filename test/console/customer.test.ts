import { parse } from 'csv-parse/sync';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccrualsBody } from '../../src/accruals/schemas.ts';
import { setDisplayNames } from '../../src/catalog/display-names.ts';
import type { CostsBody } from '../../src/costs/routes.ts';
import { moneyInWords, twoDecimals } from '../../src/pages/words.ts';
import { writeAudit } from '../../src/platform/database/audit.ts';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import { insertItem } from '../api/world.ts';
import { insertRequests, insertRollupWorld, rate } from '../costs/rollup-world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { addInvoice } from './invoices-world.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;

const dollars = (amount: string | null) => moneyInWords(twoDecimals(amount ?? ''), 'usd');
const ask = async <Body = CostsBody>(path: string) => (await (await bench.call(path)).json()) as Body;
const costsOf = (by: string, customer = 'northwind') =>
  ask(`/v1/costs?period=2026-11&customerId=${customer}&groupBy=${by}&sort=-cost`);
/** As many users as a large customer has; one of them is called what nobody should be. */
const USERS = 10_000;

const insertCustomer = (customerId: string, name: string) =>
  bench.ledger.database
    .insertInto('customers')
    .values({
      customer_id: customerId,
      stripe_customer_id: null,
      tenant_key: null,
      name,
      currency: null,
      deleted_at: null,
      synced_at: bench.clock.now(),
    })
    .execute();

describe.skipIf(!hasChromium())('the page of one customer', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertRollupWorld(database);
    await insertRequests(database, [{ hour: '2026-11-02T09:00:00Z', requests: 40n }]);
    await insertCustomer('crowd', HOSTILE_NAMES[0] ?? '');
    await insertCustomer('empty/of "all"', HOSTILE_NAMES[3] ?? '');
    await insertItem(database, {
      id: 'si_fee',
      customer: 'northwind',
      currency: 'usd',
      meterId: null,
      cents: '1',
      name: HOSTILE_NAMES[1] ?? '',
    });
    await database
      .updateTable('subscription_items')
      .set({ price_plan: 'scale', price_plan_version: '2026-01-01-abcdef01' })
      .where('customer_id', '=', 'northwind')
      .where('subscription_item_id', '<>', 'si_fee')
      .execute();
    await sql`
      insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
      select 'u' || n, 'crowd', 'crowd', 'tenant', now(), now() from generate_series(1, ${USERS}) as n`.execute(
      database,
    );
    await sql`
      insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, part_start_minute, part_end_minute,
        revision, token_count, delta_token_count, customer_id, created_at)
      select timestamptz '2026-11-10T09:00:00Z' + n % 3 * interval '1 day', 'u' || n, ${HOSTILE_NAMES[4]}, 'gpt-4o', 'gpt-4o-global',
        'prompt', 0, 60, 1, n * 1000, n * 1000, 'crowd', now() from generate_series(1, ${USERS}) as n`.execute(
      database,
    );
    await setDisplayNames(database, {
      customerId: 'crowd',
      names: new Map([[`u${USERS}`, 'Ms Ten Thousand']]),
      actor: 'test',
      now: bench.clock.now(),
    });
    await addInvoice(bench, { id: 'in_done', state: 'finalized' });
    await addInvoice(bench, { id: 'in_held', state: 'held', missing: 3n });
    await addInvoice(bench, { id: 'in_other', customer: 'adatum', currency: 'eur', state: 'held' });
    await database.transaction().execute(async (transaction) => {
      const entry = { actor: 'test', action: 'customer.put', details: {}, now: bench.clock.now() };
      await writeAudit(transaction, { ...entry, target: 'northwind' });
      await writeAudit(transaction, { ...entry, target: 'northwind-of-others' });
    });
    await rate(database);
  }, 120_000);
  afterAll(() => bench?.close());

  it.each([
    '/console/customers/northwind?period=2026-11',
    '/console/customers/crowd?period=2026-11&by=user',
    '/console/customers/empty%2Fof%20%22all%22',
  ])('%s is whole at every size, in both themes, without scripts', async (path) => {
    await bench.walk(path);
  });

  it('is a page that is not there for who is no customer', async () => {
    const { page, status, close } = await bench.open('/console/customers/nobody');
    expect(status).toBe(404);
    expect(await page.locator('main').innerText()).toContain('No customer has the id "nobody"');
    await close();
  });

  it('says what the API says, of the whole and by each dimension, as the ledger has it', async () => {
    const { totals } = await costsOf('day');
    const whole = (await ask('/v1/costs?period=2026-11&groupBy=day')).totals;
    const { page, complaints, close } = await bench.open('/console/customers/northwind?period=2026-11');
    const figures = await page.locator('.figures').first().locator('dd').allInnerTexts();
    expect(figures[0]).toContain(dollars(totals.knownCost));
    expect(figures[1]).toContain(dollars(totals.revenueUsd));
    expect(figures[2]).toContain(dollars(totals.knownMarginUsd));
    const share = (Number(totals.tokenCount) / Number(whole.tokenCount)) * 100;
    expect(figures[3]).toContain(`${share.toFixed(1)} %`);
    const { rows: sums } = await sql<{ tokens: string; cost: string }>`
      select sum(token_count)::text as tokens, round(sum(cost_pico_usd) / 1e12, 2)::text as cost from daily_costs
      where customer_id = 'northwind' and day >= '2026-11-01' and day < '2026-12-01'`.execute(
      bench.ledger.database,
    );
    expect([totals.tokenCount, twoDecimals(totals.knownCost)]).toEqual([sums[0]?.tokens, sums[0]?.cost]);
    expect(complaints).toEqual([]);
    await close();
    for (const by of ['feature', 'model', 'user', 'deployment'] as const) {
      const { rows } = await costsOf(by);
      const { page: tab, close: closeTab } = await bench.open(
        `/console/customers/northwind?period=2026-11&by=${by}`,
      );
      const shown = await tab.locator(`#${by}s td[data-label=Cost]`).allInnerTexts();
      expect(shown.map((text) => text.split('\n')[0])).toEqual(
        rows.map(({ knownCost, unpricedTokenCount, tokenCount }) =>
          unpricedTokenCount === tokenCount ? 'unknown' : dollars(knownCost),
        ),
      );
      expect(await tab.locator(`#${by}s tbody th`).allInnerTexts()).toEqual(rows.map((row) => row[by]));
      await closeTab();
    }
  });

  it('draws each day of 90 with its cost and its revenue', async () => {
    const { rows } = await ask(
      '/v1/costs?from=2026-08-24&to=2026-11-22&customerId=northwind&groupBy=day&limit=200',
    );
    const { page, close } = await bench.open('/console/customers/northwind?period=2026-11');
    const drawn = page.locator('#daily-balance table tbody tr');
    expect(await drawn.count()).toBe(90);
    for (const row of rows) {
      const [cost = '', revenue = ''] = await drawn
        .filter({ hasText: row.day ?? '' })
        .locator('td')
        .allTextContents();
      if (row.knownCost !== '0.00') expect(cost, row.day).toContain(dollars(row.knownCost));
      expect(revenue.split(' ')[0], row.day).toBe(dollars(row.revenueUsd));
    }
    await close();
  });

  it('says the next invoice as the API does, and in words where nobody can say how it ends', async () => {
    const preview = await ask<InvoicePreviewBody>('/v1/customers/northwind/invoice-preview');
    const askedCount = bench.billing.previewCallCount;
    const [subscription] = preview.subscriptions;
    if (subscription === undefined) throw new RangeError('northwind has a subscription');
    const { page, close } = await bench.open('/console/customers/northwind?period=2026-11', {
      scope: 'sales',
    });
    expect(await page.locator('#lines tbody th').count()).toBe(subscription.lines.length);
    const csv = await csvOf('northwind', 'lines');
    expect(csv.map(({ description, quantity, amount }) => [description, quantity, amount])).toEqual(
      subscription.lines.map((line) => [line.description, line.quantity ?? '', line.amount ?? '']),
    );
    const card = await page.locator('.figures dd').nth(4).innerText();
    expect(card).toContain(subscription.total === null ? 'unknown' : dollars(subscription.total));
    const { total, knownDayCount } = subscription.projection;
    expect(card).toContain(total === null ? `${knownDayCount} whole days are known` : dollars(total.p10));
    expect(bench.billing.previewCallCount).toBe(askedCount);
    await close();
  });

  it('lists its invoices and what is not yet invoiced to finance, its acts to admins, and none of others', async () => {
    const path = '/console/customers/northwind?period=2026-11';
    const sales = await bench.open(path, { scope: 'sales' });
    for (const part of ['#invoices', '#accrued', '#acts']) {
      expect(await sales.page.locator(part).count(), part).toBe(0);
    }
    await sales.close();
    const finance = await bench.open(path, { scope: 'finance' });
    const invoices = await finance.page.locator('#invoices tbody th').allInnerTexts();
    expect(invoices.sort()).toEqual(['NUM-in_done', 'NUM-in_held']);
    expect(await finance.page.locator('#acts').count()).toBe(0);
    const { customers } = await ask<AccrualsBody>('/v1/accruals?customerId=northwind');
    const totals = customers[0]?.totals ?? [];
    expect(totals.length).toBeGreaterThan(0);
    const accrued = await finance.page.locator('#accrued + .figures').innerText();
    for (const { accrued: amount } of totals) {
      expect(accrued).toContain(amount === null ? 'unknown' : dollars(amount));
    }
    await finance.page.click('#invoices tr:has-text("NUM-in_done") button');
    expect(await finance.page.locator('.panel a').getAttribute('href')).toContain('/statements/in_done?');
    await finance.page.goto(`${bench.origin}${path}`);
    await finance.page.click('text=Link to its statement so far');
    const href = await finance.page.locator('.panel a').getAttribute('href');
    expect((await bench.api.request(href ?? '')).status).toBe(200);
    await finance.close();
    const admin = await bench.open(path);
    const acts = await admin.page.locator('#acts tbody tr').allInnerTexts();
    expect(acts.filter((text) => text.includes('customer.put'))).toHaveLength(1);
    await admin.close();
  });

  it('stays small with ten thousand users, finds one of them, and exports all', async () => {
    const path = '/console/customers/crowd?period=2026-11&by=user';
    const { page, close } = await bench.open(path);
    expect((await page.content()).length).toBeLessThan(300_000);
    expect(await page.locator('#users tbody tr').count()).toBe(50);
    expect(await page.locator('#users .pager').innerText()).toContain('Page 1 of 200');
    expect(await page.locator('h1').innerText()).toBe(HOSTILE_NAMES[0]);
    expect(await page.locator('main script').count()).toBe(0);
    expect(await page.locator('main').innerText()).toContain('none: nothing of this is billed');
    expect(await page.locator('#users tbody th').first().innerText()).toContain('Ms Ten Thousand');
    await page.fill('.filters [name=user]', 'U999');
    await page.press('.filters [name=user]', 'Enter');
    await page.waitForURL(/user=U999/);
    expect(await page.locator('#users tbody th').allInnerTexts()).toEqual([
      'u9999',
      'u9998',
      'u9997',
      'u9996',
      'u9995',
      'u9994',
      'u9993',
      'u9992',
      'u9991',
      'u9990',
      'u999',
    ]);
    await close();
    const rows = await csvOf('crowd', 'users');
    expect(rows).toHaveLength(USERS);
    const { totals } = await costsOf('day', 'crowd');
    const tokens = rows.reduce((sum, row) => sum + BigInt(row.tokens ?? ''), 0n);
    expect(String(tokens)).toBe(totals.tokenCount);
  });
});

async function csvOf(customerId: string, name: string): Promise<Record<string, string>[]> {
  const { page, close } = await bench.open(`/console/customers/${customerId}?period=2026-11`);
  const text = await page.evaluate(
    `fetch('/console/customers/${customerId}?period=2026-11&csv=${name}').then((answer) => answer.text())`,
  );
  await close();
  return parse(String(text), { columns: true }) as Record<string, string>[];
}
