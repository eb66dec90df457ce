import { afterEach, describe, expect, it } from 'vitest';
import type { StripeFaultKind } from '../../sandbox/stripe/faults.ts';
import { countStripeReads } from '../../src/billing/stripe-reads.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const METER_EVENTS = '/v1/billing/meter_events';
const OTHER = { tenantId: 'fabrikam', userId: 'user-00002' };

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Usage of the first hour, settled and not yet pushed: 100 prompt tokens of one customer unless given. */
async function settleUsage(rows = makeCall({ completion: 0 }), options: PipelineOptions = {}): Promise<void> {
  pipeline = await openPipeline(options);
  pipeline.traffic.inject(rows);
  pipeline.advance(2);
  await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events');
  pipeline.advance(1);
  await pipeline.run('aggregate-usage');
}

async function push() {
  return (await pipeline.run('push-usage'))['push-usage'];
}

/** A push during which every meter event meets this fault. */
async function failPush(kind: StripeFaultKind): Promise<void> {
  pipeline.stripe.faults.add({ kind, path: METER_EVENTS });
  await expect(push()).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: true });
  pipeline.stripe.faults.clear();
}

/** From now on Stripe says no for good to meter events of this value. */
function refusePushesOf(value: bigint): void {
  const { billing } = pipeline.deps;
  pipeline.deps.billing = {
    ...billing,
    sendMeterEvent: (event, signal) => {
      if (event.value !== value) return billing.sendMeterEvent(event, signal);
      throw new UpstreamError('Stripe takes no hundred', {
        system: 'stripe',
        code: 'UPSTREAM_REJECTED',
        statusCode: 400,
        retry: false,
      });
    },
  };
}

async function pushes() {
  return await pipeline.deps.database
    .selectFrom('meter_pushes')
    .select(['customer_id', 'event_name', 'revision', 'status', 'sent_value', 'last_error'])
    .orderBy('meter_push_id')
    .execute();
}

const meterEventCalls = () => pipeline.calls.filter((call) => call === `POST ${METER_EVENTS}`).length;

async function stripeId(tenantKey: string): Promise<string> {
  const row = await pipeline.deps.database
    .selectFrom('customers')
    .select('stripe_customer_id')
    .where('tenant_key', '=', tenantKey)
    .executeTakeFirstOrThrow();
  return row.stripe_customer_id ?? '';
}

describe('delivering a push', () => {
  it('counts a duplicate as delivered', async () => {
    await settleUsage();
    pipeline.stripe.faults.add({ kind: 'fail_after', path: METER_EVENTS, count: 1 });
    expect(await push()).toMatchObject({ deliveredCount: 1, duplicateCount: 1, refusedCount: 0 });
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 0n, drift: 0n });
  });

  it('whose answer was lost is repeated with the same identifier, and counts once', async () => {
    await settleUsage();
    await failPush('reset_after');
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 100n });
    pipeline.advance(20);
    expect(await push()).toMatchObject({ plannedCount: 0, deliveredCount: 1 });
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 0n, drift: 0n });
  });

  it('is not repeated after Stripe has forgotten the identifier, when its summary holds the push', async () => {
    await settleUsage();
    await failPush('reset_after');
    pipeline.advance(25);
    pipeline.calls.splice(0);
    await push();
    expect(meterEventCalls()).toBe(0);
    expect(await pushes()).toMatchObject([{ status: 'delivered' }]);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 0n, drift: 0n });
  });

  it('is repeated after Stripe has forgotten the identifier, when its summary does not hold the push', async () => {
    await settleUsage();
    await failPush('fail');
    pipeline.advance(25);
    expect(await push()).toMatchObject({ deliveredCount: 1, duplicateCount: 0 });
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 0n, drift: 0n });
  });

  it('is left to a person when the summary says neither', async () => {
    await settleUsage();
    await failPush('reset_before');
    await pipeline.account.billing.meterEvents.create({
      event_name: 'gpt_4o_prompt_tokens',
      payload: { stripe_customer_id: await stripeId('northwind'), value: '5' },
      timestamp: START_MS / 1_000 + 60,
    });
    pipeline.advance(25);
    expect(await push()).toMatchObject({ deliveredCount: 0 });
    const [held] = await pushes();
    expect(held).toMatchObject({ status: 'refused' });
    expect(held?.last_error).toContain('Stripe counts 5');
    expect((await balance(pipeline)).byReason).toEqual({ refused_by_stripe: 100n });
  });

  it('waits for the next day when the reads of this one are used up, and is asked about no more than that', async () => {
    await settleUsage(
      [...makeCall({ completion: 0 }), ...makeCall({ prompt: 7, completion: 0, dimensions: OTHER })],
      { settings: { stripeDoubtReadsPerDay: 1 } },
    );
    await failPush('reset_after');
    pipeline.advance(25);
    pipeline.calls.splice(0);
    const reads = () => pipeline.calls.filter((call) => call.endsWith('/event_summaries')).length;
    expect(await push()).toMatchObject({ unreadCount: 1, deliveredCount: 0 });
    expect(await push()).toMatchObject({ unreadCount: 1, deliveredCount: 0 });
    expect(reads()).toBe(1);
    expect(await countStripeReads(pipeline.deps.database, 'doubt', pipeline.deps.clock.now())).toBe(1);
    expect((await pushes()).map((row) => row.status).sort()).toEqual(['delivered', 'pending']);
    pipeline.advance(24);
    expect(await push()).toMatchObject({ unreadCount: 0 });
    expect(reads()).toBe(2);
    expect(meterEventCalls()).toBe(0);
    expect(await balance(pipeline)).toMatchObject({ billed: 107n, due: 0n, drift: 0n });
  });

  it('of a customer that is gone holds up no other customer', async () => {
    await settleUsage([
      ...makeCall({ completion: 0 }),
      ...makeCall({ prompt: 7, completion: 0, dimensions: OTHER }),
    ]);
    await failPush('reset_before');
    await pipeline.account.customers.del(await stripeId('northwind'));
    pipeline.advance(25);
    await push();
    expect((await pushes()).map((row) => [row.customer_id, row.status])).toEqual([
      ['fabrikam', 'delivered'],
      ['northwind', 'refused'],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 7n, due: 0n, quarantined: 100n, drift: 0n });
  });

  it('that Stripe refuses for good is kept, counted, and holds up no other customer', async () => {
    await settleUsage([
      ...makeCall({ prompt: 100, completion: 0 }),
      ...makeCall({ prompt: 7, completion: 0, dimensions: OTHER }),
    ]);
    refusePushesOf(100n);
    expect(await push()).toMatchObject({ deliveredCount: 1, refusedCount: 1 });
    const total = await balance(pipeline);
    expect(total).toMatchObject({ billed: 7n, due: 0n, drift: 0n });
    expect(total.byReason).toEqual({ refused_by_stripe: 100n });
    expect((await pushes()).map((row) => row.last_error)).toContain('Stripe takes no hundred');
    pipeline.calls.splice(0);
    await push();
    expect(meterEventCalls()).toBe(0);
  });

  it('waits for the right key, and blames no push for the wrong one', async () => {
    await settleUsage();
    pipeline.stripe.faults.add({ kind: 'refuse', path: METER_EVENTS, count: 1 });
    await expect(push()).rejects.toMatchObject({ statusCode: 403 });
    expect(await pushes()).toMatchObject([{ status: 'pending' }]);
    expect(await push()).toMatchObject({ deliveredCount: 1 });
  });

  it('goes on for other customers while one is throttled', async () => {
    await settleUsage(
      [
        ...makeCall({ prompt: 100, completion: 20 }),
        ...makeCall({ prompt: 7, completion: 0, dimensions: OTHER }),
      ],
      { settings: { pushConcurrency: 1 } },
    );
    pipeline.stripe.faults.add({ kind: 'throttle', path: METER_EVENTS, count: 2 });
    await expect(push()).rejects.toMatchObject({ code: 'UPSTREAM_THROTTLED' });
    expect((await pushes()).map((row) => row.status).sort()).toEqual(['delivered', 'delivered', 'pending']);
    await push();
    expect(await balance(pipeline)).toMatchObject({ billed: 127n, due: 0n, drift: 0n });
  });
});

