import { createHmac } from 'node:crypto';
import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { reconcile } from '../../jobs/reconcile/reconcile.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createOpenMeterWebhookRoute } from '../../webhooks/openmeter.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { openPipeline } from '../setup/pipeline.ts';

const secretOf = (fill: string) => `whsec_${Buffer.from(fill.repeat(24).slice(0, 24)).toString('base64')}`;
const SECRET = secretOf('a');
const NEW_SECRET = secretOf('b');
const NOW = new Date('2026-11-10T12:00:00Z');

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
});
afterAll(() => ledger.close());
beforeEach(() => ledger.database.deleteFrom('webhook_events').execute());

function open(secrets: readonly string[] = [SECRET]) {
  const enqueued: string[] = [];
  const app = new Hono();
  app.route(
    '/webhooks/openmeter',
    createOpenMeterWebhookRoute({
      database: ledger.database,
      clock: { now: () => NOW },
      secrets,
      enqueue: async (step) => void enqueued.push(step),
    }),
  );
  return { app, enqueued };
}

const BODY = JSON.stringify({
  id: '01J2KNP1YTXQRXHTDJ4KPR7PZ0',
  type: 'entitlements.balance.threshold',
  timestamp: '2026-11-10T11:59:00Z',
  data: { customer: { email: 'person@tenant.example' } },
});

