import { afterEach, expect, test } from 'vitest';
import { partitionOf } from '../../sandbox/openmeter/sink.ts';
import type { OpenMeterStandInOptions } from '../../sandbox/openmeter/stand-in.ts';
import { type Harness, HOUR_MS, hours, START_MS, startHarness, usageEventBody } from './harness.ts';

let h: Harness;
const start = async (options: OpenMeterStandInOptions = {}) => {
  h = await startHarness(options);
  await h.openMeter.ensureMeters();
};
afterEach(() => h.close());

const requestsMetered = async () => {
  const rows = await h.openMeter.queryHourly('tallystick_requests', hours(0, 48));
  return rows.reduce((sum, row) => sum + row.value, 0n);
};
const bodies = (count: number, prefix = 'e') =>
  Array.from({ length: count }, (_, index) => usageEventBody({ id: `${prefix}${index}` }));

test('204 means queued: an event shows only when the sink has flushed', async () => {
  await start();
  await h.openMeter.ingestEvents(bodies(3));
  const find = () => h.openMeter.findEvents({ eventIds: ['e0', 'e1', 'e2'], window: hours(0, 1) });
  expect(await requestsMetered()).toBe(0n);
  expect((await find()).size).toBe(0);
  expect(h.standIn.tokenTotal()).toBe(0n);
  h.clock.advanceTo(START_MS + 1_999);
  expect(await requestsMetered()).toBe(0n);
  h.clock.advanceTo(START_MS + 2_000);
  expect(await requestsMetered()).toBe(3n);
  expect((await find()).size).toBe(3);
  expect(h.standIn.tokenTotal()).toBe(360n);
});

test('a full buffer of 500 is written at once, the rest waits', async () => {
  await start();
  await h.openMeter.ingestEvents(bodies(501));
  expect(await requestsMetered()).toBe(500n);
  h.clock.advanceTo(START_MS + 2_000);
  expect(await requestsMetered()).toBe(501n);
});

test('inside the window the first writer wins; after it the same id counts again', async () => {
  await start({ dedupe: { windowMs: HOUR_MS } });
  await h.openMeter.ingestEvents([usageEventBody({ id: 'same' })]);
  h.clock.advanceTo(START_MS + 10_000);
  await h.openMeter.ingestEvents([usageEventBody({ id: 'same', data: { prompt_tokens: '999999' } })]);
  h.clock.advanceTo(START_MS + 20_000);
  expect(h.standIn.tokenTotal()).toBe(120n);
  h.clock.advanceTo(START_MS + HOUR_MS + 10_000);
  await h.openMeter.ingestEvents([usageEventBody({ id: 'same' })]);
  h.clock.advanceTo(START_MS + 2 * HOUR_MS);
  expect(h.standIn.tokenTotal()).toBe(240n);
  expect(await h.openMeter.findEvents({ eventIds: ['same'], window: hours(0, 1) })).toEqual(
    new Map([['same', 2]]),
  );
});

test('deduplication off, as OpenMeter comes: every repeat counts', async () => {
  await start({ dedupe: null, flushDelayMs: 0 });
  for (let round = 0; round < 3; round += 1) await h.openMeter.ingestEvents(bodies(2));
  expect(await requestsMetered()).toBe(6n);
  expect(await h.openMeter.findEvents({ eventIds: ['e0', 'e1', 'absent'], window: hours(0, 1) })).toEqual(
    new Map([
      ['e0', 3],
      ['e1', 3],
    ]),
  );
});

test('the key is joined without escaping, so a dash in the source makes two events one', async () => {
  await start({ flushDelayMs: 0 });
  await h.openMeter.ingestEvents([
    usageEventBody({ source: 'a-b', id: 'c' }),
    usageEventBody({ source: 'a', id: 'b-c' }),
  ]);
  expect(h.standIn.tokenTotal()).toBe(120n);
  await h.openMeter.ingestEvents([usageEventBody({ source: 'tallystick', id: 'b-c' })]);
  expect(h.standIn.tokenTotal()).toBe(240n);
});

