import { afterEach, describe, expect, it } from 'vitest';
import type { StripeFaultKind } from '../../sandbox/stripe/faults.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const METER_EVENTS = '/v1/billing/meter_events';
/** Shorter than the lag that the pipeline allows for, which is two hours. */
const SLOW_STRIPE: PipelineOptions = { stripe: { aggregationDelayMs: 1.5 * HOUR_MS } };

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** So many tokens of the first hour, and so many more that come late, five hours after the start. */
async function openWithLate(first: number, late: number) {
  pipeline = await openPipeline(SLOW_STRIPE);
  pipeline.traffic.inject([
    ...makeCall({ prompt: first, completion: 0 }),
    ...(late === 0 ? [] : makeCall({ minute: 30, prompt: late, completion: 0, ingestedAtHour: 5 })),
  ]);
  pipeline.advance(2);
  await pipeline.run('sync-catalog');
  await settle();
}

/** Makes settled usage of what has arrived; an hour passes. */
async function settle() {
  await pipeline.run('collect-usage', 'ingest-events');
  pipeline.advance(1);
  await pipeline.run('aggregate-usage');
}

/** The late usage arrives and is settled: seven hours after the start. */
async function settleLate() {
  pipeline.advance(3);
  await settle();
}

const push = async () => (await pipeline.run('push-usage'))['push-usage'];

/** A push during which every meter event meets this fault. */
async function failPush(kind: StripeFaultKind) {
  pipeline.stripe.faults.add({ kind, path: METER_EVENTS });
  await expect(push()).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  pipeline.stripe.faults.clear();
}

const revisions = async () =>
  (
    await pipeline.deps.database
      .selectFrom('meter_pushes')
      .select(['revision', 'status', 'last_error'])
      .orderBy('meter_push_id')
      .execute()
  ).map((row) => [row.revision, row.status]);

async function change(revision: number, values: { status: 'pending' | 'refused'; is_unproven?: boolean }) {
  await pipeline.deps.database
    .updateTable('meter_pushes')
    .set({ ...values, delivered_at: null })
    .where('revision', '=', revision)
    .execute();
}

const sent = () => pipeline.calls.filter((call) => call === `POST ${METER_EVENTS}`).length;
const reads = () => pipeline.calls.filter((call) => call.endsWith('/event_summaries')).length;

describe('two revisions of one hour after more than 23 hours', () => {
  it.each([7, 100])('are both sent when Stripe counts neither (%d late)', async (late) => {
    await openWithLate(100, late);
    await failPush('fail');
    await settleLate();
    await failPush('fail');
    pipeline.advance(25);
    pipeline.calls.splice(0);
    await push();
    await push();
    expect(await revisions()).toEqual([
      [1, 'delivered'],
      [2, 'delivered'],
    ]);
    expect([sent(), reads()]).toEqual([2, 1]);
    pipeline.advance(3);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n + BigInt(late), due: 0n, drift: 0n });
  });

  it.each([7, 100])('are both delivered and not sent when Stripe counts both (%d late)', async (late) => {
    await openWithLate(100, late);
    await push();
    await settleLate();
    await push();
    // As a kill leaves them whose deliveries were not yet committed.
    await change(1, { status: 'pending' });
    await change(2, { status: 'pending' });
    pipeline.advance(25);
    pipeline.calls.splice(0);
    await push();
    expect(await revisions()).toEqual([
      [1, 'delivered'],
      [2, 'delivered'],
    ]);
    expect([sent(), reads()]).toEqual([0, 1]);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n + BigInt(late), due: 0n, drift: 0n });
  });

  it.each([7, 100])('of which Stripe counts the first are told apart (%d late)', async (late) => {
    await openWithLate(100, late);
    await push();
    await settleLate();
    await failPush('fail');
    await change(1, { status: 'pending' });
    pipeline.advance(25);
    pipeline.calls.splice(0);
    await push();
    expect(await revisions()).toEqual([
      [1, 'delivered'],
      [2, 'delivered'],
    ]);
    expect(sent()).toBe(1);
    pipeline.advance(3);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n + BigInt(late), due: 0n, drift: 0n });
  });
});

