import { afterEach, expect, it } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { openPipelineReads } from '../setup/pipeline-api.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const withdrawnCount = async () =>
  (
    await pipeline.deps.database
      .selectFrom('meter_pushes')
      .select('meter_push_id')
      .where('status', '=', 'withdrawn')
      .execute()
  ).length;

const reads = () => pipeline.calls.filter((call) => call.endsWith('/event_summaries')).length;

/** Hours in which a customer goes on using, and only what concerns Stripe is done. */
async function goOn(hours: number, step: number) {
  for (let hour = 0; hour < hours; hour += step) {
    await pipeline.tick(step);
    const { billed, collected } = await balance(pipeline);
    expect(billed).toBeLessThanOrEqual(collected);
  }
}

it("takes Stripe's summaries that stand still for a day for no loss, and pushes nothing anew", async () => {
  pipeline = await openPipeline({ settings: { stripeReadsPerDay: 48 } });
  pipeline.traffic.inject(
    Array.from({ length: 40 }, (_, hour) => makeCall({ hour, prompt: 100 + hour, completion: 0 })).flat(),
  );
  await pipeline.tick(3);
  await pipeline.tick(3);
  pipeline.stripe.setSummariesStanding(true);
  await goOn(30, 2);
  expect(await withdrawnCount()).toBe(0);
  pipeline.stripe.setSummariesStanding(false);
  await goOn(14, 2);
  expect(await withdrawnCount()).toBe(0);
  expect(await balance(pipeline)).toMatchObject({ due: 0n, quarantined: 0n, drift: 0n });
  expect(reads()).toBeLessThan(250);
});

it('waits with a push of unknown outcome until something sent later is shown', async () => {
  pipeline = await openPipeline();
  pipeline.traffic.inject(
    [0, 5, 27, 31].flatMap((hour) => makeCall({ hour, prompt: 100 + hour, completion: 0 })),
  );
  await pipeline.tick(3);
  await pipeline.tick(1);
  // It is counted, and nobody hears of it; then it is asked about only when Stripe may have forgotten its identifier.
  await pipeline.deps.database
    .updateTable('meter_pushes')
    .set({ status: 'pending', delivered_at: null })
    .execute();
  pipeline.stripe.setSummariesStanding(true);
  await pipeline.deps.database
    .updateTable('meter_pushes')
    .set({ first_attempt_at: new Date(pipeline.clock.nowMs() - 24 * HOUR_MS) })
    .execute();
  const sent = pipeline.calls.filter((call) => call === 'POST /v1/billing/meter_events').length;
  await goOn(20, 2);
  const [first] = await pipeline.deps.database
    .selectFrom('meter_pushes')
    .select('status')
    .orderBy('meter_push_id')
    .execute();
  expect([sent > 0, first?.status]).toEqual([true, 'pending']);
  const read = await openPipelineReads(pipeline);
  type Shown = { summaryWaits: { pairCount: string; oldestAt: string | null } };
  expect(await read<Shown>('/v1/status')).toMatchObject({
    summaryWaits: { pairCount: '1', oldestAt: expect.any(String) },
  });
  pipeline.stripe.setSummariesStanding(false);
  await goOn(12, 2);
  expect((await read<Shown>('/v1/status')).summaryWaits).toEqual({ pairCount: '0', oldestAt: null });
  expect(await balance(pipeline)).toMatchObject({ billed: 463n, due: 0n, quarantined: 0n, drift: 0n });
});
