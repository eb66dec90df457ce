import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApiScope } from '../../src/identity/api-keys.ts';
import { makeLink } from '../../src/identity/links/links.ts';
import { findPortalVisit, PORTAL_BASES, PORTAL_COOKIE } from '../../src/identity/portal-access.ts';
import type { ApiEnvironment } from '../../src/platform/http/dependencies.ts';
import { createStatementUrl } from '../../src/statements/links.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertInvoice, storeLines } from './statement-world.ts';
import { insertCatalog } from './world.ts';

let bench: ApiBench;
/** Only says whose visit a request is. */
const visits = new Hono<ApiEnvironment>();
const MADE = { madeBy: 'test', kind: 'statement-preview', targetId: 'adatum', customerId: 'adatum' } as const;

beforeAll(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await insertInvoice(bench.ledger.database, { id: 'in_1' });
  const line = { subscriptionItemId: 'si_northwind_prompt', quantity: 100n, unitAmountDecimal: '0.0003' };
  await storeLines(bench.ledger.database, {
    id: 'in_1',
    lines: [{ lineId: 'il_1', ...line, amountMinor: 1n }],
  });
  const { database } = bench.ledger;
  const dependencies = { database, clock: bench.clock, version: 'test' };
  for (const base of PORTAL_BASES) {
    visits.get(`${base}/who`, async (context) => {
      const visit = await findPortalVisit(dependencies, context);
      return context.json(visit?.reader ?? null, visit === null ? 404 : 200);
    });
  }
});
afterAll(() => bench.close());
beforeEach(async () => {
  const { database } = bench.ledger;
  for (const table of ['portal_sessions', 'page_links', 'link_withdrawals'] as const) {
    await database.deleteFrom(table).execute();
  }
});

