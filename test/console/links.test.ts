import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertCatalog } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole, sendTwice } from './walk.ts';

const NASTY = '"><script>alert(1)</script> \u202Etxet';

let bench: ConsoleBench;

const make = async (body: object) => {
  const response = await bench.call('/v1/portal/links', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  return (await response.json()) as { linkId: string; url: string };
};

describe.skipIf(!hasChromium())('the page of links', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertCatalog(database);
    await database
      .updateTable('customers')
      .set({ name: NASTY })
      .where('customer_id', '=', 'adatum')
      .execute();
    await bench.walk('/console/links');
    for (let index = 0; index < 60; index += 1) await make({ customerId: 'northwind' });
    await make({ customerId: 'adatum', userId: 'user-3' });
    const quote = {
      customerId: 'northwind',
      usage: [{ model: 'gpt-4o', promptTokenCount: 9, completionTokenCount: 9 }],
    };
    await bench.call('/v1/quotes', {
      method: 'POST',
      body: JSON.stringify(quote),
      headers: { 'content-type': 'application/json' },
    });
  });
  afterAll(() => bench?.close());

  it('is whole at every size, in both themes, without scripts, full and narrowed', async () => {
    await bench.walk('/console/links');
    await bench.walk('/console/links?customer=northwind&state=living', { scope: 'finance' });
    await bench.walk('/console/links?customer=nobody');
  });

  it('keeps an id on one line, whatever stands beside it', async () => {
    await make({ customerId: 'adatum' });
    const { page, close } = await bench.open('/console/links?customer=adatum');
    await page.locator('#links tbody summary').first().click();
    // As wide as it is once the link was opened.
    await page
      .locator('#links tbody td[data-label="Last seen"]')
      .first()
      .evaluate((cell) => {
        cell.innerHTML = '<time>21 Nov 2026, 09:00 UTC</time>';
      });
    const lines = await page
      .locator('#links tbody code')
      .evaluateAll((all) => all.map((one) => one.getClientRects().length));
    expect(new Set(lines)).toEqual(new Set([1]));
    await close();
  });

  it('withdraws a link, without scripts, and says so where two do it at once', async () => {
    const { linkId, url } = await make({ customerId: 'adatum' });
    const tabs = [];
    for (let index = 0; index < 2; index += 1) {
      tabs.push(await bench.open('/console/links?customer=adatum', { javaScriptEnabled: false }));
    }
    for (const [index, { page, close }] of tabs.entries()) {
      const row = page.locator(`tr:has(code[title="${linkId}"])`);
      await row.locator('summary').click();
      await row.locator('button:text-is("Withdraw it")').click();
      const notice = await page.locator('.notice').first().innerText();
      expect(notice).toContain(index === 0 ? 'opens nothing any more' : 'withdrawn already');
      await close();
    }
    const { pathname, search } = new URL(url);
    expect((await fetch(`${bench.origin}${pathname}${search}`, { redirect: 'manual' })).status).toBe(404);
  });

  it('withdraws all of a customer, after saying how many', async () => {
    // Other tests make some as well.
    const living = await bench.ledger.database
      .selectFrom('page_links')
      .select('link_id')
      .where('customer_id', '=', 'northwind')
      .where('withdrawn_at', 'is', null)
      .execute();
    expect(living.length).toBeGreaterThan(60);
    const { page, close } = await bench.open('/console/links?customer=northwind', { scope: 'finance' });
    await page.locator('summary:has-text("Withdraw all of")').click();
    const panel = page.locator('details.panel:has(button:has-text("Withdraw all"))');
    expect(await panel.innerText()).toContain(`${living.length} living links and 0 sessions`);
    await panel.locator('button').click();
    expect(await page.locator('.notice').first().innerText()).toContain(`${living.length} links withdrawn`);
    await close();
  });

  it('makes a link to the portal, and keeps what was typed when it cannot', async () => {
    const { page, close } = await bench.open('/console/links', { javaScriptEnabled: false });
    await page.locator('summary:text-is("Make a link to the portal")').click();
    await page.fill('[name=customerId]', 'adatum');
    await page.fill('[name=userId]', 'user-1');
    await page.click('button:text-is("Make the link")');
    expect(await page.locator('[role=alert]').innerText()).toContain('no user of this id');
    expect(await page.inputValue('[name=userId]')).toBe('user-1');
    await page.fill('[name=userId]', 'user-3');
    await page.click('button:text-is("Make the link")');
    expect(await page.inputValue('.panel.link input')).toMatch(/\/portal\/open\?expires=\d+&signature=/);
    await close();
  });

  it('gives the whole list as CSV, with the same filters', async () => {
    const { page, close } = await bench.open('/console/links?customer=adatum');
    const csv = String(
      await page.evaluate("fetch('?customer=adatum&csv=links').then((answer) => answer.text())"),
    );
    expect(csv.split('\r\n')[0]).toContain('opens,customer,state,until,seen,by,link');
    expect(csv).not.toContain('signature');
    await close();
  });

  it('makes one link of a form that is sent twice, and shows it to both', async () => {
    const { page, close } = await bench.open('/console/links', { scope: 'finance' });
    await page.click('summary:has-text("Make")');
    await page.fill('[name=customerId]', 'northwind');
    await page.fill('[name=validDays]', '77');
    const linkCount = async () =>
      (await bench.ledger.database.selectFrom('page_links').select('link_id').execute()).length;
    const before = await linkCount();
    const { refused, showed } = await sendTwice(page, 'form[action$="/portal"]');
    expect(refused).toEqual([]);
    expect(showed[0]).toContain('/portal/open?expires=');
    expect(showed[1]).toBe(showed[0]);
    expect(await linkCount()).toBe(before + 1);
    await close();
  });

  it('is not for sales', async () => {
    const { status, close } = await bench.open('/console/links', { scope: 'sales' });
    expect(status).toBe(403);
    await close();
  });
});
