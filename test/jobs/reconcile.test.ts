import { afterEach, describe, expect, it } from 'vitest';
import { reconcile, reconcileWindow } from '../../jobs/reconcile/reconcile.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';
import { foreignEvent } from './foreign-event.ts';

let pipeline: Pipeline;

const isSummaryRead = (call: string) => call.endsWith('/event_summaries');
const summaryReads = () => pipeline.calls.filter(isSummaryRead).length;

async function billingDrifts() {
  return await pipeline.deps.database
    .selectFrom('billing_drifts')
    .select(['window_start', 'acknowledged_value', 'counted_value', 'class', 'resolved_at'])
    .orderBy('window_start')
    .execute();
}

async function pushes() {
  return await pipeline.deps.database
    .selectFrom('meter_pushes')
    .select(['revision', 'delta_token_count', 'status', 'offsets_push_id'])
    .where('delta_token_count', '<>', 0n)
    .orderBy('meter_push_id')
    .execute();
}

/** Opens a pipeline with usage in its first hours, pushed; the pushes named are answered 200 and lost. */
async function openPushed(options: PipelineOptions & { lostCount?: number; hourCount?: number } = {}) {
  pipeline = await openPipeline(options);
  const { hourCount = 4 } = options;
  pipeline.traffic.inject(
    Array.from({ length: hourCount }, (_, hour) =>
      makeCall({ hour, prompt: 100 + hour, completion: 0 }),
    ).flat(),
  );
  pipeline.stripe.faults.dropNextMeterEvents(options.lostCount ?? 0);
  await pipeline.tick(hourCount + 1);
  await pipeline.tick(1);
}

/** Lets time pass in steps of so many hours, with only the work that Stripe needs. */
async function repairAll(hours = 30, every = 1): Promise<void> {
  for (let hour = 0; hour < hours; hour += every) {
    pipeline.advance(every);
    await pipeline.run('sync-catalog', 'push-usage', 'reconcile');
  }
}

