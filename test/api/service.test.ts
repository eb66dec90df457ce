import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, listApiKeys, revokeApiKey } from '../../src/identity/api-keys.ts';
import { openLedger } from '../../src/platform/database/database.ts';
import { createApp } from '../../src/service/app.ts';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
});
afterAll(() => bench.close());

describe('health and readiness', () => {
  it('answers /health without a key', async () => {
    const response = await bench.call('/health', { scope: null });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      status: 'ok',
      version: '0.0.0-test',
      now: '2026-11-21T10:30:00.000Z',
    });
  });

  it('is ready on a migrated ledger', async () => {
    const response = await bench.call('/ready', { scope: null });
    expect(await response.json()).toEqual({
      status: 'ready',
      ledger: 'reachable',
      missingMigrations: [],
      alarms: [],
    });
    expect(response.status).toBe(200);
  });

  it('names the migrations that a ledger lacks', async () => {
    const name = '0004_service.sql';
    await bench.ledger.database
      .deleteFrom('ledger_migrations' as never)
      .where('name' as never, '=', name as never)
      .execute();
    const response = await bench.call('/ready', { scope: null });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: 'not_ready', missingMigrations: [name] });
    await bench.ledger.database
      .insertInto('ledger_migrations' as never)
      .values({ name, checksum: 'restored' } as never)
      .execute();
  });

  it('says so when the ledger cannot be reached', async () => {
    const database = openLedger({ databaseUrl: 'postgres://127.0.0.1:1/none', maxConnectionCount: 1 });
    const app = createApp({ database, clock: bench.clock, billing: bench.billing, version: 'x' });
    const response = await app.request('/ready');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ ledger: 'unreachable' });
    const failing = await app.request('/v1/status', {
      headers: { authorization: `Bearer ${bench.keys.admin}` },
    });
    expect(failing.status).toBe(500);
    expect(JSON.stringify(await failing.json())).not.toContain('127.0.0.1');
    await database.destroy();
  });
});

describe('API keys', () => {
  it.each([
    ['no header', {}],
    ['a wrong key', { authorization: `Bearer tsk_${'A'.repeat(43)}` }],
    ['a malformed key', { authorization: 'Bearer hunter2' }],
    ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }],
  ])('answers 401 to %s', async (_, headers) => {
    const response = await bench.call('/v1/status', { scope: null, headers });
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
    expect(await response.json()).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
  });

  it('answers 403 to a wrong scope and names the missing one', async () => {
    const response = await bench.call('/v1/status', { scope: 'sales' });
    expect(response.status).toBe(403);
    const problem = (await response.json()) as { code: string; detail: string };
    expect(problem.code).toBe('FORBIDDEN');
    expect(problem.detail).toContain('finance or admin');
  });

  it('lets the scope and admin pass', async () => {
    expect((await bench.call('/v1/status', { scope: 'finance' })).status).toBe(200);
    expect((await bench.call('/v1/status', { scope: 'admin' })).status).toBe(200);
  });

  it('stores no plain key, and a revoked key is dead at once', async () => {
    const { database } = bench.ledger;
    const { plainKey, key } = await createApiKey(database, {
      name: 'short-lived',
      scopes: ['finance'],
      actor: 'test',
      now: bench.clock.now(),
    });
    const stored = await database.selectFrom('api_keys').selectAll().execute();
    expect(JSON.stringify(stored)).not.toContain(plainKey.slice(4));
    const headers = { authorization: `Bearer ${plainKey}` };
    expect((await bench.call('/v1/status', { scope: null, headers })).status).toBe(200);
    expect(await revokeApiKey(database, key.apiKeyId, { actor: 'test', now: bench.clock.now() })).toBe(true);
    expect(await revokeApiKey(database, key.apiKeyId, { actor: 'test', now: bench.clock.now() })).toBe(false);
    expect((await bench.call('/v1/status', { scope: null, headers })).status).toBe(401);
    const listed = (await listApiKeys(database)).find((entry) => entry.apiKeyId === key.apiKeyId);
    expect(listed?.lastUsedAt).toEqual(bench.clock.now());
  });

  it('refuses a key without a name or with an unknown scope', async () => {
    const { database } = bench.ledger;
    const now = bench.clock.now();
    await expect(
      createApiKey(database, { name: ' ', scopes: ['admin'], actor: 'test', now }),
    ).rejects.toThrow('name');
    await expect(createApiKey(database, { name: 'x', scopes: ['root'], actor: 'test', now })).rejects.toThrow(
      'scopes',
    );
    await expect(createApiKey(database, { name: 'x', scopes: [], actor: 'test', now })).rejects.toThrow(
      'scopes',
    );
  });
});

describe('every answer', () => {
  it('echoes a safe request id and replaces an unsafe one', async () => {
    const safe = await bench.call('/health', { headers: { 'x-request-id': 'order-12345678' } });
    expect(safe.headers.get('x-request-id')).toBe('order-12345678');
    const unsafe = await bench.call('/nowhere', { headers: { 'x-request-id': 'x"><script>' } });
    const problem = (await unsafe.json()) as { requestId: string };
    expect(unsafe.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(problem.requestId).toBe(unsafe.headers.get('x-request-id'));
  });

  it('is a 404 problem for an unknown route', async () => {
    const response = await bench.call('/v1/nowhere');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is a 405 problem for an unknown method, and HEAD works', async () => {
    const response = await bench.call('/v1/status', { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
    expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    const head = await bench.call('/health', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
  });
});