describe('a meter with an hour window', () => {
  const hourWindow = { stripe: { hourWindowMeters: (name: string) => name === 'gpt_4o_prompt_tokens' } };
  const late = makeCall({ minute: 30, prompt: 7, completion: 3, ingestedAtHour: 5 });

  it('gets the absolute value of the hour, and a raw meter the difference', async () => {
    await settleUsage([...makeCall({ prompt: 100, completion: 20 }), ...late], hourWindow);
    await push();
    await pipeline.tick(3);
    await pipeline.tick(1);
    expect((await pushes()).map((row) => [row.event_name, row.revision, row.sent_value])).toEqual(
      expect.arrayContaining([
        ['gpt_4o_prompt_tokens', 1, 100n],
        ['gpt_4o_prompt_tokens', 2, 107n],
        ['gpt_4o_completion_tokens', 1, 20n],
        ['gpt_4o_completion_tokens', 2, 3n],
      ]),
    );
    expect(await balance(pipeline)).toMatchObject({ billed: 130n, due: 0n, drift: 0n });
  });

  it('may be told again at any time: the value overwrites itself', async () => {
    await settleUsage([...makeCall({ completion: 0 }), ...late], hourWindow);
    await failPush('reset_before');
    // Somebody else's value stands in the hour; a raw push would now be a person's business.
    await pipeline.account.billing.meterEvents.create({
      event_name: 'gpt_4o_prompt_tokens',
      payload: { stripe_customer_id: await stripeId('northwind'), value: '5' },
      timestamp: START_MS / 1_000 + 60,
    });
    await pipeline.tick(25);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ billed: 110n, due: 0n, quarantined: 0n, drift: 0n });
  });
});

describe('an identifier', () => {
  it('is short enough for Stripe, and differs by customer, meter, hour and revision', async () => {
    await settleUsage([
      ...makeCall({ cachedPrompt: 10 }),
      ...makeCall({ hour: 1 }),
      ...makeCall({ dimensions: OTHER }),
      ...makeCall({ minute: 30, ingestedAtHour: 3 }),
    ]);
    await push();
    await pipeline.tick(3);
    await pipeline.tick(1);
    const rows = await pipeline.deps.database
      .selectFrom('meter_pushes')
      .select(['identifier', 'event_timestamp', 'window_start'])
      .execute();
    expect(rows.length).toBeGreaterThan(8);
    expect(new Set(rows.map((row) => row.identifier)).size).toBe(rows.length);
    for (const row of rows) {
      expect(row.identifier).toMatch(/^tallystick_[0-9a-f]{48}$/);
      const offsetMs = row.event_timestamp.getTime() - row.window_start.getTime();
      expect(offsetMs >= 0 && offsetMs < HOUR_MS).toBe(true);
    }
  });
});