/** As Svix documents it, by another library than the one that verifies. */
function sign(body: string, secret: string, id: string, seconds: number): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`;
}

interface Delivery {
  body?: string;
  secret?: string;
  id?: string;
  seconds?: number;
  signature?: string;
  headers?: Record<string, string>;
}

async function post(app: Hono, delivery: Delivery = {}): Promise<Response> {
  const { body = BODY, secret = SECRET, id = 'msg_1' } = delivery;
  const seconds = delivery.seconds ?? Math.floor(Date.now() / 1_000);
  return await app.request('/webhooks/openmeter', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'svix-id': id,
      'svix-timestamp': String(seconds),
      'svix-signature': delivery.signature ?? sign(body, secret, id, seconds),
      ...delivery.headers,
    },
    body,
  });
}

const rows = () => ledger.database.selectFrom('webhook_events').selectAll().execute();

describe('a notification of OpenMeter', () => {
  test("verifies Svix's own published example", async () => {
    const { verifySvix } = await import('../../webhooks/svix.ts');
    const headers = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: '1614265330',
      signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    expect(await verifySvix('{"test": 2432232314}', headers, [secret], 1_614_265_330_000)).toBe(headers.id);
  });

  test('is recorded once, without names or addresses, and nudges settling and reconciling', async () => {
    const { app, enqueued } = open();
    expect(await (await post(app)).json()).toEqual({ received: true, duplicate: false });
    expect(await (await post(app, { id: 'msg_again' })).json()).toEqual({ received: true, duplicate: true });
    expect(enqueued).toEqual(['aggregate-usage', 'reconcile']);
    expect(await rows()).toMatchObject([
      {
        webhook_event_id: 'openmeter:01J2KNP1YTXQRXHTDJ4KPR7PZ0',
        provider: 'openmeter',
        event_type: 'entitlements.balance.threshold',
        occurred_at: new Date('2026-11-10T11:59:00Z'),
        processed_at: null,
      },
    ]);
    expect(JSON.stringify(await rows())).not.toContain('person@tenant.example');
  });

  test('of a kind that nobody knows is accepted, counted, and needs no work', async () => {
    const { app, enqueued } = open();
    const body = JSON.stringify({ id: 'n2', type: 'teapot.boiled' });
    expect((await post(app, { body })).status).toBe(200);
    expect(enqueued).toEqual([]);
    expect((await rows())[0]?.processed_at).toEqual(NOW);
    const counts = await ledger.database.selectFrom('webhook_counts').selectAll().execute();
    expect(counts.find((count) => count.event_type === 'teapot.boiled')).toMatchObject({
      is_known: false,
      received_count: 1n,
    });
  });

  test('may be signed several times, by an old secret or the new one', async () => {
    const { app } = open([NEW_SECRET, SECRET]);
    const seconds = Math.floor(Date.now() / 1_000);
    const unknown = sign(BODY, secretOf('z'), 'msg_1', seconds);
    for (const secret of [SECRET, NEW_SECRET]) {
      const signature = `v1a,bm8= ${unknown} ${sign(BODY, secret, 'msg_1', seconds)}`;
      expect((await post(app, { seconds, signature })).status).toBe(200);
    }
  });

  test.each<[string, Delivery]>([
    ['forged', { secret: secretOf('q') }],
    ['older than five minutes', { seconds: Math.floor(Date.now() / 1_000) - 301 }],
    ['signed ahead of time', { seconds: Math.floor(Date.now() / 1_000) + 330 }],
    ['without a signature', { headers: { 'svix-signature': '' } }],
    ['with a timestamp that is none', { headers: { 'svix-timestamp': 'now' } }],
    ['with a signature of another message', { headers: { 'svix-id': 'msg_other' } }],
    ['with a signature that is no base64', { signature: 'v1,🙂'.replace('🙂', '%%%') }],
  ])('%s is refused', async (_name, delivery) => {
    const { app, enqueued } = open();
    const response = await post(app, delivery);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'WEBHOOK_SIGNATURE_INVALID' });
    expect([await rows(), enqueued]).toEqual([[], []]);
  });

  test('whose body was cut short or is no notification is refused', async () => {
    const { app } = open();
    const seconds = Math.floor(Date.now() / 1_000);
    const signature = sign(BODY, SECRET, 'msg_1', seconds);
    expect((await post(app, { body: BODY.slice(0, -9), signature, seconds })).status).toBe(400);
    for (const body of ['', 'null', '[]', '{"id":"x"}', '{"type":7}', 'not json']) {
      const response = await post(app, { body });
      expect(await response.json()).toMatchObject({ code: 'WEBHOOK_EVENT_INVALID' });
    }
    expect(await rows()).toEqual([]);
  });

  test('of ten megabytes is refused before it is verified', async () => {
    const { app } = open();
    const response = await post(app, { body: 'x'.repeat(10 * 1024 * 1024) });
    expect(response.status).toBe(413);
  });

  test('is answered 503 while no secret is set', async () => {
    const { app } = open([]);
    const response = await post(app);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('OPENMETER_WEBHOOK_SECRET');
  });

  test('is done when the sums have been compared', async () => {
    const pipeline = await openPipeline();
    const { recordWebhookEvent } = await import('../../src/webhook-events/events.ts');
    const event = {
      webhookEventId: 'openmeter:1',
      provider: 'openmeter' as const,
      eventType: 'entitlements.reset',
      relatedObjectId: null,
      payload: {},
      receivedAt: pipeline.deps.clock.now(),
    };
    await recordWebhookEvent(pipeline.deps.database, event);
    await reconcile(pipeline.deps);
    const kept = await pipeline.deps.database.selectFrom('webhook_events').select('processed_at').execute();
    expect(kept).toEqual([{ processed_at: event.receivedAt }]);
    await pipeline.close();
  });
});

describe('OPENMETER_WEBHOOK_SECRET', () => {
  test('may hold several, and says what is wrong with one', () => {
    expect(
      loadConfig({ OPENMETER_WEBHOOK_SECRET: `${NEW_SECRET}, ${SECRET}` }).OPENMETER_WEBHOOK_SECRET,
    ).toEqual([NEW_SECRET, SECRET]);
    for (const wrong of ['whsec_', 'secret', `${SECRET},whsec_short`]) {
      expect(() => loadConfig({ OPENMETER_WEBHOOK_SECRET: wrong })).toThrow('OPENMETER_WEBHOOK_SECRET');
    }
  });
});