describe('a push in doubt', () => {
  it('waits until Stripe must show the other one of its hour, delivered a moment ago', async () => {
    await openWithLate(100, 7);
    await failPush('fail');
    await change(1, { status: 'refused', is_unproven: true });
    pipeline.advance(21);
    await settleLate();
    await push();
    // As a person leaves it who asks for it again.
    await change(1, { status: 'pending' });
    pipeline.advance(1);
    pipeline.calls.splice(0);
    await push();
    expect([sent(), reads()]).toEqual([0, 0]);
    expect(await revisions()).toEqual([
      [1, 'pending'],
      [2, 'delivered'],
    ]);
    pipeline.advance(1);
    await push();
    expect([sent(), reads()]).toEqual([1, 1]);
    pipeline.advance(3);
    expect(await balance(pipeline)).toMatchObject({ billed: 107n, due: 0n, quarantined: 0n, drift: 0n });
  });

  it('waits for another one of its hour that can still be asked about by its identifier', async () => {
    await openWithLate(100, 100);
    await failPush('fail');
    await change(1, { status: 'refused', is_unproven: true });
    pipeline.advance(18);
    await settleLate();
    await failPush('reset_after');
    await change(1, { status: 'pending' });
    pipeline.advance(3);
    // Stripe counts a hundred: those of the second.
    for (let hour = 0; hour < 4; hour += 1) {
      await push();
      pipeline.advance(1);
    }
    pipeline.advance(3);
    expect(await revisions()).toEqual([
      [1, 'delivered'],
      [2, 'delivered'],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 200n, due: 0n, quarantined: 0n, drift: 0n });
  });

  it('does not look tried because others are sent', async () => {
    await openWithLate(100, 0);
    await failPush('fail');
    const attempts = async () =>
      await pipeline.deps.database
        .selectFrom('meter_pushes')
        .select(['attempt_count', 'last_attempt_at', 'status'])
        .where('customer_id', '=', 'northwind')
        .execute();
    const before = await attempts();
    const dimensions = { tenantId: 'fabrikam', userId: 'user-00002' };
    pipeline.traffic.inject(makeCall({ hour: 20, dimensions }));
    pipeline.advance(20);
    await settle();
    pipeline.advance(3);
    pipeline.deps.settings = { ...pipeline.deps.settings, stripeDoubtReadsPerDay: 0 };
    pipeline.calls.splice(0);
    expect(await push()).toMatchObject({ unreadCount: 1, deliveredCount: 2 });
    expect(await attempts()).toEqual(before);
  });

  it('that was refused a moment ago is not held for uncounted before Stripe must show it', async () => {
    await openWithLate(100, 0);
    await failPush('reset_after');
    await change(1, { status: 'refused', is_unproven: true });
    pipeline.advance(1);
    for (let hour = 0; hour < 6; hour += 1) {
      await pipeline.run('reconcile', 'push-usage');
      pipeline.advance(1);
    }
    expect(await revisions()).toEqual([[1, 'delivered']]);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 0n, quarantined: 0n, drift: 0n });
  });
});

describe('the reads of a day', () => {
  it('are not used up by an outage in which nobody answers them', async () => {
    pipeline = await openPipeline({ settings: { stripeDoubtReadsPerDay: 1 } });
    pipeline.traffic.inject(makeCall({ completion: 0 }));
    pipeline.advance(2);
    await pipeline.run('sync-catalog');
    await settle();
    await failPush('fail');
    pipeline.advance(25);
    await pipeline.faults.set({ stripe: { network: { down: true } } });
    for (let run = 0; run < 3; run += 1)
      await expect(push()).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    await pipeline.faults.set({ stripe: { network: { down: false } } });
    expect(await push()).toMatchObject({ deliveredCount: 1, unreadCount: 0 });
  });
});
