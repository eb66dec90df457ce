import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CONSOLE_PAGES } from '../../src/console/registry.ts';
import { type ApiScope, createApiKey, listApiKeys, revokeApiKey } from '../../src/identity/api-keys.ts';
import { FAILURES_PER_WINDOW } from '../../src/identity/sessions/failures.ts';
import { createSignInLink } from '../../src/identity/sessions/sign-in-links.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertInvoice } from '../api/statement-world.ts';
import { insertCatalog } from '../api/world.ts';

const OURS = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' };

let bench: ApiBench;

beforeAll(async () => {
  bench = await createApiBench();
});
afterAll(() => bench?.close());
beforeEach(async () => {
  await bench.ledger.database.deleteFrom('console_sign_in_failures').execute();
});

const ask = (path: string, init: RequestInit = {}) => bench.api.request(path, init);

function send(
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const body = new URLSearchParams(fields).toString();
  return Promise.resolve(ask(path, { method: 'POST', headers: { ...OURS, ...headers }, body }));
}

const cookieOf = (response: Response) => response.headers.get('set-cookie')?.split(';')[0] ?? '';

async function signIn(scope: ApiScope = 'admin'): Promise<string> {
  const response = await send('/console/sign-in', { key: bench.keys[scope], to: '/console/audit' });
  expect(response.status).toBe(303);
  return cookieOf(response);
}

async function formTokenIn(cookie: string, path = '/console/start'): Promise<string> {
  const page = await (await ask(path, { headers: { cookie } })).text();
  return /name="formToken" value="([^"]+)"/.exec(page)?.[1] ?? '';
}