const post = async (path: string, body: object = {}, scope: ApiScope = 'admin') =>
  await bench.call(path, {
    method: 'POST',
    scope,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
const made = async (path: string, body: object) => {
  const response = await post(path, body);
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as { linkId: string; sessionId: string; url: string };
};
const pathOf = (url: string) => url.replace(/^https?:\/\/[^/]+/, '');
const open = async (url: string, headers = {}) => await bench.api.request(pathOf(url), { headers });
const whoIn = async (url: string) => await (await visits.request(`${pathOf(url)}/who`)).json();
const whoWith = async (cookie: string) => await visits.request('/portal/who', { headers: { cookie } });
const cookieOf = (response: Response) => response.headers.get('set-cookie')?.split(';')[0] ?? '';
const list = async (query = '') =>
  (await (await bench.call(`/v1/links${query}`)).json()) as {
    links: { linkId: string; state: string; kind: string }[];
    nextCursor: string | null;
  };

describe('links', () => {
  it('are listed with whom they are of, narrowed, page by page, and whole as CSV', async () => {
    const links = [];
    for (let index = 0; index < 5; index += 1)
      links.push(await made('/v1/portal/links', { customerId: 'northwind' }));
    const preview = await made('/v1/statements/preview/adatum/links', { validDays: 1 });
    const [first] = links;
    await post(`/v1/links/${first?.linkId}/withdraw`);
    expect((await list('?kind=portal&state=living')).links).toHaveLength(4);
    expect((await list('?state=withdrawn')).links.map(({ linkId }) => linkId)).toEqual([first?.linkId]);
    expect((await list('?customerId=adatum')).links).toMatchObject([
      {
        linkId: preview.linkId,
        kind: 'statement-preview',
        state: 'living',
        madeBy: expect.stringContaining('admin key'),
      },
    ]);
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await list(`?limit=2${cursor}`);
      seen.push(...page.links.map(({ linkId }) => linkId));
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor !== '');
    expect(new Set(seen).size).toBe(6);
    expect(seen).toHaveLength(6);
    const csv = await bench.call('/v1/links', { headers: { accept: 'text/csv' } });
    const text = await csv.text();
    expect(text.trim().split('\r\n')).toHaveLength(7);
    expect(text).not.toContain('signature');
  });

  it('are for finance', async () => {
    for (const scope of ['sales', 'portal'] as const) {
      expect((await bench.call('/v1/links', { scope })).status).toBe(403);
      expect((await post('/v1/portal/links', { customerId: 'northwind' }, scope)).status).toBe(403);
      expect((await post('/v1/customers/northwind/links/withdraw', {}, scope)).status).toBe(403);
    }
    expect((await bench.call('/v1/links', { scope: 'finance' })).status).toBe(200);
  });

  it('open nothing once they are withdrawn, one or all of a customer', async () => {
    const one = await made('/v1/statements/in_1/links', {});
    const other = await made('/v1/statements/in_1/links', {});
    const quoted = await post('/v1/quotes', {
      customerId: 'northwind',
      usage: [{ model: 'gpt-4o', promptTokenCount: 1_000, completionTokenCount: 10 }],
    });
    const quote = (await quoted.json()) as { quoteId: string; pageUrl: string };
    const untouched = await made('/v1/statements/preview/adatum/links', {});
    const all = [one.url, other.url, quote.pageUrl, untouched.url];
    const statuses = async () => await Promise.all(all.map(async (url) => (await open(url)).status));
    expect(await statuses()).toEqual([200, 200, 200, 200]);
    expect((await post(`/v1/links/${one.linkId}/withdraw`)).status).toBe(200);
    expect(await statuses()).toEqual([404, 200, 200, 200]);
    const again = (await (await post(`/v1/links/${one.linkId}/withdraw`)).json()) as { state: string };
    expect(again.state).toBe('withdrawn');
    const ended = await (await post('/v1/customers/northwind/links/withdraw')).json();
    expect(ended).toEqual({ customerId: 'northwind', linkCount: 2, sessionCount: 0 });
    expect(await statuses()).toEqual([404, 404, 404, 200]);

    const told = async () =>
      ((await (await bench.call(`/v1/quotes/${quote.quoteId}`)).json()) as { pageUrl: string | null })
        .pageUrl;
    expect(await told()).toBeNull();
    const renewed = await made(`/v1/quotes/${quote.quoteId}/links`, {});
    expect(await told()).toBe(renewed.url);
    expect((await open(renewed.url)).status).toBe(200);
    expect((await open(quote.pageUrl)).status).toBe(404);
  });

  it('that open nothing are answered like one that never was', async () => {
    const { url, linkId } = await made('/v1/statements/in_1/links', { validDays: 1 });
    const foreign = await made('/v1/statements/preview/northwind/links', {});
    const withdrawn = await made('/v1/statements/in_1/links', {});
    await post(`/v1/links/${withdrawn.linkId}/withdraw`);
    const answers = new Map<string, string>();
    const read = async (name: string, address: string) => {
      const response = await open(address);
      const headers = [...response.headers].filter(([header]) => header !== 'x-request-id').sort();
      answers.set(name, JSON.stringify([response.status, headers, await response.text()]));
    };
    await read(
      'never was',
      `/statements/in_1?expires=1900000000&signature=${'a'.repeat(43)}&link=lnk_${'a'.repeat(22)}`,
    );
    await read('withdrawn', withdrawn.url);
    await read('altered', url.replace(/signature=../, 'signature=__'));
    await read('of another page', `/statements/in_1?${foreign.url.split('?')[1]}`);
    await read('of an invoice that is not there', url.replace('in_1', 'in_none'));
    await read('of another link', url.replace(linkId, withdrawn.linkId));
    const { instant } = bench.clock;
    bench.clock.instant = new Date(instant.getTime() + 86_400_000);
    await read('expired', url);
    bench.clock.instant = instant;
    expect(answers.get('never was')).toContain('404');
    expect(new Set(answers.values()).size).toBe(1);
  });

  it('of memos and quotes are one for each page, however often they are told', async () => {
    const { database } = bench.ledger;
    const settings = { publicUrl: 'https://bill.example.com' } as never;
    const tell = createStatementUrl({ database, clock: bench.clock, settings });
    const urls = await Promise.all([tell('in_1'), tell('in_1'), tell('in_1')]);
    expect(new Set([...urls, await tell('in_1')]).size).toBe(1);
    const { links } = await list('?customerId=northwind');
    expect(links).toMatchObject([{ kind: 'statement', madeBy: 'job:close-invoices' }]);
    await post(`/v1/links/${links[0]?.linkId}/withdraw`);
    expect(await tell('in_1')).toBeNull();
    expect((await list()).links).toHaveLength(1);
  });

  it('may be ten thousand', async () => {
    const { database } = bench.ledger;
    const expiresAt = new Date(bench.clock.now().getTime() + 86_400_000);
    const { linkId } = await makeLink({ database, clock: bench.clock }, { ...MADE, expiresAt });
    const row = await database
      .selectFrom('page_links')
      .selectAll()
      .where('link_id', '=', linkId)
      .executeTakeFirstOrThrow();
    for (let batch = 0; batch < 10; batch += 1) {
      const rows = Array.from({ length: 1_000 }, (_, index) => ({
        ...row,
        link_id: `lnk_${batch}_${index}`,
      }));
      await database.insertInto('page_links').values(rows).execute();
    }
    const page = await list('?limit=1000&customerId=adatum&state=living');
    expect([page.links.length, page.nextCursor === null]).toEqual([1_000, false]);
    const csv = await bench.call('/v1/links', { headers: { accept: 'text/csv' } });
    expect((await csv.text()).trim().split('\r\n')).toHaveLength(10_002);
    const ended = await (await post('/v1/customers/adatum/links/withdraw')).json();
    expect(ended).toMatchObject({ linkCount: 10_001 });
  });
});

describe('a link to the portal', () => {
  it('becomes a cookie of the portal alone, and leaves the address', async () => {
    const { url } = await made('/v1/portal/links', { customerId: 'northwind', userId: 'user-1' });
    expect(url).not.toMatch(/northwind|user-1/);
    const opened = await open(url);
    expect([opened.status, opened.headers.get('location')]).toEqual([303, '/portal']);
    expect(opened.headers.get('set-cookie')).toMatch(
      /^tallystick_portal=[\w-]{43}; Max-Age=28800; Path=\/portal; HttpOnly; SameSite=Lax$/,
    );
    expect(opened.headers.get('referrer-policy')).toBe('no-referrer');
    const who = await whoWith(cookieOf(opened));
    expect(await who.json()).toEqual({ customerId: 'northwind', userId: 'user-1' });
    expect((await open(url)).status, 'again').toBe(303);
  });

  it('gives by https a cookie that plain http cannot set', async () => {
    const { url } = await made('/v1/portal/links', { customerId: 'northwind' });
    const opened = await bench.api.request(`https://bill.example.com${pathOf(url)}`);
    expect(opened.headers.get('set-cookie')).toMatch(new RegExp(`^__Secure-${PORTAL_COOKIE}=.*; Secure;`));
  });

  it('ends with its withdrawal, and the sessions that it opened with it', async () => {
    const { url, linkId } = await made('/v1/portal/links', { customerId: 'northwind' });
    const cookie = cookieOf(await open(url));
    await post(`/v1/links/${linkId}/withdraw`);
    expect((await whoWith(cookie)).status).toBe(404);
    const refused = await open(url);
    expect(refused.status).toBe(404);
    expect(refused.headers.get('set-cookie')).toBeNull();
  });

  it('that opens nothing is answered like one that never was', async () => {
    const good = await made('/v1/portal/links', { customerId: 'northwind', validDays: 1 });
    const other = await made('/v1/portal/links', { customerId: 'adatum' });
    const withdrawn = await made('/v1/portal/links', { customerId: 'northwind' });
    await post(`/v1/links/${withdrawn.linkId}/withdraw`);
    const statement = await made('/v1/statements/preview/northwind/links', {});
    const { instant } = bench.clock;
    const answers: string[] = [];
    const read = async (address: string) => {
      const response = await open(address);
      expect(response.headers.get('set-cookie')).toBeNull();
      const body = (await response.text()).replaceAll(/"requestId":"[^"]*"/g, '');
      answers.push(`${response.status} ${body}`);
    };
    await read('/portal/open');
    await read(withdrawn.url);
    await read(good.url.replace(/signature=../, 'signature=__'));
    await read(good.url.replace(good.linkId, other.linkId));
    await read(`/portal/open?${statement.url.split('?')[1]}`);
    await read(`/portal/open?expires=x&signature=${'%00'.repeat(9)}&link=%00`);
    bench.clock.instant = new Date(instant.getTime() + 86_400_000);
    await read(good.url);
    bench.clock.instant = instant;
    expect(answers[0]).toMatch(/^404 /);
    expect(new Set(answers).size).toBe(1);
  });

  it('is not made for nobody, and tells nothing of the users of others', async () => {
    for (const path of ['/v1/portal/links', '/v1/portal/sessions']) {
      expect((await post(path, { customerId: 'nobody' })).status).toBe(404);
      const foreign = await post(path, { customerId: 'northwind', userId: 'user-3' });
      const unknown = await post(path, { customerId: 'northwind', userId: 'never-seen' });
      expect(foreign.status).toBe(404);
      const bodies = [await foreign.json(), await unknown.json()] as Record<string, unknown>[];
      expect({ ...bodies[0], requestId: '' }).toEqual({ ...bodies[1], requestId: '' });
    }
  });
});

describe('a session that a host begins', () => {
  it('opens the portal of its reader in a frame, however often, until it is ended', async () => {
    const response = await post(
      '/v1/portal/sessions',
      { customerId: 'northwind', userId: 'user-1' },
      'portal',
    );
    expect(response.status).toBe(201);
    const { url, sessionId } = (await response.json()) as { url: string; sessionId: string };
    expect(url).toMatch(/\/portal\/s\/[\w-]{43}$/);
    expect(await whoIn(url)).toEqual({ customerId: 'northwind', userId: 'user-1' });
    expect(await whoIn(url)).toEqual({ customerId: 'northwind', userId: 'user-1' });
    const end = async () =>
      (await bench.call(`/v1/portal/sessions/${sessionId}`, { method: 'DELETE', scope: 'portal' })).status;
    expect(await end()).toBe(200);
    expect(await whoIn(url)).toBeNull();
    expect(await end()).toBe(404);
  });

  it('is ended by its own key alone, or by an admin, and with all links of its customer', async () => {
    const { sessionId, url } = await made('/v1/portal/sessions', { customerId: 'northwind' });
    const end = async (scope: ApiScope) =>
      (await bench.call(`/v1/portal/sessions/${sessionId}`, { method: 'DELETE', scope })).status;
    expect([await end('portal'), await end('finance')]).toEqual([404, 403]);
    expect(await whoIn(url)).not.toBeNull();
    expect(await (await post('/v1/customers/northwind/links/withdraw')).json()).toMatchObject({
      sessionCount: 1,
    });
    expect(await whoIn(url)).toBeNull();
    expect(await end('admin')).toBe(404);
  });

  it('is all that a key of its scope can do', async () => {
    const document = (await (await bench.call('/openapi.json')).json()) as { paths: Record<string, object> };
    const allowed: string[] = [];
    for (const [path, methods] of Object.entries(document.paths)) {
      // Any key may exchange its own secret, and opens nothing afterwards.
      if (!path.startsWith('/v1/') || path === '/v1/keys/own/exchange') continue;
      for (const method of Object.keys(methods)) {
        const filled = path.replaceAll(/\{\w+\}/g, 'x');
        const { status } = await bench.call(filled, { method: method.toUpperCase(), scope: 'portal' });
        if (status !== 403) allowed.push(`${method} ${path}`);
      }
    }
    expect(allowed.sort()).toEqual(['delete /v1/portal/sessions/{sessionId}', 'post /v1/portal/sessions']);
    expect((await bench.call('/metrics', { scope: 'portal' })).status).toBe(403);
    const signIn = await bench.api.request('/console/sign-in', {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ key: bench.keys.portal }).toString(),
    });
    expect([signIn.status, signIn.headers.get('set-cookie')]).toEqual([401, null]);
    expect(await signIn.text()).toContain('opens no page here');
  });
});
