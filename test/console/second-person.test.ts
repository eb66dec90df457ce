import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { insertCatalog } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { addCredit, addInvoice } from './invoices-world.ts';
import { type ConsoleBench, openConsole } from './walk.ts';

let bench: ConsoleBench;
const PATH = '/console/invoices/second-person';
const settings = {
  ...DEFAULT_API_SETTINGS,
  secondPerson: { above: new Map([['usd', 1_000n]]), waitHours: 72 },
};

let bensKey: string;

async function createBen(): Promise<void> {
  const { plainKey } = await createApiKey(bench.ledger.database, {
    name: 'Ben',
    scopes: ['admin'],
    actor: 'command line (test)',
    now: new Date('2026-11-01'),
  });
  bensKey = plainKey;
}

/** Signed in as another person. */
async function asBen<Result>(work: () => Promise<Result>): Promise<Result> {
  const usual = bench.keys.admin;
  bench.keys.admin = bensKey;
  bench.forgetSessions();
  return await work().finally(() => {
    bench.keys.admin = usual;
    bench.forgetSessions();
  });
}

describe.skipIf(!hasChromium())('the page of what waits for a second person', () => {
  beforeAll(async () => {
    bench = await openConsole({ settings });
    const { database } = bench.ledger;
    await insertCatalog(database);
    await addInvoice(bench, { id: 'in_big', state: 'held', missing: 9n, totalMinor: 210_040n });
    await addInvoice(bench, { id: 'in_done', state: 'finalized' });
    await createBen();
    await bench.walk(PATH);
    const { page, close } = await bench.open(PATH, { javaScriptEnabled: false });
    expect(await page.locator('.lead').innerText()).toBe('Nothing waits for a second person.');
    await close();
  });
  afterAll(() => bench?.close());

  it('says that an act will wait and that it does, once on each list, until another person agrees', async () => {
    const { page, close } = await bench.open('/console/invoices/in_big', { javaScriptEnabled: false });
    expect(await page.locator('#held').innerText()).toContain('Above $10.00 a second person must agree');
    await page.locator('textarea[name=reason]').fill('12 tokens, agreed');
    await page.locator('button:has-text("Release $2,100.40")').click();
    expect(page.url()).toContain(`${PATH}?request=`);
    const text = await page.locator('main').innerText();
    expect(text).toContain(
      'Not done yet: $2,100.40 needs a second person. It waits until 2026-11-24, 10:30 UTC.',
    );
    expect(text).toContain('12 tokens, agreed');
    expect(text).toContain('You asked for it: somebody else agrees, or you withdraw it.');
    expect(await page.locator('form[action$="/agree"]').count()).toBe(0);
    const { pathname, search } = new URL(page.url());
    const request = pathname + search;
    await bench.walk(request);
    await close();
    const invoice = await bench.open('/console/invoices/in_big');
    expect(await invoice.page.locator('#held').innerText()).toContain('It waits for a second person');
    await invoice.close();
    const invoices = await bench.open('/console/invoices', { scope: 'finance' });
    const rows = await invoices.page.locator('#needs tbody tr').allInnerTexts();
    expect(rows.filter((row) => row.includes('in_big'))).toHaveLength(1);
    expect(rows.find((row) => row.includes('in_big'))).toContain('second person');
    expect(rows.find((row) => row.includes('in_big'))).toContain('Stripe finalizes it in 9 h');
    await invoices.close();
    const overview = await bench.open('/console/overview', { scope: 'finance' });
    const todo = await overview.page.locator('.todo').innerText();
    expect(todo).toContain('Release of in_big');
    expect(todo).toContain('waits for a second person');
    expect(todo).not.toContain('is held');
    await overview.close();
    const ben = await asBen(() => bench.open(request, { javaScriptEnabled: false }));
    const panel = await ben.page.locator('#request').innerText();
    expect(panel).toContain('Release of in_big: $2,100.40');
    expect(panel).toContain('Stripe finalizes it in 9 h');
    await asBen(() => bench.walk(request));
    await ben.page.locator('button:has-text("Agree")').click();
    expect(await ben.page.locator('main').innerText()).toContain('Done: release of in_big, $2,100.40.');
    expect(await ben.page.locator('#ended tbody').innerText()).toContain('agreed');
    await ben.close();
    const done = await bench.open('/console/invoices/in_big');
    expect(await done.page.locator('main').innerText()).toMatch(
      /by key:admin key \(key_.+\), agreed by key:Ben/,
    );
    await done.close();
  });

  it('says that it is too late where Stripe’s time ran out while it waited', async () => {
    const credit = await addCredit(bench, 'in_done');
    const asked = await bench.call(`/v1/credit-proposals/${credit}/reject`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'not ours' }),
    });
    expect(asked.status).toBe(202);
    await addInvoice(bench, { id: 'in_late', state: 'held', missing: 9n, totalMinor: 5_000n });
    await bench.call('/v1/closes/in_late/release', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'soon' }),
    });
    const before = bench.clock.instant;
    bench.clock.instant = new Date(before.getTime() + 10 * 3_600_000);
    const { page, close } = await bench.open(PATH);
    expect(await page.locator('#waiting').innerText()).toContain(
      'Stripe’s time for it ran out while it waited',
    );
    await close();
    await bench.walk(PATH);
    bench.clock.instant = before;
  });
});