describe('holding Stripe against what it acknowledged', () => {
  afterEach(() => pipeline.close());

  it('finds a push that Stripe took and lost, pushes its usage anew, and charges it once', async () => {
    await openPushed({ lostCount: 1 });
    expect(await balance(pipeline)).toMatchObject({ billed: 306n, delivered: 406n, drift: 100n });
    await pipeline.tick(3);
    expect(await billingDrifts()).toMatchObject([{ class: 'push_unconfirmed', counted_value: 0n }]);
    await repairAll(30, 2);
    expect(await balance(pipeline)).toMatchObject({ billed: 406n, delivered: 406n, due: 0n, drift: 0n });
    const made = await pushes();
    expect(made.filter((push) => push.status === 'withdrawn')).toMatchObject([{ delta_token_count: 100n }]);
    expect(made.filter((push) => push.delta_token_count === 100n).map((push) => push.revision)).toEqual([
      1, 2,
    ]);
    expect((await billingDrifts())[0]?.resolved_at).not.toBeNull();
  });

  it('does the same on a meter that keeps the newest value of an hour', async () => {
    await openPushed({ lostCount: 1, stripe: { hourWindowMeters: () => true } });
    await repairAll(30, 2);
    expect(await balance(pipeline)).toMatchObject({ billed: 406n, delivered: 406n, due: 0n, drift: 0n });
  });

  it('takes back what appears after its usage was pushed anew', async () => {
    // Sums show nothing of the first hours for days, as if it were lost, and nothing later was sent that could tell.
    await openPushed({ stripe: { aggregationDelayMs: 40 * HOUR_MS } });
    await repairAll(30, 2);
    expect((await pushes()).some((push) => push.status === 'withdrawn')).toBe(true);
    await repairAll(480, 16);
    expect(await balance(pipeline)).toMatchObject({ billed: 406n, delivered: 406n, due: 0n, drift: 0n });
    expect((await pushes()).some((push) => push.offsets_push_id !== null)).toBe(true);
  });

  it('only waits while the sums lag', async () => {
    await openPushed({ stripe: { aggregationDelayMs: 4 * HOUR_MS } });
    await repairAll(30, 2);
    expect((await pushes()).every((push) => push.status === 'delivered')).toBe(true);
    expect((await billingDrifts()).every((drift) => drift.resolved_at !== null)).toBe(true);
  });

  it('reports what nobody of ours sent, and leaves it alone', async () => {
    await openPushed();
    const push = await pipeline.deps.database
      .selectFrom('meter_pushes')
      .selectAll()
      .limit(1)
      .executeTakeFirstOrThrow();
    await pipeline.deps.billing.sendMeterEvent({
      eventName: push.event_name,
      stripeCustomerId: push.stripe_customer_id,
      value: 55n,
      identifier: 'somebody else',
      timestamp: new Date(START_MS + 60_000),
    });
    const before = await pushes();
    await repairAll(30, 2);
    expect(await billingDrifts()).toMatchObject([
      { class: 'unexplained', acknowledged_value: 100n, counted_value: 155n, resolved_at: null },
    ]);
    expect(await pushes()).toEqual(before);
  });

  it('narrows one hour of many days down in three reads', async () => {
    await openPushed({ hourCount: 60, settings: { stripeReadsPerDay: 0 } });
    // As if Stripe had acknowledged a thousand tokens more than it counts.
    const changed = await pipeline.deps.database
      .updateTable('meter_pushes')
      .set({ delta_token_count: 1_142n, total_token_count: 1_142n })
      .where('window_start', '=', new Date(START_MS + 42 * HOUR_MS))
      .executeTakeFirst();
    expect(changed.numUpdatedRows).toBe(1n);
    pipeline.advance(3);
    const before = summaryReads();
    const window = { start: new Date(START_MS), end: new Date(START_MS + 200 * HOUR_MS) };
    const outcome = await reconcileWindow(pipeline.deps, { window, customerId: null });
    expect(outcome).toMatchObject({ pairCount: 1, stripeReadCount: 3, billingDriftCount: 1 });
    expect(summaryReads() - before).toBe(3);
    expect(await billingDrifts()).toMatchObject([
      { window_start: new Date(START_MS + 42 * HOUR_MS), acknowledged_value: 1_142n, counted_value: 142n },
    ]);
  });

  it('stays within the reads of a day, whatever is asked', async () => {
    await openPushed({ settings: { stripeReadsPerDay: 3, stripeDoubtReadsPerDay: 1 } });
    for (let round = 0; round < 10; round += 1) await pipeline.tick(1);
    const window = { start: new Date(START_MS), end: new Date(START_MS + 24 * HOUR_MS) };
    for (let round = 0; round < 4; round += 1)
      await reconcileWindow(pipeline.deps, { window, customerId: null });
    expect(summaryReads()).toBeLessThanOrEqual(4);
  });

  it('does not ask again about what agreed', async () => {
    await openPushed();
    await repairAll(48, 4);
    expect(summaryReads()).toBe(1);
  });
});

describe('holding OpenMeter against what settled', () => {
  afterEach(() => pipeline.close());

  it('opens an hour again that OpenMeter counts otherwise by now, and repairs it', async () => {
    await openPushed({ openMeter: { dedupe: null }, hourCount: 1 });
    const event = await pipeline.deps.database
      .selectFrom('usage_events')
      .select('body')
      .executeTakeFirstOrThrow();
    // A copy that was long on its way.
    await pipeline.deps.metering.ingestEvents([event.body]);
    for (let hour = 0; hour < 12; hour += 1) await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ metered: 100n, billed: 100n, due: 0n, drift: 0n });
    const events = await pipeline.deps.database.selectFrom('usage_events').select(['kind']).execute();
    expect(events.map((row) => row.kind).sort()).toEqual(['correction', 'usage']);
  });

  it('reopens no hour that still agrees, and finds foreign usage in those that do not', async () => {
    await openPushed({ hourCount: 2 });
    await pipeline.deps.metering.ingestEvents([foreignEvent({ tokens: '5', hour: 1 })]);
    pipeline.advance(7);
    const outcome = await reconcile(pipeline.deps);
    expect(outcome).toMatchObject({ hourCount: 2, reopenedHourCount: 1, sourceDifferenceCount: 0 });
    pipeline.advance(7);
    expect(await reconcile(pipeline.deps)).toMatchObject({ hourCount: 0, reopenedHourCount: 0 });
  });
});
