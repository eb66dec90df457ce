import { hours, startHarness, usageEventBody } from '../openmeter/harness.ts';
import { openPipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';
import type { Recorder } from './exchange.ts';

/** A pipeline that comes through an outage: usage is collected, lost, found missing, sent again, settled and billed. */
export async function walkPipeline(recorder: Recorder): Promise<void> {
  const pipeline = await openPipeline({ around: { openMeter: recorder.around } });
  try {
    pipeline.traffic.inject([...makeCall({}), ...makeCall({ minute: 9, prompt: 7, completion: 0 })]);
    pipeline.openMeter.setFaults({ dropEvery: 2 });
    pipeline.advance(2);
    for (let tick = 0; tick < 8; tick += 1) {
      await pipeline.tick(1);
      if (tick === 1) pipeline.openMeter.setFaults({ dropEvery: 0 });
    }
  } finally {
    await pipeline.close();
  }
}

/** Each call of the port, well and refused. */
export async function walkPort(recorder: Recorder): Promise<void> {
  const h = await startHarness({ flushDelayMs: 0, around: recorder.around });
  const ours = (customerId: string, subjectKeys: string[]) => ({
    customerId,
    name: customerId,
    stripeCustomerId: `cus_${customerId}`,
    subjectKeys,
  });
  try {
    await h.openMeter.ensureMeters();
    await h.openMeter.ensureMeters();
    await h.openMeter.describe();
    await h.openMeter.upsertCustomers([ours('a', ['user-1', 'user-2']), ours('b', [])]);
    await h.openMeter.upsertCustomers([ours('a', ['user-1']), ours('b', ['user-2'])]);
    // The second request makes the customer, and it is looked for when its answer is none.
    h.standIn.setFaults({ next: [null, 'error-after-commit'] });
    await h.openMeter.upsertCustomers([ours('c', [])]);
    await h.openMeter.ingestEvents([
      usageEventBody({ id: 'one' }),
      usageEventBody({ id: 'two', subject: 'user-9' }),
    ]);
    await h.openMeter.queryHourly('tallystick_total_tokens', hours(0, 1));
    await h.openMeter.queryHourTotals('tallystick_total_tokens', hours(0, 1));
    await h.openMeter.findEvents({ eventIds: ['one', 'never'], window: hours(0, 1) });
    // A full page, and the one after it.
    const copies = Array.from({ length: 101 }, (_, copy) => usageEventBody({ id: `copy-${copy}` }));
    await h.openMeter.ingestEvents(copies);
    h.standIn.setDedupe(null);
    for (let copy = 0; copy < 101; copy += 1)
      await h.openMeter.ingestEvents([usageEventBody({ id: 'twice' })]);
    await h.openMeter.findEvents({ eventIds: ['twice'], window: hours(0, 1) });
    h.standIn.setFaults({ poisonIds: ['bad'], faultyIds: ['faulty'] });
    for (const id of ['bad', 'faulty']) {
      await h.openMeter.ingestEvents([usageEventBody({ id })]).catch(() => undefined);
    }
    h.standIn.setFaults({ next: ['throttle-without-retry-after'] });
    await h.openMeter.describe();
  } finally {
    await h.close();
  }
}
