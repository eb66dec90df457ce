import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import Stripe from 'stripe';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { listUnprocessed, markProcessed, readWebhookCounts } from '../../src/webhook-events/events.ts';
import { createStripeWebhookRoute, type StripeWebhookDependencies } from '../../webhooks/stripe.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { meterEvent, openAccount, START_MS } from './account.ts';

const SECRET = 'whsec_snapshot_secret';
const THIN_SECRET = 'whsec_thin_secret';
const NOW = new Date('2026-11-10T12:00:00Z');

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
});
afterAll(() => ledger.close());
beforeEach(() => ledger.database.deleteFrom('webhook_events').execute());

function open(overrides: Partial<StripeWebhookDependencies> = {}) {
  const enqueued: string[] = [];
  const logged: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const logAs = (level: string) => (fields: Record<string, unknown>, message: string) => {
    logged.push({ level, fields, message });
  };
  const app = new Hono();
  app.route(
    '/webhooks/stripe',
    createStripeWebhookRoute({
      database: ledger.database,
      clock: { now: () => NOW },
      webhookSecret: SECRET,
      thinWebhookSecret: THIN_SECRET,
      enqueue: async (job, { reason }) => {
        enqueued.push(job === 'refresh-catalog' ? reason : `${job}: ${reason}`);
      },
      log: { info: logAs('info'), warn: logAs('warn'), error: logAs('error') },
      ...overrides,
    }),
  );
  return { app, enqueued, logged };
}

function snapshot(overrides: Record<string, unknown> = {}): string {
  return JSON.stringify({
    id: 'evt_1',
    object: 'event',
    api_version: '2026-10-28.endive',
    created: 1_793_000_000,
    livemode: false,
    data: { object: { id: 'in_1', object: 'invoice', customer_email: 'person@tenant.example' } },
    type: 'invoice.finalized',
    ...overrides,
  });
}

const THIN = JSON.stringify({
  id: 'evt_test_2',
  object: 'v2.core.event',
  type: 'v1.billing.meter.error_report_triggered',
  created: '2026-11-10T11:00:00.000Z',
  livemode: false,
  related_object: { id: 'mtr_1', type: 'billing.meter', url: '/v1/billing/meters/mtr_1' },
});

async function post(
  app: Hono,
  body: string,
  options: { path?: string; secret?: string; signature?: string; timestamp?: number } = {},
): Promise<Response> {
  const signature =
    options.signature ??
    (await Stripe.webhooks.generateTestHeaderStringAsync({
      payload: body,
      secret: options.secret ?? SECRET,
      ...(options.timestamp === undefined ? {} : { timestamp: options.timestamp }),
    }));
  return app.request(options.path ?? '/webhooks/stripe', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'stripe-signature': signature },
    body,
  });
}

const rows = () => ledger.database.selectFrom('webhook_events').selectAll().execute();

describe('where one account of several is billed', () => {
  const account = 'acct_1Ours';
  const count = async () => {
    const counts = await readWebhookCounts(ledger.database);
    return counts.find(({ eventType }) => eventType === 'invoice.finalized')?.otherAccountCount ?? 0n;
  };

  test('an event of another is answered and counted, and nothing is read or kept of it', async () => {
    const before = await count();
    const { app, enqueued } = open({ account });
    for (const whose of [
      { account: 'acct_1Other' },
      { context: 'acct_1Other' },
      { context: 'org_1/acct_1Other' },
    ]) {
      const response = await post(app, snapshot(whose));
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ received: true, otherAccount: true });
    }
    const thin = JSON.stringify({ ...JSON.parse(THIN), context: 'acct_1Other' });
    const response = await post(app, thin, { path: '/webhooks/stripe/thin', secret: THIN_SECRET });
    expect(await response.json()).toEqual({ received: true, otherAccount: true });
    expect(enqueued).toEqual([]);
    expect(await rows()).toEqual([]);
    expect((await count()) - before).toBe(3n);
  });

  test('its own events are taken, named or not', async () => {
    const { app, enqueued } = open({ account });
    await post(app, snapshot({ id: 'evt_a', account }));
    await post(app, snapshot({ id: 'evt_b', context: `org_1/${account}` }));
    await post(app, snapshot({ id: 'evt_c', context: 'org_1' }));
    await post(app, snapshot({ id: 'evt_d' }));
    expect(enqueued).toHaveLength(4);
  });
});

