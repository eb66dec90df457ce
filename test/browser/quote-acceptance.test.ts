import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import type { Seller } from '../../src/platform/seller.ts';
import { insertCatalog } from '../api/world.ts';
import { type ConsoleBench, checkPage, openConsole } from '../console/walk.ts';
import { hasChromium } from '../setup/chromium.ts';

let bench: ConsoleBench;

const seller: Seller = {
  name: 'Contoso Cloud <b>AB</b>',
  address: ['Storgatan 1', '111 23 Stockholm'],
  contact: 'sales@contoso.example',
  logo: 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  color: '#7a3ff2',
  terms: ['Invoices are due within 30 days.'],
};
const settings = { ...DEFAULT_API_SETTINGS, seller, quoteTerms: { validDays: 14, contractMonths: 24 } };

async function quote(more: Record<string, unknown> = {}) {
  const response = await bench.call('/v1/quotes', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      usage: [{ model: 'gpt-4o', promptTokenCount: 2_000_000, completionTokenCount: 1_000_000 }],
      preparedFor: 'Northwind',
      ...more,
    }),
  });
  expect(response.status, await response.clone().text()).toBe(201);
  const body = (await response.json()) as { quoteId: string; pageUrl: string; acceptance: unknown };
  expect(body.acceptance).toBeNull();
  const url = new URL(body.pageUrl);
  return { quoteId: body.quoteId, path: `${url.pathname}${url.search}` };
}

async function openQuote(path: string, width = 1_280, colorScheme: 'light' | 'dark' = 'light') {
  return await bench.open(path, { scope: null, width, colorScheme, javaScriptEnabled: false });
}

async function accept({ page }: Awaited<ReturnType<typeof openQuote>>, name: string): Promise<void> {
  await page.fill('[name=name]', name);
  await page.check('[name=agreed]');
  await Promise.all([page.waitForLoadState('load'), page.click('.accept button')]);
}

const acceptances = async (quoteId: string) =>
  await bench.ledger.database
    .selectFrom('quote_acceptances')
    .selectAll()
    .where('quote_id', '=', quoteId)
    .execute();

describe.skipIf(!hasChromium())('a customer who accepts a quote', () => {
  beforeAll(async () => {
    bench = await openConsole({ settings });
    await insertCatalog(bench.ledger.database);
  });
  beforeEach(() => {
    bench.clock.instant = new Date('2026-11-21T10:30:00.000Z');
    settings.seller = seller;
  });
  afterAll(() => bench?.close());

  it('reads who sells, the terms, how long the contract runs, and until when', async () => {
    const { path, quoteId } = await quote();
    for (const width of [1_280, 360]) {
      for (const scheme of ['light', 'dark'] as const) {
        const opened = await openQuote(path, width, scheme);
        const text = (await opened.page.textContent('main')) ?? '';
        for (const said of [
          'Contoso Cloud <b>AB</b>',
          '111 23 Stockholm',
          'sales@contoso.example',
          'Invoices are due within 30 days.',
          'The contract runs for 2 years',
          '5 December 2026',
        ]) {
          expect(text).toContain(said);
        }
        expect(await opened.page.locator('.seller img').count()).toBe(1);
        expect(opened.complaints).toEqual([]);
        expect(opened.foreign()).toEqual([]);
        await opened.close();
        // With scripts of the test alone: the page has none.
        const seen = await bench.open(path, { scope: null, width, colorScheme: scheme });
        await checkPage(seen.page, `${quoteId} at ${width}`, width);
        await seen.close();
      }
    }
  });

  it('does it once, and everybody sees it: the page, the console, the API and the audit log', async () => {
    const { path, quoteId } = await quote();
    const name = '<script>alert(1)</script> \u202Eתجربة';
    const opened = await openQuote(path);
    await accept(opened, name);
    expect(await opened.page.textContent('.accepted')).toContain(name);
    expect(await opened.page.textContent('.accepted')).toContain('21 November 2026 at 10:30 UTC');
    expect(await opened.page.locator('.accept form').count()).toBe(0);
    expect(opened.complaints).toEqual([]);
    await opened.close();
    const body = (await (await bench.call(`/v1/quotes/${quoteId}`)).json()) as Record<string, unknown>;
    expect(body.acceptance).toMatchObject({ acceptedBy: name, acceptedAt: '2026-11-21T10:30:00.000Z' });
    const audit = bench.ledger.database.selectFrom('audit_log').selectAll().where('target', '=', quoteId);
    expect(await audit.execute()).toMatchObject([{ action: 'quote.accept', details: { acceptedBy: name } }]);
    await bench.walk(`/console/quotes/${quoteId}`);
    const inside = await bench.open(`/console/quotes/${quoteId}`);
    expect(await inside.page.textContent('main .notice')).toContain('Accepted');
    await inside.close();
    const list = await bench.open('/console/quotes?state=accepted');
    expect(await list.page.textContent('#quotes')).toContain(name);
    await list.close();
    // What was agreed to stays, whatever the seller says from now on, and nobody can change it.
    settings.seller = { ...seller, terms: ['Pay at once.'] };
    const later = await openQuote(path);
    expect(await later.page.textContent('.terms')).toContain('within 30 days');
    await later.close();
    await expect(
      bench.ledger.database.updateTable('quote_acceptances').set({ accepted_by: 'Mallory' }).execute(),
    ).rejects.toThrow(/never changed/);
  });

  it('still reads what they accepted after the quote expired, unless the link was withdrawn; nobody else does', async () => {
    const [accepted, open, withdrawn] = [await quote(), await quote(), await quote()];
    for (const { path } of [accepted, withdrawn]) {
      const tab = await openQuote(path);
      await accept(tab, 'Ada Lovelace');
      await tab.close();
    }
    await bench.ledger.database
      .updateTable('page_links')
      .set({ withdrawn_at: bench.clock.now(), withdrawn_by: 'test' })
      .where('target_id', '=', withdrawn.quoteId)
      .execute();
    bench.clock.instant = new Date('2027-06-01T10:30:00.000Z');
    const later = await openQuote(accepted.path);
    expect(later.status).toBe(200);
    expect(await later.page.textContent('.accepted')).toContain('Accepted by Ada Lovelace');
    expect(await later.page.textContent('main')).not.toContain('can no longer be accepted');
    await later.close();
    for (const { path } of [open, withdrawn]) {
      expect((await bench.api.request(path)).status).toBe(404);
    }
  });

  it('wins over another tab at the same time, and both see whose it is', async () => {
    const { path, quoteId } = await quote();
    const [first, second] = [await openQuote(path), await openQuote(path)];
    await Promise.all([accept(first, 'Ada Lovelace'), accept(second, 'Charles Babbage')]);
    const rows = await acceptances(quoteId);
    expect(rows.length).toBe(1);
    const winner = rows[0]?.accepted_by ?? 'nobody';
    const texts = [await first.page.textContent('main'), await second.page.textContent('main')];
    for (const text of texts) expect(text).toContain(`Accepted by ${winner}`);
    expect(texts.filter((text) => text?.includes('had been accepted already')).length).toBe(1);
    await first.close();
    await second.close();
  });

  it('is told of what changed, of what expired, of a name that is none; what was typed stays', async () => {
    const { path, quoteId } = await quote();
    const opened = await openQuote(path);
    settings.seller = { ...seller, terms: ['Pay at once.'] };
    await accept(opened, 'Ada Lovelace');
    expect(await opened.page.textContent('.notice')).toContain('changed since you opened the page');
    expect(await opened.page.textContent('.terms')).toContain('Pay at once.');
    expect(await opened.page.inputValue('[name=name]')).toBe('Ada Lovelace');
    await accept(opened, 'x'.repeat(200));
    await opened.close();
    expect((await acceptances(quoteId))[0]?.accepted_by).toBe('x'.repeat(200));

    const late = await quote({ validDays: 1 });
    const tab = await openQuote(late.path);
    bench.clock.instant = new Date('2026-11-22T10:30:00.000Z');
    await accept(tab, 'Ada Lovelace');
    expect(await tab.page.textContent('main')).toContain(
      'was valid until 22 November 2026 and can no longer',
    );
    await tab.close();
    expect(await acceptances(late.quoteId)).toEqual([]);
  });
});

