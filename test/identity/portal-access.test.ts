import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiKey, revokeApiKey } from '../../src/identity/api-keys.ts';
import {
  findPortalVisit,
  PORTAL_BASES,
  PORTAL_COOKIE,
  type PortalReader,
} from '../../src/identity/portal-access.ts';
import { beginPortalSession, type PortalSource } from '../../src/identity/portal-sessions.ts';
import type { ApiEnvironment } from '../../src/platform/http/dependencies.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const NOW = new Date('2026-11-21T10:30:00Z');
const LATER = new Date('2027-01-01T00:00:00Z');

let ledger: TestLedger;
let apiKeyId: string;
const pages = new Hono<ApiEnvironment>();

beforeAll(async () => {
  ledger = await createTestLedger();
  const { database } = ledger;
  const dependencies = { database, clock: { now: () => NOW }, version: 'test' };
  for (const base of PORTAL_BASES) {
    pages.get(`${base}/usage`, async (context) => context.json(await findPortalVisit(dependencies, context)));
  }
  await database
    .insertInto('customers')
    .values(
      ['northwind', 'litware'].map((customer_id) => ({ customer_id, name: customer_id, synced_at: NOW })),
    )
    .execute();
  await database
    .insertInto('subjects')
    .values({
      subject: 'user-1',
      tenant_key: '',
      customer_id: 'northwind',
      assigned_by: 'person',
      first_seen_at: NOW,
      updated_at: NOW,
    })
    .execute();
});
afterAll(() => ledger?.close());

beforeEach(async () => {
  const { database } = ledger;
  const made = { name: 'host', scopes: ['sales'], actor: 'test', now: NOW };
  apiKeyId = (await createApiKey(database, made)).key.apiKeyId;
  await database.deleteFrom('portal_sessions').execute();
  await database.deleteFrom('page_links').execute();
  await database
    .insertInto('page_links')
    .values({
      link_id: 'link-1',
      kind: 'portal',
      target_id: 'northwind',
      customer_id: 'northwind',
      is_standing: false,
      key_id: 'k',
      expires_at: LATER,
      made_by: 'test',
      made_at: NOW,
    })
    .execute();
});

const begin = async (reader: PortalReader, source: PortalSource, validSeconds = 60) =>
  (await beginPortalSession(ledger.database, reader, source, validSeconds)).token;
const whole: PortalReader = { customerId: 'northwind', userId: null };

async function inFrame(token: string): Promise<unknown> {
  return await (await pages.request(`/portal/s/${token}/usage`)).json();
}
async function withCookie(token: string, origin = 'http://127.0.0.1', name = PORTAL_COOKIE) {
  const headers = { cookie: `${name}=${token}` };
  return await (await pages.request(`${origin}/portal/usage`, { headers })).json();
}

describe('a reader of the portal', () => {
  it('is who the token in the path of a frame was made for', async () => {
    const token = await begin({ customerId: 'northwind', userId: 'user-1' }, { apiKeyId });
    expect(await inFrame(token)).toEqual({
      reader: { customerId: 'northwind', userId: 'user-1' },
      base: `/portal/s/${token}`,
      isEmbedded: true,
    });
    expect(await inFrame(token), 'again').not.toBeNull();
  });

  it('is who the cookie of an opened link was given to', async () => {
    const token = await begin(whole, { linkId: 'link-1' });
    expect(await withCookie(token)).toEqual({ reader: whole, base: '/portal', isEmbedded: false });
  });

  it('is, by https, who has the cookie that plain http cannot have set', async () => {
    const token = await begin(whole, { linkId: 'link-1' });
    expect(await withCookie(token, 'https://bill.example.com')).toBeNull();
    expect(await withCookie(token, 'https://bill.example.com', `__Secure-${PORTAL_COOKIE}`)).not.toBeNull();
  });

  it.each(['', 'x', `${'a'.repeat(43)}`, "' or true --", '%00'])('is nobody by %j', async (token) => {
    expect(await withCookie(token)).toBeNull();
    if (token !== '' && token !== '%00') expect(await inFrame(encodeURIComponent(token))).toBeNull();
  });

  it('does not carry a token from one way into the other', async () => {
    expect(await withCookie(await begin(whole, { apiKeyId }))).toBeNull();
    expect(await inFrame(await begin(whole, { linkId: 'link-1' }))).toBeNull();
  });

  it('has so many sessions at most from one source, and a customer so many in all: the oldest end', async () => {
    const most = { ofSource: 2, ofCustomer: 3 };
    const beginOne = async (reader: PortalReader, source: PortalSource) =>
      (await beginPortalSession(ledger.database, reader, source, 60, most)).token;
    const living = async (tokens: readonly string[]) =>
      (await Promise.all(tokens.map(inFrame))).map((visit) => visit !== null);
    const user = await beginOne({ customerId: 'northwind', userId: 'user-1' }, { apiKeyId });
    const other = await beginOne({ customerId: 'litware', userId: null }, { apiKeyId });
    const frames: string[] = [];
    for (let count = 0; count < 3; count += 1) frames.push(await beginOne(whole, { apiKeyId }));
    expect(await living(frames), 'of one source').toEqual([false, true, true]);
    expect(await living([user, other]), 'others').toEqual([true, true]);
    const link = await beginOne(whole, { linkId: 'link-1' });
    expect(await living([user, ...frames.slice(1), other]), 'of the customer').toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(await withCookie(link)).not.toBeNull();
  });

  it('ends with its time, and is cleared away by the next that begins', async () => {
    const token = await begin(whole, { apiKeyId }, 0);
    expect(await inFrame(token)).toBeNull();
    await begin(whole, { apiKeyId });
    expect(await ledger.database.selectFrom('portal_sessions').select('session_id').execute()).toHaveLength(
      1,
    );
  });

  it('ends with the key that made it', async () => {
    const token = await begin(whole, { apiKeyId });
    await revokeApiKey(ledger.database, apiKeyId, { actor: 'test', now: NOW });
    expect(await inFrame(token)).toBeNull();
  });

  it.each([
    ['was withdrawn', { withdrawn_at: NOW, withdrawn_by: 'test' }],
    ['has expired', { expires_at: NOW }],
  ])('ends with the link that %s', async (_, change) => {
    const token = await begin(whole, { linkId: 'link-1' });
    await ledger.database.updateTable('page_links').set(change).execute();
    expect(await withCookie(token)).toBeNull();
  });

  it('ends when its customer is deleted', async () => {
    const token = await begin({ customerId: 'litware', userId: null }, { apiKeyId });
    expect(await inFrame(token)).not.toBeNull();
    const customer = ledger.database.updateTable('customers').where('customer_id', '=', 'litware');
    await customer.set({ deleted_at: NOW }).execute();
    expect(await inFrame(token)).toBeNull();
    await customer.set({ deleted_at: null }).execute();
  });

  it.each(['litware', null])('ends when its user becomes that of %s', async (customerId) => {
    const token = await begin({ customerId: 'northwind', userId: 'user-1' }, { apiKeyId });
    const user = ledger.database.updateTable('subjects').where('subject', '=', 'user-1');
    const assigned_by = customerId === null ? null : ('person' as const);
    await user.set({ customer_id: customerId, assigned_by }).execute();
    expect(await inFrame(token)).toBeNull();
    await user.set({ customer_id: 'northwind', assigned_by: 'person' }).execute();
    expect(await inFrame(token)).not.toBeNull();
  });
});
