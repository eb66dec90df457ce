import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayStandIn } from '../../sandbox/gateway/gateway.ts';
import { ENFORCEMENT_CHANNEL } from '../../src/enforcement/changes.ts';
import type { CallerBody, WholeBody } from '../../src/enforcement/schemas.ts';
import { readGatewaySecrets } from '../../src/enforcement/signature.ts';
import { createEnforcementState } from '../../src/enforcement/state.ts';
import { createApiKey, revokeApiKey } from '../../src/identity/api-keys.ts';
import { type ChangeFeed, openChangeFeed } from '../../src/platform/database/change-feed.ts';
import { openLedger } from '../../src/platform/database/database.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { createApp } from '../../src/service/app.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertCatalog } from '../api/world.ts';
import { hasPgBouncer, startTestPgBouncer } from '../setup/pgbouncer.ts';
import { RecordedLedger } from '../setup/recorded-ledger.ts';
import { insertOpenSteps } from './world.ts';

let bench: ApiBench;
let recorded: RecordedLedger;
let feed: ChangeFeed;
let api: ReturnType<typeof createApp>;
let ids: string[];
beforeAll(async () => {
  bench = await createApiBench();
  const { database, databaseUrl } = bench.ledger;
  await insertCatalog(database);
  ids = await insertOpenSteps(database, [
    {
      budgetId: 'bud_stop',
      name: 'Experiments',
      customerId: 'adatum',
      step: { action: 'stop', contact: 'Ada' },
    },
    {
      budgetId: 'bud_user',
      holder: { customerId: 'northwind', subject: 'user-2' },
      step: { action: 'slow', tokensPerMinute: 600 },
    },
    { budgetId: 'bud_chat', feature: 'chat', step: { action: 'swap', deployment: 'gpt-4o-mini-global' } },
    { budgetId: 'bud_tell', customerId: 'northwind', step: { action: 'tell' } },
  ]);
  recorded = new RecordedLedger(databaseUrl);
  feed = openChangeFeed({ databaseUrl, channel: ENFORCEMENT_CHANNEL });
  const enforcement = createEnforcementState({ database: recorded.database, clock: bench.clock, feed });
  api = createApp({
    database: recorded.database,
    clock: bench.clock,
    billing: bench.billing,
    version: 'test',
    enforcement,
  });
  await vi.waitFor(() => expect(feed.heard()).not.toBeNull(), { timeout: 30_000 });
});
const START = new Date('2026-11-21T10:30:00.000Z');
beforeEach(() => {
  bench.clock.instant = START;
});
afterAll(async () => {
  await feed.close();
  await recorded.close();
  await bench.close();
});

const ask = async (path: string, headers: Record<string, string> = {}, key = bench.keys.gateway) =>
  await api.request(path, { headers: { authorization: `Bearer ${key}`, ...headers } });
const about = async (tenantKey: string, subject: string) =>
  (await (
    await ask(`/v1/enforcement/caller?tenantKey=${tenantKey}&subject=${subject}`)
  ).json()) as CallerBody;
const whole = async () => (await (await ask('/v1/enforcement')).json()) as WholeBody;
const actionOf = async (tenantKey: string, subject: string) => (await about(tenantKey, subject)).action;
/** Adds what a test needs, and takes it away again. */
const withStep = async (
  seed: Parameters<typeof insertOpenSteps>[1][number],
  work: (id: string) => Promise<void>,
) => {
  const { database } = bench.ledger;
  const [id = ''] = await insertOpenSteps(database, [seed]);
  await work(id);
  await sql`update budget_step_events set withdrawn_at = now(), withdrawn_reason = 'changed'
            where budget_step_event_id = ${id}::bigint`.execute(database);
};

