import { afterEach, expect, it } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

/** 33 events an hour, three days long. */
const OUTAGE_HOURS = 72;
const USER_COUNT = 33;
const userName = (user: number) => `user-${String(user).padStart(5, '0')}`;

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Usage events and canaries that OpenMeter took, repeats included. */
function countSends() {
  const { metering } = pipeline.deps;
  const sends = { count: 0 };
  pipeline.deps.metering = {
    ...metering,
    ingestEvents: async (bodies, signal) => {
      await metering.ingestEvents(bodies, signal);
      sends.count += bodies.length;
    },
  };
  return sends;
}

/** Every twenty minutes: what an outage of OpenMeter concerns. Never is more to be seen than was used. */
async function look(usedTokens: bigint) {
  pipeline.advance(1 / 3);
  await pipeline.run('collect-usage', 'ingest-events', 'aggregate-usage', 'repair-usage');
  for (const tokens of pipeline.openMeter.tokenTotalBySubject().values())
    expect(tokens).toBeLessThanOrEqual(usedTokens / BigInt(USER_COUNT));
}

const outages = async () =>
  await pipeline.deps.database
    .selectFrom('sink_outages')
    .select(['since', 'noticed_at', 'ended_at'])
    .orderBy('sink_outage_id')
    .execute();

/** 33 events an hour for three days and an hour, of which the first hour is stored; then the sink is out. */
async function openWithOutage(kind: 'standing' | 'losing', hours: number) {
  pipeline = await openPipeline({ openMeter: { dedupe: null }, scenario: { userCount: USER_COUNT } });
  pipeline.traffic.inject(
    Array.from({ length: hours + 1 }, (_, hour) =>
      Array.from({ length: USER_COUNT }, (_, user) =>
        makeCall({ hour, dimensions: { userId: userName(user + 1) } }),
      ),
    ).flat(2),
  );
  const sends = countSends();
  await pipeline.tick(2);
  pipeline.openMeter.setSinkOutage({ kind });
  return { sends, eventCount: (hours + 1) * USER_COUNT, usedTokens: BigInt(120 * USER_COUNT * (hours + 1)) };
}

it('sends nothing twice and shows nothing twice for an outage of the sink of three days, and alarms once', async () => {
  const { sends, eventCount, usedTokens } = await openWithOutage('standing', OUTAGE_HOURS);
  for (let tick = 0; tick < 3 * OUTAGE_HOURS; tick += 1) await look(usedTokens);
  expect(await outages()).toMatchObject([{ ended_at: null }]);
  const [outage] = await outages();
  // Known within hours, and told with when the first event was sent that does not show.
  expect(outage?.since.getTime()).toBeLessThanOrEqual(START_MS + 3.5 * HOUR_MS);
  expect(outage?.noticed_at.getTime()).toBeLessThanOrEqual(START_MS + 7 * HOUR_MS);
  pipeline.openMeter.setSinkOutage(null);
  for (let tick = 0; tick < 3 * 4; tick += 1) await look(usedTokens);
  expect(pipeline.openMeter.tokenTotal()).toBe(usedTokens);
  expect(await outages()).toMatchObject([{ ended_at: expect.any(Date) }]);
  expect(eventCount).toBe(2_409);
  expect(sends.count).toBeLessThanOrEqual(1.05 * eventCount);
});

it('sends again what an outage has really lost, once what is sent later shows it', async () => {
  const { sends, eventCount, usedTokens } = await openWithOutage('losing', 5);
  for (let tick = 0; tick < 3 * 6; tick += 1) await look(usedTokens);
  expect(pipeline.openMeter.tokenTotal()).toBeLessThan(usedTokens);
  pipeline.openMeter.setSinkOutage(null);
  for (let tick = 0; tick < 3 * 24 && pipeline.openMeter.tokenTotal() < usedTokens; tick += 1)
    await look(usedTokens);
  expect(pipeline.openMeter.tokenTotal()).toBe(usedTokens);
  // Each once more, and one canary for each user and then some.
  expect(sends.count).toBeLessThanOrEqual(2 * eventCount + 2 * USER_COUNT);
});