describe('signing in', () => {
  it('leads from / to the console, and tells JSON to who asks for it', async () => {
    const browser = await ask('/', { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
    expect([browser.status, browser.headers.get('location')]).toEqual([302, '/console']);
    expect(await (await ask('/')).json()).toMatchObject({ name: 'tallystick', console: '/console' });
  });

  it('with a key gives a cookie that no script reads, and goes where one wanted to', async () => {
    const first = await ask('/console/audit?actor=me');
    expect(first.status).toBe(302);
    expect(first.headers.get('location')).toBe('/console/sign-in?to=%2Fconsole%2Faudit%3Factor%3Dme');
    const response = await send('/console/sign-in', { key: bench.keys.admin, to: '/console/audit?actor=me' });
    expect(response.headers.get('location')).toBe('/console/audit?actor=me');
    expect(response.headers.get('set-cookie')).toMatch(
      /^tallystick_session=[\w-]{43}; Max-Age=28800; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    const page = await ask('/console/audit', { headers: { cookie: cookieOf(response) } });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
    expect(page.headers.get('cache-control')).toBe('no-store');
  });

  it('by https gives a cookie of this host alone', async () => {
    const response = await send('https://bill.example.com/console/sign-in', { key: bench.keys.admin });
    expect(response.headers.get('set-cookie')).toMatch(
      /^__Host-tallystick_session=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
  });

  it.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/console/../../evil',
    '/consoles',
    'javascript:alert(1)',
    '/console\r\nX-Evil: 1/../../x',
    '/v1/status',
  ])('never leads to %j', async (to) => {
    const response = await send('/console/sign-in', { key: bench.keys.admin, to });
    expect(response.headers.get('location')).toBe('/console');
    expect(response.headers.get('x-evil')).toBeNull();
  });

  it('refuses what is no live key, alike', async () => {
    const made = await createApiKey(bench.ledger.database, {
      name: 'gone',
      scopes: ['admin'],
      actor: 'test',
      now: bench.clock.now(),
    });
    await revokeApiKey(bench.ledger.database, made.key.apiKeyId, { actor: 'test', now: bench.clock.now() });
    const answers = await Promise.all(
      [made.plainKey, `tsk_${'x'.repeat(43)}`, '', "' or 1=1"].map(async (key) => {
        const response = await send('/console/sign-in', { key });
        return [response.status, response.headers.get('set-cookie'), await response.text()];
      }),
    );
    expect(answers.map(([status, cookie]) => [status, cookie])).toEqual(answers.map(() => [401, null]));
    expect(new Set(answers.map(([, , text]) => text)).size).toBe(1);
  });

  it('waits after too many failures, for a live key too', async () => {
    for (let count = 0; count < FAILURES_PER_WINDOW; count += 1) {
      expect((await send('/console/sign-in', { key: 'wrong' })).status).toBe(401);
    }
    expect((await send('/console/sign-in', { key: bench.keys.admin })).status).toBe(429);
  });

  it('is refused to a form of another site', async () => {
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
    ]) {
      expect((await send('/console/sign-in', { key: bench.keys.admin }, headers)).status).toBe(403);
    }
    const bare = (headers: Record<string, string>) =>
      ask('/console/sign-in', {
        method: 'POST',
        headers,
        body: new URLSearchParams({ key: bench.keys.admin }),
      });
    expect((await bare({})).status).toBe(403);
    expect((await bare({ origin: 'null' })).status).toBe(403);
    expect((await bare({ origin: 'http://evil.example' })).status).toBe(403);
    expect((await bare({ origin: 'http://localhost' })).status).toBe(303);
  });

  it('takes no session that a browser brought, and ends that one', async () => {
    const mine = await signIn();
    const response = await send('/console/sign-in', { key: bench.keys.sales }, { cookie: mine });
    expect(cookieOf(response)).not.toBe(mine);
    expect((await ask('/console/audit', { headers: { cookie: mine } })).status).toBe(302);
  });

  it('is written down, and by no secret', async () => {
    const token = (await signIn()).split('=')[1] ?? '';
    const rows = await bench.ledger.database.selectFrom('audit_log').selectAll().execute();
    expect(rows.at(-1)).toMatchObject({ action: 'session.begin', details: { by: 'key' } });
    expect(rows.at(-1)?.actor).toMatch(/^key:admin key \(key_/);
    const sessions = await bench.ledger.database.selectFrom('console_sessions').selectAll().execute();
    expect(JSON.stringify(sessions)).not.toContain(token);
  });
});

describe('a session', () => {
  const isIn = async (cookie: string) =>
    (await ask('/console/start', { headers: { cookie } })).status === 200;

  it('ends an hour after it was last used, and eight hours after it began', async () => {
    const { database } = bench.ledger;
    for (const column of ['last_seen_at', 'created_at'] as const) {
      const cookie = await signIn();
      const limit = column === 'created_at' ? '8 hours' : '1 hour';
      await sql`update console_sessions set ${sql.ref(column)} = now() - ${limit}::interval + interval '1 minute'`.execute(
        database,
      );
      expect(await isIn(cookie)).toBe(true);
      await sql`update console_sessions set ${sql.ref(column)} = now() - ${limit}::interval - interval '1 second'`.execute(
        database,
      );
      expect(await isIn(cookie)).toBe(false);
    }
  });

  it('goes on while it is used', async () => {
    await bench.ledger.database.deleteFrom('console_sessions').execute();
    const cookie = await signIn();
    await sql`update console_sessions set last_seen_at = now() - interval '59 minutes'`.execute(
      bench.ledger.database,
    );
    expect(await isIn(cookie)).toBe(true);
    const { rows } = await sql<{ fresh: boolean }>`
      select bool_and(last_seen_at > now() - interval '1 minute') as fresh from console_sessions`.execute(
      bench.ledger.database,
    );
    expect(rows).toEqual([{ fresh: true }]);
  });

  it('ends with its key, and has no more rights than it', async () => {
    const { database } = bench.ledger;
    const now = bench.clock.now();
    const { plainKey, key } = await createApiKey(database, {
      name: 'short',
      scopes: ['sales'],
      actor: 'test',
      now,
    });
    const cookie = cookieOf(await send('/console/sign-in', { key: plainKey }));
    const refused = await ask('/console/pipeline', { headers: { cookie } });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('lacks the scope finance or admin');
    expect(await isIn(cookie)).toBe(true);
    await revokeApiKey(database, key.apiKeyId, { actor: 'test', now });
    expect(await isIn(cookie)).toBe(false);
  });

  it('is no key for the API, and a key is no session', async () => {
    const cookie = await signIn();
    expect((await ask('/v1/status', { headers: { cookie } })).status).toBe(401);
    const byKey = await ask('/console/audit', { headers: { authorization: `Bearer ${bench.keys.admin}` } });
    expect(byKey.status).toBe(302);
  });

  it('ends for good when one signs out, by a form of its own', async () => {
    const cookie = await signIn();
    await send('/console/sign-out', { formToken: 'x' }, { cookie });
    expect(await isIn(cookie)).toBe(true);
    await send('/console/sign-out', { formToken: await formTokenIn(cookie) }, { cookie });
    expect(await isIn(cookie)).toBe(false);
  });
});

describe('the search', () => {
  it('finds invoices for whoever may see one, and for nobody else', async () => {
    const { database } = bench.ledger;
    await insertCatalog(database);
    await insertInvoice(database, { id: 'in_sought', number: 'SOUGHT-1' });
    const textFor = async (key: string) => {
      const cookie = cookieOf(await send('/console/sign-in', { key }));
      return await (await ask('/console/search?q=sought', { headers: { cookie } })).text();
    };
    expect(await textFor(bench.keys.finance)).toContain('SOUGHT-1');
    const forSales = await textFor(bench.keys.sales);
    expect(forSales).not.toContain('SOUGHT-1');
    expect(forSales).not.toContain('northwind');
  });
});

describe('an address that somebody made up', () => {
  it.each([
    '/console/audit?csv=constructor',
    '/console/audit?csv=__proto__',
    '/console/audit?csv=toString',
    '/console/pipeline?csv=%0d%0aX-Evil:%201',
    '/console/pipeline?csv=acts',
  ])('%s has no table', async (path) => {
    const response = await ask(path, { headers: { cookie: await signIn() } });
    expect([response.status, response.headers.get('x-evil')]).toEqual([404, null]);
  });

  it.each([
    '/console/search?q=%00',
    '/console/search?q=a%00b',
    '/console/search?q=%ED%A0%80',
    '/console/audit?actor=%00&action=%00&target=%25_%5C',
    '/console/audit?acts-sort=constructor&acts-page=-1',
    '/console/audit?acts-page=99999999999999999999',
    '/console/pipeline?reason=%00&stage=constructor&customer=%ff&waiting-sort=-__proto__&waiting-page=0',
    '/console/pipeline?period=from-to&from=2026-02-30&to=x&currency=%3Cscript%3E',
  ])('%s is a page all the same', async (path) => {
    const response = await ask(path, { headers: { cookie: await signIn() } });
    expect(response.status).toBe(200);
    expect(await response.text()).not.toContain('<script>');
  });

  it('below the console is a page that says so', async () => {
    const response = await ask('/console/nothing/%3Cscript%3E', { headers: { cookie: await signIn() } });
    expect([response.status, response.headers.get('content-type')]).toEqual([
      404,
      'text/html; charset=UTF-8',
    ]);
  });
});

describe('a form', () => {
  const act = '/console/pipeline/write-off';
  const typed = { entry: 'usage-1', reason: 'a <b>long</b> reason, typed with care' };

  it('acts only with the token of its session, and else asks to be sent again', async () => {
    const [mine, other] = [await signIn(), await signIn('finance')];
    for (const formToken of ['', 'x', await formTokenIn(other)]) {
      const response = await send(act, { ...typed, formToken }, { cookie: mine });
      const text = await response.text();
      expect(text).toContain('Send it again?');
      expect(text).toContain('a &lt;b&gt;long&lt;/b&gt; reason, typed with care');
    }
    const own = await send(act, { ...typed, formToken: await formTokenIn(mine) }, { cookie: mine });
    expect(own.status).toBe(404);
    expect(await own.text()).toContain('Nothing in quarantine has the id usage-1.');
  });

  it('of another site acts never, token or not', async () => {
    const cookie = await signIn();
    const formToken = await formTokenIn(cookie);
    const response = await send(act, { ...typed, formToken }, { cookie, 'sec-fetch-site': 'cross-site' });
    expect(response.status).toBe(403);
  });

  it('whose session ended keeps all that was typed until one is signed in, and then is sent by hand', async () => {
    const ended = await send(act, { ...typed, formToken: 'of-the-old-session' });
    expect(ended.status).toBe(401);
    const page = await ended.text();
    const carried = /name="carried" value="([^"]+)"/.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect(Object.fromEntries(new URLSearchParams(carried))).toEqual(typed);
    const again = await send('/console/sign-in', { key: bench.keys.admin, act, carried, to: '/console' });
    const text = await again.text();
    expect(text).toContain(`action="${act}"`);
    expect(text).toContain('a &lt;b&gt;long&lt;/b&gt; reason, typed with care');
    const formToken = /name="formToken" value="([^"]+)"/.exec(text)?.[1] ?? '';
    const sent = await send(act, { ...typed, formToken }, { cookie: cookieOf(again) });
    expect(sent.status).toBe(404);
  });

  it.each(
    CONSOLE_PAGES.flatMap(({ path, acts = {} }) =>
      Object.keys(acts).map((name) => `${path.replaceAll(/:\w+/g, 'of-mine')}/${name}`),
    ),
  )('sent to %s by an ended session is kept whole, and by one that may not do it too', async (path) => {
    const fields = { reason: 'said with <care>\r\nover two lines', empty: '', name: 'twice & more' };
    const ended = await send(path, { ...fields, formToken: 'of-the-old-session' });
    expect(ended.status).toBe(401);
    const carried = /name="carried" value="([^"]+)"/.exec(await ended.text())?.[1]?.replaceAll('&amp;', '&');
    expect(Object.fromEntries(new URLSearchParams(carried))).toEqual(fields);
    const again = await send('/console/sign-in', {
      key: bench.keys.sales,
      act: path,
      carried: carried ?? '',
    });
    const page = await again.text();
    expect(page).toContain(`action="${path}"`);
    // It would be done, and end the key that others sign in with here.
    if (path.endsWith('/own-key/exchange')) return;
    const formToken = /name="formToken" value="([^"]+)"/.exec(page)?.[1] ?? '';
    const refused = await send(path, { ...fields, formToken }, { cookie: cookieOf(again) });
    // One act takes nothing that is typed, and is for sales too.
    if (path.endsWith('/upcoming/refresh')) return;
    expect(refused.status).toBeGreaterThanOrEqual(400);
    const kept = (await refused.text()).replaceAll('\r', '');
    for (const text of ['said with &lt;care&gt;\nover two lines', 'twice &amp; more'])
      expect(kept).toContain(text);
  });

  it('is not carried to anywhere else', async () => {
    const response = await send('/console/sign-in', {
      key: bench.keys.admin,
      act: 'https://evil.example/steal',
      carried: 'secret=1',
    });
    expect(await response.text()).toContain('action="/console"');
  });

  it('that the key may not send says so, and does nothing', async () => {
    const cookie = await signIn('finance');
    const formToken = await formTokenIn(cookie);
    const response = await send(act, { ...typed, formToken }, { cookie });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('lacks the scope admin');
  });
});

