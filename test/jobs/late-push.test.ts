import { afterEach, expect, it } from 'vitest';
import type { StripeFaultKind } from '../../sandbox/stripe/faults.ts';
import { countStripeReads } from '../../src/billing/stripe-reads.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const METER_EVENTS = '/v1/billing/meter_events';
/** The first customer's period ends three days after the start, and its draft is final two hours later. */
const FINAL_AFTER_HOURS = 3 * 24 + 3;

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** 100 tokens of the first hour, settled and planned, whose meter event met this fault. */
async function openFailedPush(kind: StripeFaultKind, hourWindow = false): Promise<void> {
  pipeline = await openPipeline({ stripe: { hourWindowMeters: () => hourWindow } });
  pipeline.traffic.inject(makeCall({ completion: 0 }));
  pipeline.advance(2);
  await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events');
  pipeline.advance(1);
  await pipeline.run('aggregate-usage');
  pipeline.stripe.faults.add({ kind, path: METER_EVENTS });
  await expect(pipeline.run('push-usage')).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  pipeline.stripe.faults.clear();
}

const sentCount = () => pipeline.calls.filter((call) => call === `POST ${METER_EVENTS}`).length;

describeForBothDrafts('a push that waited until its invoice was final', () => {
  it.each([false, true])(
    'is carried and not sent when Stripe has not counted it (hour window: %s)',
    async (hourWindow) => {
      await openFailedPush('fail', hourWindow);
      pipeline.advance(FINAL_AFTER_HOURS);
      pipeline.calls.splice(0);
      await pipeline.run('sync-catalog', 'push-usage');
      await pipeline.run('push-usage');
      expect(sentCount()).toBe(0);
      const total = await balance(pipeline);
      expect(total).toMatchObject({ billed: 0n, due: 0n, drift: 0n });
      expect(total.byReason).toEqual({ carry_to_next_invoice: 100n });
    },
  );

  it.each([false, true])('is delivered when Stripe has counted it (hour window: %s)', async (hourWindow) => {
    await openFailedPush('reset_after', hourWindow);
    pipeline.advance(FINAL_AFTER_HOURS);
    pipeline.calls.splice(0);
    await pipeline.run('sync-catalog', 'push-usage');
    expect(sentCount()).toBe(0);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 0n, drift: 0n, quarantined: 0n });
  });

  it('waits while the catalog is too old to know, and then is decided', async () => {
    await openFailedPush('fail');
    pipeline.advance(FINAL_AFTER_HOURS);
    await pipeline.run('push-usage');
    await pipeline.run('push-usage');
    // Asked of Stripe's sums now, it would be withdrawn though its draft may be open.
    expect(await balance(pipeline)).toMatchObject({ billed: 0n, due: 100n, quarantined: 0n });
    expect(await countStripeReads(pipeline.deps.database, 'doubt', pipeline.clock.now())).toBe(0);
    await pipeline.run('refresh-catalog', 'push-usage');
    await pipeline.run('push-usage');
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 100n });
  });

  it('is sent as before while the draft is open', async () => {
    await openFailedPush('fail');
    pipeline.advance(3 * 24 - 2);
    pipeline.calls.splice(0);
    await pipeline.run('sync-catalog', 'push-usage');
    expect(sentCount()).toBe(1);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, due: 0n, drift: 0n, quarantined: 0n });
  });
});