describe('a genuine event', () => {
  test('is recorded as work that is due, and asks for its object to be read', async () => {
    const { app, enqueued } = open();
    const response = await post(app, snapshot());
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ received: true, duplicate: false });
    expect(enqueued).toEqual(['invoice.finalized']);
    expect(await rows()).toMatchObject([
      {
        webhook_event_id: 'evt_1',
        provider: 'stripe',
        event_type: 'invoice.finalized',
        related_object_id: 'in_1',
        object_type: 'invoice',
        occurred_at: new Date(1_793_000_000_000),
        received_at: NOW,
        processed_at: null,
      },
    ]);
  });

  test('leaves no personal data behind', async () => {
    const { app, logged } = open();
    await post(app, snapshot());
    expect(JSON.stringify([await rows(), logged])).not.toContain('person@tenant.example');
  });

  test('that comes again is answered and does nothing, also at the same moment', async () => {
    const { app, enqueued } = open();
    await post(app, snapshot());
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(app, snapshot())));
    for (const answer of answers) expect(await answer.json()).toEqual({ received: true, duplicate: true });
    expect(enqueued).toHaveLength(1);
    expect(await rows()).toHaveLength(1);
  });

  test('of a kind we do not know is accepted and needs no work', async () => {
    const { app, enqueued } = open();
    expect((await post(app, snapshot({ type: 'teapot.boiled' }))).status).toBe(200);
    expect(enqueued).toEqual([]);
    expect((await rows())[0]?.processed_at).toEqual(NOW);
    await post(app, snapshot({ type: 'teapot.boiled' }));
    const counts = await readWebhookCounts(ledger.database);
    expect(counts.find((count) => count.eventType === 'teapot.boiled')).toEqual({
      provider: 'stripe',
      eventType: 'teapot.boiled',
      otherAccountCount: 0n,
      isKnown: false,
      receivedCount: 1n,
      duplicateCount: 1n,
    });
  });

  test('that is thin has a secret of its own, and lost usage is logged as an error', async () => {
    const { app, enqueued, logged } = open();
    const path = '/webhooks/stripe/thin';
    expect((await post(app, THIN, { path, secret: SECRET })).status).toBe(400);
    expect((await post(app, THIN, { path, secret: THIN_SECRET })).status).toBe(200);
    expect(enqueued).toEqual([
      'v1.billing.meter.error_report_triggered',
      'reconcile: v1.billing.meter.error_report_triggered',
    ]);
    expect(logged.filter((line) => line.level === 'error')).toMatchObject([
      { fields: { eventId: 'evt_test_2', relatedObjectId: 'mtr_1' } },
    ]);
    expect(await rows()).toMatchObject([{ webhook_event_id: 'evt_test_2', related_object_id: 'mtr_1' }]);
  });
});

describe('work that cannot be enqueued', () => {
  test('leaves the event unprocessed for a sweep to find', async () => {
    const { app, logged } = open({ enqueue: () => Promise.reject(new Error('no queue')) });
    expect((await post(app, snapshot())).status).toBe(200);
    expect(logged.some((line) => line.level === 'error')).toBe(true);
    const later = { receivedBefore: new Date(NOW.getTime() + 1), limit: 10 };
    expect(await listUnprocessed(ledger.database, later)).toEqual([
      {
        webhookEventId: 'evt_1',
        provider: 'stripe',
        eventType: 'invoice.finalized',
        relatedObjectId: 'in_1',
        objectType: 'invoice',
        receivedAt: NOW,
        attemptCount: 0,
      },
    ]);
    // One that a request may still be at work on is left alone.
    expect(await listUnprocessed(ledger.database, { receivedBefore: NOW, limit: 10 })).toEqual([]);
    await markProcessed(ledger.database, ['evt_1'], NOW);
    expect(await listUnprocessed(ledger.database, later)).toEqual([]);
  });
});

