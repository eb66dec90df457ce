import { createHmac } from 'node:crypto';
import Stripe from 'stripe';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStepQueue, type QueueConfig } from '../../jobs/queue/queues.ts';
import manifest from '../../package.json' with { type: 'json' };
import { storeCatalog } from '../../src/catalog/catalog.ts';
import { CONSOLE_PAGES } from '../../src/console/registry.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { createLogger } from '../../src/platform/log.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { openAccount, type TestAccount } from '../stripe/account.ts';
import { hasRedisServer, startRedis } from './redis.ts';
import { buildWorker, type RunningWorker, runWorker, type WorkerBundle } from './workerd.ts';

const SECRET = 'whsec_worker_secret';
const THIN_SECRET = 'whsec_worker_thin_secret';
const SVIX_SECRET = `whsec_${Buffer.from('a secret of 24 bytes ok.').toString('base64')}`;

let bundle: WorkerBundle;
let ledger: TestLedger;
let account: TestAccount;
let worker: RunningWorker;
let key: string;

beforeAll(async () => {
  bundle = await buildWorker();
  ledger = await createTestLedger();
  account = await openAccount();
  await fillLedger();
  const now = new Date();
  key = (await createApiKey(ledger.database, { name: 'worker test', scopes: ['admin'], actor: 'test', now }))
    .plainKey;
  worker = await runWorker(bundle, settings());
});

afterAll(async () => {
  await worker?.close();
  await account?.close();
  await ledger?.close();
  await bundle?.close();
});

/** No webhook was ever delivered, and no work asked for. */
beforeEach(async () => {
  await ledger.database.deleteFrom('webhook_events').execute();
  const queue = openStepQueue(
    { redisUrl: undefined, databaseUrl: ledger.databaseUrl },
    createLogger('silent'),
  );
  await queue.obliterate({ force: true });
  await queue.close();
});

function settings(more: Record<string, string> = {}): Record<string, string> {
  return {
    DATABASE_URL: ledger.databaseUrl,
    STRIPE_API_KEY: account.standIn.apiKey,
    STRIPE_API_BASE: account.url,
    STRIPE_WEBHOOK_SECRET: SECRET,
    STRIPE_THIN_WEBHOOK_SECRET: THIN_SECRET,
    OPENMETER_WEBHOOK_SECRET: SVIX_SECRET,
    ...more,
  };
}

/** The stand-in's own catalog, and a million prompt tokens of one customer that Stripe has not heard of. */
async function fillLedger(): Promise<void> {
  const catalog = await account.billing.readCatalog({ invoicesSince: new Date(0) });
  const customers = catalog.customers.map((customer) => ({
    customerId: customer.metadata.tenant_id ?? '',
    stripeCustomerId: customer.stripeCustomerId,
    tenantKey: customer.metadata.tenant_id ?? null,
    name: customer.name,
    currency: customer.currency,
    deleted: false,
  }));
  await storeCatalog(ledger.database, { ...catalog, customers }, { now: new Date(), actor: 'test' });
  await ledger.database
    .insertInto('hourly_usage')
    .values({
      window_start: new Date('2026-11-02T09:00:00Z'),
      subject: 'user-1',
      feature: 'chat',
      model: 'gpt-4o',
      deployment: 'gpt-4o-global',
      token_type: 'prompt',
      revision: 1,
      token_count: 1_000_000n,
      delta_token_count: 1_000_000n,
      customer_id: 'northwind',
      meter_push_id: null,
      quarantine_reason: null,
      created_at: new Date(),
    })
    .execute();
}