describe('a link that signs in', () => {
  const useLink = (path: string, init: RequestInit = {}) => ask(path, init);
  const keyId = async () =>
    (await listApiKeys(bench.ledger.database)).find(({ name }) => name === 'admin key')?.apiKeyId ?? '';

  it('works once', async () => {
    const path = await createSignInLink(bench.ledger.database, await keyId());
    const first = await useLink(path);
    expect([first.status, first.headers.get('location')]).toEqual([303, '/console']);
    expect((await ask('/console/audit', { headers: { cookie: cookieOf(first) } })).status).toBe(200);
    const second = await useLink(path);
    expect([second.status, second.headers.get('set-cookie')]).toEqual([410, null]);
  });

  it('changes nobody’s session, and is not used up by who is signed in', async () => {
    const mine = await signIn('finance');
    const path = await createSignInLink(bench.ledger.database, await keyId());
    const response = await useLink(path, { headers: { cookie: mine } });
    expect([response.status, response.headers.get('set-cookie')]).toEqual([303, null]);
    expect((await useLink(path)).status).toBe(303);
  });

  it('works once for two at once', async () => {
    const path = await createSignInLink(bench.ledger.database, await keyId());
    const answers = await Promise.all([useLink(path), useLink(path), useLink(path)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 410, 410]);
  });

  it('is not used up by looking ahead', async () => {
    const path = await createSignInLink(bench.ledger.database, await keyId());
    expect((await useLink(path, { method: 'HEAD' })).headers.get('set-cookie')).toBeNull();
    expect(
      (await useLink(path, { headers: { 'sec-purpose': 'prefetch' } })).headers.get('set-cookie'),
    ).toBeNull();
    expect((await useLink(path)).status).toBe(303);
  });

  it('is void once a newer one is made, once it is old, and once its key is revoked', async () => {
    const { database } = bench.ledger;
    const earlier = await createSignInLink(database, await keyId());
    const newer = await createSignInLink(database, await keyId());
    expect((await useLink(earlier)).status).toBe(410);
    await sql`update console_sign_in_links set expires_at = now()`.execute(database);
    expect((await useLink(newer)).status).toBe(410);
    const now = bench.clock.now();
    const { key } = await createApiKey(database, { name: 'demo', scopes: ['admin'], actor: 'test', now });
    const revoked = await createSignInLink(database, key.apiKeyId);
    await revokeApiKey(database, key.apiKeyId, { actor: 'test', now });
    expect((await useLink(revoked)).status).toBe(410);
  });
});