describe('an acceptance that nobody was asked for', () => {
  let own: ConsoleBench | undefined;
  beforeAll(async () => {
    bench = own = await openConsole({ settings });
    await insertCatalog(bench.ledger.database);
  });
  afterAll(() => own?.close());

  const send = async (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
    await bench.api.request(path.replace('?', '/accept?'), {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'sec-fetch-site': 'same-origin',
        ...headers,
      },
      body: new URLSearchParams(fields).toString(),
    });
  const formOf = async (path: string) => {
    const text = await (await bench.api.request(path)).text();
    const fieldOf = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1] ?? '';
    return { token: fieldOf('token'), offer: fieldOf('offer'), name: 'Ada', agreed: 'yes' };
  };

  it('is refused: another host, no token, another quote’s token, a foreign link, a key alone, no consent, a long name, no price', async () => {
    const [one, other] = [await quote(), await quote({ title: 'Other' })];
    const form = await formOf(one.path);
    expect((await send(one.path, form, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await send(one.path, { ...form, token: '' })).status).toBe(409);
    expect((await send(one.path, await formOf(other.path))).status).toBe(409);
    expect((await send(one.path.replace(/quote_[\w-]+/, other.quoteId), form)).status).toBe(404);
    const byKey = await send(`/quotes/${one.quoteId}?x=`, form, {
      authorization: `Bearer ${bench.keys.admin}`,
    });
    expect(byKey.status).toBe(404);
    expect((await send(one.path, { ...form, agreed: '' })).status).toBe(400);
    expect((await send(one.path, { ...form, name: ' ' })).status).toBe(400);
    expect((await send(one.path, { ...form, name: 'x'.repeat(500) })).status).toBe(400);
    expect((await send(one.path, { ...form, name: 'x'.repeat(20_000) })).status).toBe(413);
    expect(await acceptances(one.quoteId)).toEqual([]);
    const unpriced = await quote({
      usage: [{ model: 'gpt-4o-mini', promptTokenCount: 10, completionTokenCount: 1 }],
    });
    expect((await send(unpriced.path, { ...form, ...(await formOf(unpriced.path)) })).status).toBe(409);
    expect((await send(one.path, form)).status).toBe(303);
    expect((await send(one.path, form)).status).toBe(409);
    expect((await acceptances(one.quoteId)).length).toBe(1);
  });
});