describe('what is refused', () => {
  const expectProblem = async (response: Response, status: number, code: string) => {
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ code, status });
    expect(await rows()).toEqual([]);
  };

  test('a forged signature', async () => {
    const { app, logged, enqueued } = open();
    const response = await post(app, snapshot(), { secret: 'whsec_guessed' });
    await expectProblem(response, 400, 'WEBHOOK_SIGNATURE_INVALID');
    expect(enqueued).toEqual([]);
    expect(logged).toMatchObject([{ level: 'warn', fields: { kind: 'snapshot' } }]);
  });

  test.each([
    ['none at all', ''],
    ['no signature in it', 't=1793000000'],
    ['nonsense', '🙂'.repeat(10).replaceAll('🙂', 'x,=')],
  ])('a header with %s', async (_name, signature) => {
    const { app } = open();
    await expectProblem(await post(app, snapshot(), { signature }), 400, 'WEBHOOK_SIGNATURE_INVALID');
  });

  test('an event signed more than five minutes ago', async () => {
    const { app } = open();
    const timestamp = Math.floor(Date.now() / 1_000) - 301;
    await expectProblem(await post(app, snapshot(), { timestamp }), 400, 'WEBHOOK_SIGNATURE_INVALID');
  });

  test('a body that was changed or cut short', async () => {
    const { app } = open();
    const signature = await Stripe.webhooks.generateTestHeaderStringAsync({
      payload: snapshot(),
      secret: SECRET,
    });
    for (const body of [snapshot().slice(0, -5), snapshot().replace('in_1', 'in_2'), '']) {
      await expectProblem(await post(app, body, { signature }), 400, 'WEBHOOK_SIGNATURE_INVALID');
    }
  });

  test.each([
    ['no JSON', 'not json'],
    ['no id', snapshot({ id: undefined })],
    ['an id that is no text', snapshot({ id: 7 })],
    ['an array', '[]'],
    ['null', 'null'],
    ['a thin event at the snapshot address', THIN],
  ])('signed, but %s', async (_name, body) => {
    const { app } = open();
    await expectProblem(await post(app, body), 400, 'WEBHOOK_EVENT_INVALID');
  });

  test('a snapshot event at the thin address', async () => {
    const { app } = open();
    const response = await post(app, snapshot(), { path: '/webhooks/stripe/thin', secret: THIN_SECRET });
    await expectProblem(response, 400, 'WEBHOOK_EVENT_INVALID');
  });

  test('a body of more than a megabyte', async () => {
    const { app } = open();
    const body = snapshot({ padding: 'x'.repeat(1024 * 1024) });
    await expectProblem(await post(app, body), 413, 'PAYLOAD_TOO_LARGE');
  });

  test('a body of ten megabytes that does not say how long it is', async () => {
    const { app } = open();
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1;
        if (pulled > 160) controller.close();
        else controller.enqueue(new Uint8Array(65_536));
      },
    });
    const response = await app.request('/webhooks/stripe', {
      method: 'POST',
      headers: { 'stripe-signature': 't=1,v1=00' },
      body,
      duplex: 'half',
    } as RequestInit);
    await expectProblem(response, 413, 'PAYLOAD_TOO_LARGE');
    // It is cut off, not read to its end.
    expect(pulled).toBeLessThan(40);
  });

  test('everything, while no secret is set', async () => {
    for (const webhookSecret of [undefined, ' ']) {
      const { app } = open({ webhookSecret });
      await expectProblem(await post(app, snapshot()), 503, 'WEBHOOK_NOT_CONFIGURED');
    }
  });
});

describe("the stand-in's webhooks", () => {
  let server: Server;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  test('arrive over HTTP, signed, again after a failure, and in order', async () => {
    const { app, enqueued } = open();
    let failures = 2;
    const front = new Hono();
    front.post('/webhooks/*', async (context) => {
      failures -= 1;
      if (failures >= 0) return context.text('not now', 503);
      return app.fetch(context.req.raw);
    });
    server = serve({ fetch: front.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
    await new Promise<void>((resolve) => {
      if (server.listening) resolve();
      else server.once('listening', resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/stripe`;
    const account = await openAccount({
      webhook: { url, secret: SECRET },
      thinWebhook: { url: `${url}/thin`, secret: THIN_SECRET },
    });
    account.clock.advanceTo(START_MS + 3 * DAY_MS - HOUR_MS);
    await account.billing.sendMeterEvent(
      meterEvent({ stripeCustomerId: 'cus_gone', timestamp: account.clock.now() }),
    );
    account.clock.advanceTo(START_MS + 3 * DAY_MS + 2 * HOUR_MS);
    account.standIn.advance(account.clock.nowMs());
    await account.standIn.webhooksIdle();
    expect(enqueued).toEqual([
      'v1.billing.meter.error_report_triggered',
      'reconcile: v1.billing.meter.error_report_triggered',
      'invoice.created',
      'customer.subscription.updated',
      'invoice.finalized',
      'invoice.paid',
    ]);
    await account.close();
  });
});
