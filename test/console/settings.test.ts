import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/platform/config.ts';
import { readApiSettings } from '../../src/platform/http/dependencies.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole, sendTwice } from './walk.ts';

const SECRETS = {
  DATABASE_URL: 'postgres://ledger:pass-of-database@db.example:5432/ledger',
  REDIS_URL: 'rediss://default:pass-of-redis@redis.example:6380',
  LINK_SIGNING_KEY: 'a-link-signing-key-of-more-than-32-characters',
  OPENMETER_URL: 'https://token-in-path@om.example/secret-path',
  OPENMETER_API_KEY: 'om_secret_value',
  STRIPE_API_KEY: 'sk_live_secret_value',
  STRIPE_WEBHOOK_SECRET: 'whsec_secret_value',
};

let bench: ConsoleBench;

describe.skipIf(!hasChromium())('keys and configuration', () => {
  beforeAll(async () => {
    const settings = { ...readApiSettings(loadConfig({ ...SECRETS, PORT: '9000' })), publicUrl: undefined };
    bench = await openConsole({ settings });
  });
  afterAll(() => bench?.close());

  it('is whole at every size, in both themes, without scripts', async () => {
    await bench.walk('/console/settings');
  });

  it('shows what is set, and no secret', async () => {
    const { page, close } = await bench.open('/console/settings');
    const rowOf = (name: string) =>
      page.locator(`#configuration tr:has(code:text-is("${name}"))`).innerText();
    expect(await rowOf('PORT')).toMatch(/9000\s+set/);
    expect(await rowOf('HOST')).toMatch(/127\.0\.0\.1\s+default/);
    expect(await rowOf('STRIPE_API_KEY')).toMatch(/STRIPE_API_KEY\s+set\s+set/);
    expect(await rowOf('DATABASE_URL')).toMatch(/db\.example:5432/);
    const [content, csv] = [
      await page.content(),
      String(await page.evaluate("fetch('?csv=configuration').then((answer) => answer.text())")),
    ];
    for (const text of [content, csv]) {
      expect(text).not.toMatch(/pass-of|a-link-signing|token-in-path|secret-path|_secret_value/);
      expect(text).toContain('STRIPE_WEBHOOK_SECRET');
    }
    await close();
  });

  it('makes a key that is shown once and works, and revokes it with the sessions that it began', async () => {
    const { page, close } = await bench.open('/console/settings', { javaScriptEnabled: false });
    await page.click('summary:text-is("Make a key")');
    await page.fill('[name=name]', 'crm "<b>');
    await page.click('button:text-is("Make the key")');
    expect(await page.locator('[role=alert]').innerText()).toContain('scopes');
    expect(await page.inputValue('[name=name]')).toBe('crm "<b>');
    await page.check('[name=scope][value=sales]');
    await page.click('button:text-is("Make the key")');
    const plainKey = await page.locator('main code').innerText();
    expect(plainKey).toMatch(/^tsk_/);
    await page.goto(`${bench.origin}/console/settings`);
    expect(await page.content()).not.toContain(plainKey);
    const signedIn = await bench.api.request('/console/sign-in', {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ key: plainKey }).toString(),
    });
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    await page.reload();
    const row = page.locator('#keys tr', { hasText: 'crm "<b>' });
    expect(await row.locator('td[data-label="Signed in"]').innerText()).toBe('1');
    await row.locator('summary').click();
    await row.locator('button').click();
    expect(await page.locator('[role=status]').innerText()).toBe('The key is revoked.');
    expect((await bench.api.request('/console/start', { headers: { cookie } })).status).toBe(302);
    const actions = await bench.ledger.database
      .selectFrom('audit_log')
      .select('action')
      .where('actor', 'like', 'key:admin key%')
      .where('action', 'like', 'key.%')
      .where(sql<boolean>`details->>'name' = 'crm "<b>'`)
      .execute();
    expect(actions.map(({ action }) => action)).toEqual(['key.create', 'key.revoke']);
    await close();
  });

  it('makes one key of a form that is sent twice, shows it to both, and keeps it nowhere to be read', async () => {
    const { page, close } = await bench.open('/console/settings');
    await page.click('summary:text-is("Make a key")');
    await page.fill('[name=name]', 'twice');
    await page.check('[name=scope][value=sales]');
    const { refused, showed } = await sendTwice(page, 'form[action$="/create"]');
    expect(refused).toEqual([]);
    const [plainKey = ''] = /tsk_[\w-]{43}/.exec(showed[0] ?? '') ?? [];
    expect(plainKey).not.toBe('');
    expect(showed[1]).toBe(showed[0]);
    // Other words in the same form, which somebody went back to, are another key.
    await page.fill('[name=name]', 'twice and once more');
    await page.click('button:text-is("Make the key")');
    expect(await page.locator('main code').innerText()).not.toBe(plainKey);
    const keys = await bench.ledger.database
      .selectFrom('api_keys')
      .select('name')
      .where('name', 'like', 'twice%')
      .orderBy('name')
      .execute();
    expect(keys.map(({ name }) => name)).toEqual(['twice', 'twice and once more']);
    const { rows } = await sql<{ text: string }>`
      select string_agg(answer::text, '') as text from console_form_answers as answer`.execute(
      bench.ledger.database,
    );
    expect(rows[0]?.text).toContain('form_hash' in {} ? '' : ',');
    expect(rows[0]?.text).not.toContain(plainKey);
    await close();
  });

  it('gives whoever is signed in another secret for their key, shown to both of two clicks, and ends the old one', async () => {
    const given = bench.keys.finance;
    const other = await bench.api.request('/console/sign-in', {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ key: given }).toString(),
    });
    const cookie = other.headers.get('set-cookie')?.split(';')[0] ?? '';
    const { page, close } = await bench.open('/console/start', { scope: 'finance' });
    await page.click('.who a');
    expect(await page.locator('.lead').innerText()).toContain('Whoever made this key');
    const { refused, showed } = await sendTwice(page, 'form[action$="/exchange"]');
    expect(refused).toEqual([]);
    expect(showed[1]).toBe(showed[0]);
    const [own = ''] = /tsk_[\w-]{43}/.exec(showed[0] ?? '') ?? [];
    bench.keys.finance = own as typeof given;
    const statusOf = async (key: string) =>
      (await bench.api.request('/v1/customers', { headers: { authorization: `Bearer ${key}` } })).status;
    expect([await statusOf(given), await statusOf(own)]).toEqual([401, 200]);
    expect((await bench.api.request('/console/start', { headers: { cookie } })).status).toBe(302);
    await page.goto(`${bench.origin}/console/own-key`);
    expect(await page.locator('.lead').innerText()).toContain('is yours alone');
    await close();
  });

  it('is for admin alone', async () => {
    for (const scope of ['sales', 'finance'] as const) {
      const { page, status, close } = await bench.open('/console/settings', { scope });
      expect(status).toBe(403);
      expect(await page.locator('.rail').innerText()).not.toContain('Settings');
      await close();
    }
  });
});