describe('what gateways are told', () => {
  it('names budget, contact and end, of callers by tenant and user, and of features', async () => {
    expect(await about('adatum', 'user-3')).toMatchObject({
      customerId: 'adatum',
      action: 'stop',
      status: 403,
      budget: { id: 'bud_stop', name: 'Experiments' },
      contact: 'Ada',
      until: '2026-12-01T00:00:00.000Z',
      untilSeconds: 1_796_083_200,
      message: 'The budget "Experiments" is used up; calls are stopped until 2026-12-01, 00:00 UTC. Ask Ada.',
      features: { chat: { action: 'stop' } },
    });
    expect(await about('northwind', 'user-2')).toMatchObject({
      action: 'slow',
      tokensPerMinute: 600,
      counterKey: 'bud_user|northwind|user-2',
      features: { chat: { action: 'slow', tokensPerMinute: 600, deployment: 'gpt-4o-mini-global' } },
    });
    // A user whom no usage has named yet is its tenant's, and whoever nobody knows has an answer, too.
    expect(await about('adatum', 'new-user')).toMatchObject({ customerId: 'adatum', action: 'stop' });
    expect(await about('nobody', 'new-user')).toMatchObject({
      customerId: null,
      action: 'allow',
      budget: null,
    });
    expect(
      (await whole()).holders.map(({ customerId, tenantKey, feature, action }) => [
        customerId,
        tenantKey,
        feature,
        action,
      ]),
    ).toEqual([
      [null, null, 'chat', 'swap'],
      ['adatum', 'adatum', null, 'stop'],
      ['northwind', 'northwind', null, 'slow'],
    ]);
  });

  it('costs no statement as long as nothing has changed, and is seen at once when something has', async () => {
    await about('adatum', 'user-3');
    const unchanged = await recorded.record(async () => {
      for (let round = 0; round < 20; round += 1) {
        expect((await ask('/v1/enforcement')).status).toBe(200);
        expect(await actionOf('adatum', 'user-3')).toBe('stop');
      }
    });
    expect(unchanged).toEqual([]);
    expect(await actionOf('northwind', 'user-1')).toBe('allow');
    const startedMs = performance.now();
    await withStep({ budgetId: 'bud_new', customerId: 'northwind', step: { action: 'stop' } }, async () => {
      await expect.poll(() => actionOf('northwind', 'user-1'), { interval: 10 }).toBe('stop');
    });
    await expect.poll(() => actionOf('northwind', 'user-1'), { interval: 10 }).toBe('allow');
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('changes with the clock alone: at the ends of windows and of lifts', async () => {
    const tag = (await ask('/v1/enforcement')).headers.get('etag');
    bench.clock.instant = new Date('2026-11-30T23:30:00.000Z');
    expect(await about('adatum', 'user-3')).toMatchObject({ action: 'stop', status: 429 });
    expect((await ask('/v1/enforcement')).headers.get('etag')).not.toBe(tag);
    bench.clock.instant = new Date('2026-12-01T00:00:00.000Z');
    expect(await actionOf('adatum', 'user-3')).toBe('allow');
    expect((await whole()).holders).toEqual([]);
    bench.clock.instant = START;
    expect((await ask('/v1/enforcement')).headers.get('etag')).toBe(tag);
  });

  it('has a strong entity tag, and is kept nowhere without being asked after', async () => {
    const first = await ask('/v1/enforcement');
    const tag = first.headers.get('etag') ?? '';
    expect(tag).toMatch(/^"[0-9a-f]{64}"$/);
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    for (const asked of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const again = await ask('/v1/enforcement', { 'if-none-match': asked });
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', tag]);
      expect(again.headers.get('tallystick-signature')).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);
    }
    expect((await ask('/v1/enforcement', { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('is for gateways and finance, and for a key that ends at once', async () => {
    for (const [key, status] of [
      [bench.keys.finance, 200],
      [bench.keys.portal, 403],
      [bench.keys.sales, 403],
      ['tsk_none', 401],
    ] as const) {
      expect((await ask('/v1/enforcement', {}, key)).status).toBe(status);
    }
    // A gateway's key reads nothing else.
    expect((await ask('/v1/customers')).status).toBe(403);
    expect((await ask('/v1/enforcement/steps')).status).toBe(403);
    expect((await ask('/v1/enforcement/caller?tenantKey=adatum')).status).toBe(400);
    const { database } = bench.ledger;
    const made = { name: 'old gateway', scopes: ['gateway'], actor: 'test', now: bench.clock.now() };
    const { plainKey, key } = await createApiKey(database, made);
    expect((await ask('/v1/enforcement', {}, plainKey)).status).toBe(200);
    await revokeApiKey(database, key.apiKeyId, { actor: 'test', now: bench.clock.now() });
    await expect
      .poll(async () => (await ask('/v1/enforcement', {}, plainKey)).status, { interval: 10 })
      .toBe(401);
  });

  it('follows a user to another customer, and stops the unknown where that is configured', async () => {
    const { database } = bench.ledger;
    const move = async (customerId: string) =>
      await sql`update subjects set customer_id = ${customerId} where subject = 'user-1'`.execute(database);
    await move('adatum');
    await expect.poll(() => actionOf('northwind', 'user-1'), { interval: 10 }).toBe('stop');
    await move('northwind');
    await expect.poll(() => actionOf('northwind', 'user-1'), { interval: 10 }).toBe('allow');
    const strict = createEnforcementState({ database, clock: bench.clock, stopsUnknown: true });
    const told = JSON.parse((await strict.about({ tenantKey: 'nobody', subject: 'x' })).body) as CallerBody;
    expect(told).toMatchObject({ customerId: null, action: 'stop', status: 403, budget: null });
    expect(JSON.parse((await strict.whole()).body)).toMatchObject({ unknownCallers: 'stop' });
  });

  it('is lifted by an operator for a time, and holds again by itself or at a word', async () => {
    const post = async (path: string, body: object) =>
      await bench.call(path, {
        method: 'POST',
        scope: 'finance',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const seed = { budgetId: 'bud_lift', customerId: 'northwind', step: { action: 'stop' } };
    await withStep(seed, async (id) => {
      await expect.poll(() => actionOf('northwind', 'user-1'), { interval: 10 }).toBe('stop');
      const lifted = await post(`/v1/enforcement/steps/${id}/lift`, {
        until: '2026-11-21T11:30:00Z',
        reason: 'demo',
      });
      expect(await lifted.json()).toMatchObject({
        id,
        liftedUntil: '2026-11-21T11:30:00.000Z',
        action: 'stop',
      });
      await expect.poll(() => actionOf('northwind', 'user-1'), { interval: 10 }).toBe('allow');
      bench.clock.instant = new Date('2026-11-21T11:30:00.000Z');
      expect(await actionOf('northwind', 'user-1')).toBe('stop');
      bench.clock.instant = START;
      expect((await post(`/v1/enforcement/steps/${id}/restore`, {})).status).toBe(200);
      await expect.poll(() => actionOf('northwind', 'user-1'), { interval: 10 }).toBe('stop');
      expect((await post(`/v1/enforcement/steps/${id}/lift`, { until: '2026-11-01T00:00:00Z' })).status).toBe(
        400,
      );
      expect((await post(`/v1/enforcement/steps/${id}/lift`, { until: '2027-11-01T00:00:00Z' })).status).toBe(
        400,
      );
    });
    const gone = ids[3] ?? '';
    expect((await post(`/v1/enforcement/steps/${gone}/lift`, { until: '2026-11-22T00:00:00Z' })).status).toBe(
      404,
    );
    const acts = await sql<{ action: string; actor: string }>`
      select action, actor from audit_log where target = 'bud_lift' order by created_at, action`.execute(
      bench.ledger.database,
    );
    expect(acts.rows.map(({ action }) => action)).toEqual(['enforcement.lift', 'enforcement.restore']);
    expect(acts.rows[0]?.actor).toMatch(/^key:finance key/);
  });
});

describe('a gateway', () => {
  const open = async (changes: Partial<GatewayStandIn['settings']> = {}) => {
    const time = { nowMs: () => bench.clock.now().getTime() };
    const [secret = ''] = await readGatewaySecrets({ database: bench.ledger.database, clock: bench.clock });
    const net = { isDown: false, forge: false };
    const settings = {
      tallystickUrl: '',
      apiKey: bench.keys.gateway,
      secret,
      enforcementSeconds: 30,
      fail: 'open' as const,
      deploymentModels: 'gpt-4o-global=gpt-4o;gpt-4o-mini-global=gpt-4o-mini',
      ...changes,
    };
    const gateway = new GatewayStandIn(settings, time, async (url, init) => {
      if (net.isDown) throw new Error('connection refused');
      const answer = await api.request(url, init);
      if (!net.forge) return answer;
      const body = (await answer.text()).replace('"action":"stop"', '"action":"allow"');
      return new Response(body, { status: answer.status, headers: answer.headers });
    });
    return { gateway, net };
  };
  const callOf = (tenantKey: string, subject: string, more: object = {}) => ({
    tenantKey,
    subject,
    feature: 'search',
    deployment: 'gpt-4o-global',
    promptTokens: 200,
    completionTokens: 100,
    ...more,
  });
  const wait = (seconds: number) => {
    bench.clock.instant = new Date(bench.clock.instant.getTime() + seconds * 1_000);
  };

  it('stops with a body that names the budget and whom to ask, one look-up a call', async () => {
    const { gateway } = await open();
    for (let count = 0; count < 5; count += 1) {
      const stopped = await gateway.call(callOf('adatum', 'user-3'));
      expect(stopped).toMatchObject({
        status: 403,
        headers: { 'Tallystick-Enforcement': 'state; age=0' },
        body: { error: { code: 'budget_exceeded', budget: { name: 'Experiments' }, contact: 'Ada' } },
      });
      expect(stopped.headers).not.toHaveProperty('Retry-After');
    }
    expect([gateway.lookUpCount, gateway.requestCount]).toEqual([5, 1]);
    expect(await gateway.call(callOf('nobody', 'x'))).toMatchObject({ status: 200, model: 'gpt-4o' });
  });

  it('slows down to the rate of the holder, and moves to the deployment whose model the metric then names', async () => {
    const { gateway } = await open();
    const call = callOf('northwind', 'user-2', { feature: 'chat' });
    expect(await gateway.call(call)).toMatchObject({
      status: 200,
      deployment: 'gpt-4o-mini-global',
      model: 'gpt-4o-mini',
    });
    expect((await gateway.call(call)).status).toBe(200);
    expect(await gateway.call(call)).toMatchObject({ status: 429, headers: { 'Retry-After': '60' } });
    wait(60);
    expect((await gateway.call(call)).status).toBe(200);
    expect(await gateway.call(callOf('northwind', 'user-1'))).toMatchObject({ status: 200, model: 'gpt-4o' });
  });

  it('keeps to what it was told while nobody answers, then opens or closes as it was set, and does not ask at each call', async () => {
    for (const fail of ['open', 'closed'] as const) {
      const { gateway, net } = await open({ fail });
      const call = callOf('adatum', 'user-3');
      expect((await gateway.call(call)).status).toBe(403);
      net.isDown = true;
      wait(60);
      for (let count = 0; count < 3; count += 1) {
        expect(await gateway.call(call)).toMatchObject({
          status: 403,
          headers: { 'Tallystick-Enforcement': 'state; age=60' },
        });
      }
      expect(gateway.requestCount).toBe(2);
      wait(900);
      const failed = await gateway.call(call);
      expect([failed.status, failed.headers['Tallystick-Enforcement']]).toEqual([
        fail === 'open' ? 200 : 503,
        fail,
      ]);
      net.isDown = false;
      wait(30);
      expect((await gateway.call(call)).status).toBe(403);
    }
  });

  it('believes nothing that is not signed for this caller, by now, with a key it knows', async () => {
    const call = callOf('adatum', 'user-3');
    const { gateway, net } = await open({ fail: 'closed' });
    net.forge = true;
    expect((await gateway.call(call)).status).toBe(503);
    net.forge = false;
    wait(30);
    expect((await gateway.call(call)).status).toBe(403);
    const stranger = await open({ secret: Buffer.from('another').toString('base64'), fail: 'closed' });
    expect((await stranger.gateway.call(call)).status).toBe(503);
    // The answer about somebody else, replayed.
    const other = await ask('/v1/enforcement/caller?tenantKey=nobody&subject=x');
    const replay = new GatewayStandIn(gateway.settings, gateway.clock, async () => other.clone());
    expect((await replay.call(call)).status).toBe(503);
    // Yesterday's.
    const old = await ask('/v1/enforcement/caller?tenantKey=adatum&subject=user-3');
    wait(301);
    const late = new GatewayStandIn(gateway.settings, gateway.clock, async () => old.clone());
    expect((await late.call(call)).status).toBe(503);
  });

  it('knows the key before while keys are exchanged', async () => {
    const { database } = bench.ledger;
    const settings = {
      ...DEFAULT_API_SETTINGS,
      linkSigningKey: 'n'.repeat(40),
      linkSigningKeyPrevious: 'ledger',
    };
    const [next = '', before = ''] = await readGatewaySecrets({
      database,
      clock: bench.clock,
      settings,
    });
    const exchanged = createApp({
      database,
      clock: bench.clock,
      billing: bench.billing,
      version: 'test',
      settings,
    });
    for (const secret of [next, before]) {
      const { gateway } = await open({ secret, fail: 'closed' });
      const asking = new GatewayStandIn(
        gateway.settings,
        gateway.clock,
        async (url, init) => await exchanged.request(url, init),
      );
      expect((await asking.call(callOf('adatum', 'user-3'))).status).toBe(403);
    }
  });
});

describe.runIf(hasPgBouncer())('behind PgBouncer in transaction mode', () => {
  it('nothing is heard, and a change is seen within a second all the same', async () => {
    const pooler = await startTestPgBouncer(bench.ledger.databaseUrl, 2);
    const database = openLedger({ databaseUrl: pooler.databaseUrl, maxConnectionCount: 3 });
    const deaf = openChangeFeed({ databaseUrl: pooler.databaseUrl, channel: ENFORCEMENT_CHANNEL });
    const state = createEnforcementState({ database, clock: bench.clock, feed: deaf });
    const told = async () =>
      (JSON.parse((await state.about({ tenantKey: 'northwind', subject: 'user-1' })).body) as CallerBody)
        .action;
    expect(await told()).toBe('allow');
    const startedMs = performance.now();
    await withStep(
      { budgetId: 'bud_pooled', customerId: 'northwind', step: { action: 'stop' } },
      async () => {
        await expect.poll(told, { interval: 10 }).toBe('stop');
      },
    );
    await expect.poll(told, { interval: 10 }).toBe('allow');
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    expect(deaf.heard()).toBeNull();
    await deaf.close();
    await database.destroy();
    await pooler.stop();
  });
});