const call = (path: string, init: RequestInit = {}, base = worker.url) =>
  fetch(`${base}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });

function event(id: string): string {
  return JSON.stringify({
    id,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: Math.floor(Date.now() / 1_000),
    livemode: false,
    data: { object: { id: 'in_1', object: 'invoice' } },
    type: 'invoice.created',
  });
}

async function deliver(base: string, payload: string, secret: string): Promise<Response> {
  const signature = await Stripe.webhooks.generateTestHeaderStringAsync({ payload, secret });
  return await fetch(`${base}/webhooks/stripe`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'stripe-signature': signature },
    body: payload,
  });
}

async function readJobs(config: QueueConfig) {
  const queue = openStepQueue(config, createLogger('silent'));
  const jobs = await queue.getJobs(['waiting', 'delayed', 'active']);
  await queue.close();
  return jobs.map((job) => [job.name, job.data.reason]);
}

describe('the Worker in workerd', () => {
  it('is ready over a real Postgres', async () => {
    const response = await call('/ready');
    expect(await response.json()).toEqual({
      status: 'ready',
      ledger: 'reachable',
      missingMigrations: [],
      alarms: [],
    });
  });

  it('previews an invoice from Stripe and the ledger', async () => {
    const response = await call('/v1/customers/northwind/invoice-preview');
    expect(response.status, await response.clone().text()).toBe(200);
    const body = (await response.json()) as {
      subscriptions: {
        stripe: { status: string };
        total: string;
        lines: { quantity: string; notYetCounted: string; amount: string }[];
      }[];
    };
    expect(body.subscriptions).toHaveLength(1);
    expect(body.subscriptions[0]?.stripe.status).toBe('ok');
    expect(body.subscriptions[0]?.total).toBe('3.00');
    const used = body.subscriptions[0]?.lines.filter((line) => line.quantity !== '0');
    expect(used).toMatchObject([{ quantity: '1000000', notYetCounted: '1000000', amount: '3.00' }]);
  });

  it('makes a quote and reads it back', async () => {
    const created = await call('/v1/quotes', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        usage: [{ model: 'gpt-4o', promptTokenCount: 1_000_000, completionTokenCount: 0 }],
        customerId: 'northwind',
      }),
    });
    expect(created.status, await created.clone().text()).toBe(201);
    const quote = (await created.json()) as { totals: unknown };
    expect(quote.totals).toMatchObject({
      cost: { amount: '2.50' },
      price: { amount: '3.00' },
      margin: { amount: '0.50' },
    });
    const stored = await call(created.headers.get('location') ?? '');
    expect(await stored.json()).toEqual(quote);
  });

  it('answers usage, as JSON and as CSV', async () => {
    const query = '/v1/usage?period=2026-11&granularity=hour&groupBy=customer,model,tokenType';
    const json = (await (await call(query)).json()) as { rows: unknown[] };
    expect(json.rows).toMatchObject([{ customerId: 'northwind', model: 'gpt-4o', tokenCount: '1000000' }]);
    const csv = await (await call(query, { headers: { accept: 'text/csv' } })).text();
    expect(csv).toContain('northwind,gpt-4o,prompt,1000000');
  });

  it('serves the reference page from its own bundle', async () => {
    expect(await (await call('/docs')).text()).toContain('swagger-ui-bundle.js');
    for (const [name, size] of [
      ['swagger-ui-bundle.js', 500_000],
      ['swagger-ui.css', 50_000],
    ] as const) {
      const response = await call(`/docs/${name}`);
      expect(response.status).toBe(200);
      expect((await response.text()).length).toBeGreaterThan(size);
    }
    expect(await (await call('/openapi.json')).json()).toMatchObject({
      openapi: '3.1.0',
      info: { version: manifest.version },
    });
  });

  it('serves every page of the console to who signed in with a key', async () => {
    const answer = await fetch(`${worker.url}/console/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: worker.url },
      body: new URLSearchParams({ key, to: '/console/audit' }),
    });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/console/audit']);
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    for (const { path } of CONSOLE_PAGES.filter((page) => !page.path.includes(':'))) {
      const page = await fetch(`${worker.url}${path}`, { headers: { cookie } });
      expect(page.status, path).toBe(200);
      const style = /href="([^"]+\.css)"/.exec(await page.text())?.[1];
      expect((await fetch(`${worker.url}${style}`)).headers.get('content-type')).toContain('text/css');
    }
  });

  it('refuses a request without a key', async () => {
    const response = await fetch(`${worker.url}/v1/status`);
    expect(response.status).toBe(401);
  });

  it('refuses a forged webhook and records nothing', async () => {
    const response = await deliver(worker.url, event('evt_forged'), 'whsec_of_somebody_else');
    expect(response.status).toBe(400);
    const rows = await ledger.database.selectFrom('webhook_events').selectAll().execute();
    expect(rows).toEqual([]);
  });

  it('puts the work of a genuine webhook into the queue in Postgres, once', async () => {
    const config = { redisUrl: undefined, databaseUrl: ledger.databaseUrl };
    for (const duplicate of [false, true]) {
      const response = await deliver(worker.url, event('evt_postgres'), SECRET);
      expect(response.status, await response.clone().text()).toBe(200);
      expect(await response.json()).toEqual({ received: true, duplicate });
    }
    expect(await readJobs(config)).toEqual([['refresh-catalog', 'invoice.created']]);
  });

  it('verifies thin events and OpenMeter notifications as Node does, and refuses what is wrong with them', async () => {
    const thin = JSON.stringify({
      id: 'evt_test_worker',
      object: 'v2.core.event',
      type: 'v1.billing.meter.no_meter_found',
      created: new Date().toISOString(),
      livemode: false,
    });
    const now = Math.floor(Date.now() / 1_000);
    const sendThin = async (secret: string, timestamp = now, body = thin) => {
      const signature = await Stripe.webhooks.generateTestHeaderStringAsync({
        payload: thin,
        secret,
        timestamp,
      });
      const headers = { 'stripe-signature': signature };
      return (await fetch(`${worker.url}/webhooks/stripe/thin`, { method: 'POST', headers, body })).status;
    };
    expect(await sendThin(SECRET)).toBe(400);
    expect(await sendThin(THIN_SECRET, now - 301)).toBe(400);
    expect(await sendThin(THIN_SECRET, now, thin.slice(0, -4))).toBe(400);
    expect(await sendThin(THIN_SECRET)).toBe(200);
    const notification = JSON.stringify({ id: 'n1', type: 'entitlements.reset' });
    const sendSvix = async (secret: string, timestamp = now, body = notification) => {
      const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
      const signed = createHmac('sha256', key).update(`msg_1.${timestamp}.${notification}`).digest('base64');
      const headers = {
        'svix-id': 'msg_1',
        'svix-timestamp': String(timestamp),
        'svix-signature': `v1,bm90aGluZw== v1,${signed}`,
      };
      return (await fetch(`${worker.url}/webhooks/openmeter`, { method: 'POST', headers, body })).status;
    };
    const other = `whsec_${Buffer.from('another secret, 24 long.').toString('base64')}`;
    expect(await sendSvix(other)).toBe(400);
    expect(await sendSvix(SVIX_SECRET, now - 301)).toBe(400);
    expect(await sendSvix(SVIX_SECRET, now, notification.slice(0, -2))).toBe(400);
    // The refusal may come while the body is still being sent: then the proxy in front, or the broken connection, is
    // what its sender sees.
    const tooLarge = await sendSvix(SVIX_SECRET, now, 'x'.repeat(10 * 1024 * 1024)).catch(() => 413);
    expect([413, 500]).toContain(tooLarge);
    expect(await sendSvix(SVIX_SECRET)).toBe(200);
    const rows = await ledger.database
      .selectFrom('webhook_events')
      .select(['webhook_event_id', 'processed_at'])
      .orderBy('webhook_event_id')
      .execute();
    expect(rows).toEqual([
      { webhook_event_id: 'evt_test_worker', processed_at: null },
      { webhook_event_id: 'openmeter:n1', processed_at: null },
    ]);
  });

  it('serves many requests at a time, each with connections of its own', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await call('/v1/status')).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('says that it is not configured, and not with what', async () => {
    const bare = await runWorker(bundle, { DATABASE_URL: ledger.databaseUrl });
    const response = await fetch(`${bare.url}/health`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('postgres://');
    await bare.close();
  });

  it('puts the work of a genuine webhook into Redis', async (context) => {
    if (!hasRedisServer()) {
      if (process.env.CI === 'true') throw new Error('redis-server is missing; CI must have it');
      context.skip('redis-server is not on the PATH: the Redis half of this test did not run');
    }
    const redis = await startRedis();
    const withRedis = await runWorker(bundle, settings({ REDIS_URL: redis.url }));
    try {
      const response = await deliver(withRedis.url, event('evt_redis'), SECRET);
      expect(response.status, await response.clone().text()).toBe(200);
      const config = { redisUrl: redis.url, databaseUrl: ledger.databaseUrl };
      expect(await readJobs(config)).toEqual([['refresh-catalog', 'invoice.created']]);
    } finally {
      await withRedis.close();
      await redis.close();
    }
  });
});
