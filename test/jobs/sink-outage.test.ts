import { afterEach, describe, expect, it } from 'vitest';
import { partitionOf } from '../../sandbox/openmeter/sink.ts';
import { judgeSink } from '../../src/command-line/doctor/checks.ts';
import { readStatusReport } from '../../src/status/status.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const NOTHING = { outage: null, stuckSubjectCount: 0n, stuckSince: null };

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** What an outage of OpenMeter concerns, every half hour. */
async function look(hours: number) {
  for (let tick = 0; tick < 2 * hours; tick += 1) {
    pipeline.advance(0.5);
    await pipeline.run('collect-usage', 'ingest-events', 'aggregate-usage', 'repair-usage');
  }
}

const sinkState = async () =>
  (await readStatusReport(pipeline.deps.database, pipeline.clock.now())).openMeterSink;

async function resends() {
  const events = await pipeline.deps.database
    .selectFrom('usage_events')
    .select(['kind', 'resend_count', 'subject'])
    .execute();
  return events.filter((event) => event.kind !== 'usage' || event.resend_count > 0);
}

const ingests = () => pipeline.calls.filter((call) => call === 'POST /api/v1/events').length;

describe("an outage of OpenMeter's sink", () => {
  it('is waited for and told where nothing else is sent, and asks ever more rarely', async () => {
    pipeline = await openPipeline({ openMeter: { dedupe: null } });
    await pipeline.run('sync-catalog');
    pipeline.traffic.inject(makeCall({}));
    pipeline.openMeter.setSinkOutage({ kind: 'standing' });
    await look(12);
    const { outage } = await sinkState();
    expect(outage?.since.getTime()).toBeLessThan(START_MS + 2 * 3_600_000);
    expect(judgeSink(await sinkState())).toMatchObject([{ verdict: 'bad' }]);
    await look(60);
    // The event, and canaries after 1, 2, 4, 8 and 16 hours.
    expect(ingests()).toBeLessThanOrEqual(9);
    expect(await resends()).toEqual([]);
    pipeline.openMeter.setSinkOutage(null);
    await look(3);
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, drift: 0n });
    expect(pipeline.openMeter.storedUsageEvents().filter(({ data }) => data?.requests === '1')).toHaveLength(
      1,
    );
    expect(await sinkState()).toEqual(NOTHING);
    expect(judgeSink(await sinkState())).toEqual([]);
  });

  it('of one partition holds up its users only, and nothing of them is sent again', async () => {
    pipeline = await openPipeline({ openMeter: { dedupe: null } });
    await pipeline.run('sync-catalog');
    const stuck = 'user-00001';
    const others = ['user-00002', 'user-00003', 'user-00004', 'user-00005', 'user-00006'].filter(
      (user) => partitionOf(user) !== partitionOf(stuck),
    );
    pipeline.traffic.inject(
      Array.from({ length: 20 }, (_, hour) =>
        [stuck, ...others].map((userId) => makeCall({ hour, dimensions: { userId } })),
      ).flat(2),
    );
    pipeline.openMeter.setSinkOutage({ kind: 'standing', partitions: [partitionOf(stuck)] });
    await look(20);
    const settled = await pipeline.deps.database
      .selectFrom('hourly_usage')
      .select('subject')
      .distinct()
      .execute();
    expect(settled.map(({ subject }) => subject).sort()).toEqual(others);
    expect(await sinkState()).toMatchObject({
      outage: null,
      stuckSubjectCount: 1n,
      stuckSince: expect.any(Date),
    });
    expect(judgeSink(await sinkState())).toMatchObject([{ verdict: 'look' }]);
    pipeline.openMeter.setSinkOutage(null);
    await look(3);
    expect(await resends()).toEqual([]);
    expect(await balance(pipeline)).toMatchObject({ metered: 2_400n * BigInt(others.length + 1), drift: 0n });
    expect(await sinkState()).toEqual(NOTHING);
  });
});