test('an event lost after its 204 is absent, and its id is taken again when resent', async () => {
  await start({ flushDelayMs: 0 });
  h.standIn.setFaults({ dropEvery: 3 });
  await h.openMeter.ingestEvents(bodies(6));
  h.standIn.setFaults({ dropEvery: 0 });
  const eventIds = bodies(6).map((_, index) => `e${index}`);
  const found = await h.openMeter.findEvents({ eventIds, window: hours(0, 1) });
  expect([...found.keys()].sort()).toEqual(['e0', 'e1', 'e3', 'e4']);
  await h.openMeter.ingestEvents(bodies(6));
  expect(await requestsMetered()).toBe(6n);
});

test('losses by rate are the same for the same seed', async () => {
  await start({ flushDelayMs: 0 });
  h.standIn.setFaults({ dropRate: 0.2 });
  await h.openMeter.ingestEvents(bodies(400));
  const first = h.standIn.tokenTotal();
  await h.close();
  await start({ flushDelayMs: 0 });
  h.standIn.setFaults({ dropRate: 0.2 });
  await h.openMeter.ingestEvents(bodies(400));
  expect(h.standIn.tokenTotal()).toBe(first);
  expect(first).toBeLessThan(400n * 120n);
  expect(first).toBeGreaterThan(200n * 120n);
});

test('stale reads show the past of the table', async () => {
  await start({ flushDelayMs: 0 });
  await h.openMeter.ingestEvents(bodies(1, 'old'));
  h.clock.advanceTo(START_MS + 60_000);
  await h.openMeter.ingestEvents(bodies(1, 'new'));
  h.standIn.setFaults({ staleReadMs: 30_000 });
  expect(await requestsMetered()).toBe(1n);
  expect((await h.openMeter.findEvents({ eventIds: ['old0', 'new0'], window: hours(0, 1) })).size).toBe(1);
  h.standIn.setFaults({ staleReadMs: 0 });
  expect(await requestsMetered()).toBe(2n);
});

test('an outage of the sink stores nothing, and everything in order when it is over', async () => {
  await start({ flushDelayMs: 0, dedupe: { windowMs: 3_600_000 } });
  h.standIn.setSinkOutage({ kind: 'standing' });
  await h.openMeter.ingestEvents(bodies(3, 'first'));
  h.clock.advanceTo(START_MS + 72 * 3_600_000);
  // Under ids that it has not stored yet: remembered from when they are stored, and not from when they were sent.
  await h.openMeter.ingestEvents([...bodies(3, 'first'), ...bodies(2, 'then')]);
  expect(h.standIn.tokenTotal()).toBe(0n);
  h.standIn.setSinkOutage(null);
  expect(h.standIn.storedUsageEvents().map(({ id }) => id)).toEqual([
    'first0',
    'first1',
    'first2',
    'then0',
    'then1',
  ]);
});

test('an outage that loses shows what is sent after it, and may be of one partition alone', async () => {
  await start({ flushDelayMs: 0 });
  const other = Array.from({ length: 20 }, (_, index) => `user-${index + 2}`).find(
    (subject) => partitionOf(subject) !== partitionOf('user-1'),
  );
  h.standIn.setSinkOutage({ kind: 'losing', partitions: [partitionOf('user-1')] });
  await h.openMeter.ingestEvents([
    usageEventBody({ id: 'lost' }),
    usageEventBody({ id: 'other', subject: other ?? '' }),
  ]);
  h.standIn.setSinkOutage(null);
  await h.openMeter.ingestEvents([usageEventBody({ id: 'later' })]);
  expect(h.standIn.storedUsageEvents().map(({ id }) => id)).toEqual(['other', 'later']);
});

test('totals are counted by subject, exactly, also beyond what a float holds', async () => {
  await start({ flushDelayMs: 0 });
  const data = { prompt_tokens: '9007199254740993', completion_tokens: '0' };
  await h.openMeter.ingestEvents([
    usageEventBody({ id: '1', subject: 'a', data }),
    usageEventBody({ id: '2', subject: 'a', data }),
    usageEventBody({ id: '3', subject: 'b' }),
  ]);
  expect(h.standIn.tokenTotalBySubject()).toEqual(
    new Map([
      ['a', 18014398509481986n],
      ['b', 120n],
    ]),
  );
  expect(h.standIn.tokenTotal()).toBe(18014398509482106n);
});
