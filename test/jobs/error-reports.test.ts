import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { recordWebhookEvent } from '../../src/webhook-events/events.ts';
import { createStripeWebhookRoute } from '../../webhooks/stripe.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const SECRET = 'whsec_thin_secret';
const REPORTS = '/v2/core/events';

let pipeline: Pipeline;
let server: Server | undefined;
let enqueued: string[];

afterEach(async () => {
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)));
  server = undefined;
  await pipeline.close();
});

/** A pipeline whose thin events arrive at the real webhook route over HTTP. */
async function open(options: PipelineOptions = {}): Promise<void> {
  enqueued = [];
  const front = new Hono();
  let route: Hono | undefined;
  front.all('*', async (context) => (await route?.fetch(context.req.raw)) ?? context.text('not yet', 503));
  server = serve({ fetch: front.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  await new Promise<void>((resolve) => (server?.listening ? resolve() : server?.once('listening', resolve)));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/thin`;
  pipeline = await openPipeline({
    ...options,
    stripe: { thinWebhook: { url, secret: SECRET }, ...options.stripe },
  });
  route = createStripeWebhookRoute({
    database: pipeline.deps.database,
    clock: pipeline.deps.clock,
    webhookSecret: undefined,
    thinWebhookSecret: SECRET,
    enqueue: async (job) => void enqueued.push(job),
  });
}

/** Usage of so many hours, pushed; Stripe takes the first `lostCount` pushes and refuses them later. */
async function pushAndLose(hourCount: number, lostCount: number): Promise<void> {
  pipeline.traffic.inject(
    Array.from({ length: hourCount }, (_, hour) =>
      makeCall({ hour, prompt: 100 + hour, completion: 0 }),
    ).flat(),
  );
  pipeline.stripe.faults.refuseLater(lostCount, 'timestamp_too_far_in_past');
  await pipeline.tick(hourCount + 1);
  await pipeline.tick(1);
  await deliverReports();
}

async function deliverReports(): Promise<void> {
  pipeline.advance(0.1);
  await pipeline.stripe.webhooksIdle();
}

async function pushes() {
  return await pipeline.deps.database
    .selectFrom('meter_pushes')
    .select(['status', 'last_error', 'stripe_meter_id'])
    .orderBy('meter_push_id')
    .execute();
}

describe('a report of meter events that Stripe took and did not count', () => {
  it('refuses the pushes that it names at once, and says why', async () => {
    await open();
    await pushAndLose(4, 2);
    expect(enqueued).toEqual(['refresh-catalog', 'reconcile']);
    expect(await balance(pipeline)).toMatchObject({ billed: 205n, delivered: 406n, drift: 201n });
    expect((await pipeline.run('reconcile')).reconcile).toMatchObject({ reportedPushCount: 2 });
    const total = await balance(pipeline);
    expect(total).toMatchObject({ billed: 205n, delivered: 205n, due: 0n, drift: 0n });
    expect(total.byReason).toEqual({ refused_by_stripe: 201n });
    expect((await pushes())[0]).toMatchObject({
      status: 'refused',
      last_error: expect.stringContaining('timestamp_too_far_in_past'),
    });
  });

  it('has their usage planned anew once the sums agree, and charges it once', async () => {
    await open({ settings: { stripeReadsPerDay: 0 } });
    await pushAndLose(4, 2);
    for (let hour = 0; hour < 4; hour += 1) await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ billed: 406n, delivered: 406n, due: 0n, drift: 0n });
    expect((await pushes()).filter((push) => push.status === 'withdrawn').length).toBe(2);
  });

  it('names five; the sums find the rest, without a sample', async () => {
    await open({ settings: { stripeReadsPerDay: 0 } });
    await pushAndLose(8, 7);
    expect((await pipeline.run('reconcile')).reconcile).toMatchObject({ reportedPushCount: 5 });
    expect((await pushes()).filter((push) => push.status === 'refused').length).toBe(5);
    for (let hour = 0; hour < 40; hour += 2) await pipeline.tick(2);
    expect(await balance(pipeline)).toMatchObject({ billed: 828n, delivered: 828n, due: 0n, drift: 0n });
  });

  it('is read once, and again only when Stripe could not be asked', async () => {
    await open();
    await pushAndLose(2, 1);
    pipeline.stripe.faults.add({ kind: 'fail', path: REPORTS });
    await expect(pipeline.run('reconcile')).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect((await pushes()).every((push) => push.status === 'delivered')).toBe(true);
    pipeline.stripe.faults.clear();
    expect((await pipeline.run('reconcile')).reconcile).toMatchObject({ reportedPushCount: 1 });
    pipeline.calls.splice(0);
    expect((await pipeline.run('reconcile')).reconcile).toMatchObject({ reportedPushCount: 0 });
    expect(pipeline.calls.filter((call) => call.includes(REPORTS))).toEqual([]);
  });

  it('that our key may not read holds nothing up, and still raises doubts', async () => {
    await open();
    await pushAndLose(2, 1);
    pipeline.stripe.faults.add({ kind: 'refuse', path: REPORTS });
    expect((await pipeline.run('reconcile')).reconcile).toMatchObject({ reportedPushCount: 0 });
    const doubts = await pipeline.deps.database.selectFrom('billing_checks').select('doubt').execute();
    expect(doubts).toMatchObject([{ doubt: 'error report' }]);
  });

  it('names a push whose first answer was an error by a key of another form', async () => {
    await open();
    pipeline.traffic.inject(makeCall({ completion: 0 }));
    // Stripe stores the 500 under the key: the push goes out under a further one.
    pipeline.stripe.faults.add({ kind: 'fail', count: 1, path: '/v1/billing/meter_events' });
    pipeline.stripe.faults.refuseLater(1);
    await pipeline.tick(2);
    await pipeline.tick(1);
    await deliverReports();
    expect((await pipeline.run('reconcile')).reconcile).toMatchObject({ reportedPushCount: 1 });
    expect(await balance(pipeline)).toMatchObject({ billed: 0n, quarantined: 100n, drift: 0n });
  });

  it('that was wrong is found out: what counts after all is not charged again', async () => {
    await open();
    pipeline.traffic.inject(makeCall({ completion: 0 }));
    await pipeline.tick(2);
    await pipeline.tick(1);
    await pipeline.deps.database
      .updateTable('meter_pushes')
      .set({ status: 'refused', last_error: 'as if a report had named it' })
      .execute();
    await recordWebhookEvent(pipeline.deps.database, {
      webhookEventId: 'evt_unknown_to_stripe',
      provider: 'stripe',
      eventType: 'v1.billing.meter.error_report_triggered',
      relatedObjectId: (await pushes())[0]?.stripe_meter_id ?? '',
      payload: {},
      receivedAt: pipeline.deps.clock.now(),
    });
    for (let hour = 0; hour < 18; hour += 1) {
      pipeline.advance(1);
      await pipeline.run('sync-catalog', 'push-usage', 'reconcile');
    }
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, delivered: 100n, drift: 0n });
  });
});
