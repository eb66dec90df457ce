import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import { stepNames } from '../../jobs/queue/steps.ts';
import { MINUTE_MS } from '../../src/platform/clock.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { call, callersOf, closeOf, openClosing, PERIOD_END_MS, runUntil, states } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import type { Pipeline, PipelineOptions } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const all = (state: string) =>
  Object.fromEntries(callersOf(pipeline).map((caller) => [caller.customerId, state]));

const setStripeDown = (down: boolean) => pipeline.faults.set({ stripe: { network: { down } } });

const setOpenMeterDown = (down: boolean) => pipeline.faults.set({ openMeter: { network: { down } } });

/** Every step at each of these minutes after the periods' end; one that fails as nobody answers is left to the next. */
async function runAt(...minutes: readonly number[]): Promise<void> {
  for (const minute of minutes) {
    pipeline.advanceTo(PERIOD_END_MS + minute * MINUTE_MS);
    for (const name of stepNames(pipeline.deps)) {
      // Daily; it was run when the periods ended.
      if (name === 'sync-catalog') continue;
      try {
        await pipeline.run(name);
      } catch (error) {
        if (!(error instanceof TallystickError) || error.code !== 'UPSTREAM_UNAVAILABLE') throw error;
      }
    }
  }
}

/** Periods that have ended, of which the last hour's usage is not settled yet. */
async function openWithLastHour(options: PipelineOptions = {}): Promise<void> {
  pipeline = await openClosing(options);
  for (const caller of callersOf(pipeline)) call(pipeline, caller, { hour: 3, prompt: 1_000_000 });
  await runUntil(pipeline, 0, 18 * 60);
  for (const caller of callersOf(pipeline)) call(pipeline, caller, { hour: 35, minute: 50, prompt: 7_000 });
  await runAt(2, 20);
}

/** Stripe goes down for nine hours just when the last hour's usage is pushed: each push was tried and not answered. */
async function openThroughOutage(options: PipelineOptions): Promise<void> {
  await openWithLastHour(options);
  await setStripeDown(true);
  await runAt(25, 30, 65, 132, 150, 210, 300, 480);
}

describeForBothDrafts('an outage of Stripe while drafts are open', () => {
  it('is over for a held close a few minutes after it ends, even where no sum may be read', async () => {
    await openThroughOutage({ settings: { stripeDoubtReadsPerDay: 0 } });
    expect(await states(pipeline)).toEqual(all('held'));
    await setStripeDown(false);
    await runAt(566, 572, 578);
    expect(await states(pipeline)).toEqual(all('finalized'));
    // The drafts were open: what was tried is sent again under the same identifier, and nothing need be proven.
    const pushes = await pipeline.deps.database.selectFrom('meter_pushes').select('status').execute();
    expect(new Set(pushes.map((push) => push.status))).toEqual(new Set(['delivered']));
  });

  it('of OpenMeter that ends just after a close was held is over for it at once', async () => {
    await openWithLastHour();
    await setOpenMeterDown(true);
    await runAt(25, 65, 132, 260);
    expect(await states(pipeline)).toEqual(all('held'));
    await setOpenMeterDown(false);
    await runAt(270, 272, 274, 280);
    expect(await states(pipeline)).toEqual(all('finalized'));
  });
});

describeForBothDrafts('a difference that goes away shortly before the deadline', () => {
  it('is seen while the draft is open', async () => {
    // Without reads nothing is repaired by itself.
    await openWithLastHour({ settings: { stripeReadsPerDay: 0, stripeDoubtReadsPerDay: 0 } });
    const [caller] = callersOf(pipeline);
    const shift = (tokenCount: number) =>
      sql`update meter_pushes set delta_token_count = delta_token_count + ${tokenCount}
          where customer_id = ${caller?.customerId} and delta_token_count > 500000`.execute(
        pipeline.deps.database,
      );
    await runAt(65);
    await shift(7);
    await runAt(132, 150, 300, 360, 480, 660, 1_350);
    expect((await closeOf(pipeline, caller?.customerId)).close.state).toBe('held');
    await shift(-7);
    await runAt(1_400);
    expect(await states(pipeline)).toEqual(all('finalized'));
  });
});
