import { afterEach, describe, expect, test } from 'vitest';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import type { SourceQuery, SourceRow } from '../../src/azure/source.ts';
import { createAppMetricsSource } from '../../src/azure/usage-source.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { type AzureWorld, EVERYTHING, makeRow, RESOURCE_ID, START_MS, startAzure } from './support.ts';

let world: AzureWorld;

afterEach(() => world.close());

async function readAll(query: SourceQuery = EVERYTHING): Promise<SourceRow[]> {
  const result = await world.source.queryRows(query);
  if (result.kind !== 'complete') throw new Error(result.reason);
  return result.rows;
}

/** Injects one row with these dimensions and returns it as the source reads it. */
async function roundTrip(changes: Partial<TrafficRow>): Promise<SourceRow> {
  const row = makeRow(changes);
  world.traffic.inject([row]);
  const found = (await readAll()).filter((candidate) => candidate.sourceItemId === row.itemId);
  expect(found).toHaveLength(1);
  return found[0] as SourceRow;
}

describe.each([
  ['AppMetrics of a workspace', undefined, 'app-metrics'],
  ['customMetrics of a resource', { AZURE_LOGS_RESOURCE_ID: RESOURCE_ID }, 'custom-metrics'],
])('%s', (_title, environment, name) => {
  test('gives every row of the traffic once, in order of ingestion', async () => {
    world = await startAzure(environment === undefined ? {} : { environment });
    const rows = await readAll();
    expect(world.source.name).toBe(name);
    const made = world.traffic.rowsIngestedBetween(START_MS, START_MS + 4 * DAY_MS);
    expect(rows.map((row) => row.sourceItemId)).toEqual(made.map((row) => row.itemId));
    expect(rows.map((row) => [row.metricName, row.sum, row.itemCount, row.eventTime?.getTime()])).toEqual(
      made.map((row) => [row.metricName, row.sum, row.itemCount, row.eventMs]),
    );
    let tokens = 0n;
    for (const row of rows) {
      if (row.metricName === 'Prompt Tokens' || row.metricName === 'Completion Tokens') {
        tokens += BigInt(row.sum ?? 0);
      }
    }
    expect(tokens).toBe(world.standIn.tokenTotal());
  });
});

test('neighbouring windows give each row to exactly one of them, down to the edge', async () => {
  world = await startAzure();
  const edgeMs = START_MS + 12 * HOUR_MS;
  const ids = { before: 'b', at: 'a', after: 'c' };
  world.traffic.inject([
    makeRow({ itemId: ids.before, ingestedMs: edgeMs - 1, ingestedTicks: 9_999 }),
    makeRow({ itemId: ids.at, ingestedMs: edgeMs }),
    makeRow({ itemId: ids.after, ingestedMs: edgeMs, ingestedTicks: 1 }),
  ]);
  const first = await readAll({
    ...EVERYTHING,
    window: { start: EVERYTHING.window.start, end: new Date(edgeMs) },
  });
  const second = await readAll({
    ...EVERYTHING,
    window: { start: new Date(edgeMs), end: EVERYTHING.window.end },
  });
  const firstIds = first.map((row) => row.sourceItemId);
  const secondIds = second.map((row) => row.sourceItemId);
  expect(firstIds).toContain(ids.before);
  expect(secondIds).toEqual(expect.arrayContaining([ids.at, ids.after]));
  expect([...firstIds, ...secondIds].toSorted()).toEqual(
    (await readAll()).map((row) => row.sourceItemId).toSorted(),
  );
});

test('a partition splits what time cannot: disjoint, complete, and not lopsided', async () => {
  world = await startAzure();
  const all = await readAll();
  const parts = await Promise.all(
    [0, 1, 2, 3].map((index) => readAll({ ...EVERYTHING, partition: { count: 4, index } })),
  );
  expect(
    parts
      .flat()
      .map((row) => row.sourceItemId)
      .toSorted(),
  ).toEqual(all.map((row) => row.sourceItemId).toSorted());
  for (const part of parts) expect(part.length).toBeGreaterThan(all.length / 8);
});

test('a row is not there before its ingestion instant has passed', async () => {
  world = await startAzure({ nowMs: START_MS + 60_000 });
  world.traffic.inject([makeRow({ itemId: 'late', ingestedMs: START_MS + 20 * HOUR_MS })]);
  const ids = async () => (await readAll()).map((row) => row.sourceItemId);
  expect(await ids()).not.toContain('late');
  world.clock.advanceTo(START_MS + 20 * HOUR_MS);
  expect(await ids()).not.toContain('late');
  world.clock.advanceTo(START_MS + 20 * HOUR_MS + 1);
  expect(await ids()).toContain('late');
});

test('a backfill window is on event time, however late the row came', async () => {
  world = await startAzure();
  world.traffic.inject([
    makeRow({ itemId: 'late', eventMs: START_MS + HOUR_MS, ingestedMs: START_MS + 40 * HOUR_MS }),
    makeRow({ itemId: 'edge', eventMs: START_MS + 2 * HOUR_MS }),
  ]);
  const rows = await readAll({
    ...EVERYTHING,
    by: 'event',
    window: { start: new Date(START_MS + HOUR_MS), end: new Date(START_MS + 2 * HOUR_MS) },
  });
  const ids = rows.map((row) => row.sourceItemId);
  expect(ids).toContain('late');
  expect(ids).not.toContain('edge');
});

test('an event time too old for the store comes back as the receipt time, and is not lost', async () => {
  world = await startAzure();
  const row = await roundTrip({
    itemId: 'ancient',
    eventMs: START_MS - 3 * DAY_MS,
    ingestedMs: START_MS + HOUR_MS,
  });
  expect(row.eventTime).toEqual(new Date(START_MS + HOUR_MS));
});

test.each([
  ['2026-11-01'],
  ['2026-11-01T00:00:00Z'],
  ['9007199254740993'],
  ['true'],
  ['null'],
  ['{"a":1}'],
  ['  padded  '],
  ['😀'.repeat(2_560)],
  ['"; drop // \n'],
])('subject %s comes through as it was sent', async (subject) => {
  world = await startAzure();
  const row = await roundTrip({
    properties: { ...makeRow().properties, userId: subject, tenantId: subject },
  });
  expect(row.subject).toBe(subject);
  expect(row.tenantKey).toBe(subject);
});

test('absent dimensions are empty, and broken measurements are passed on to be judged', async () => {
  world = await startAzure();
  const row = await roundTrip({ properties: {}, sum: 'NaN', itemCount: null });
  expect(row).toMatchObject({ subject: '', tenantKey: '', feature: '', model: '', deployment: '' });
  expect(row.sum).toBe('NaN');
  expect(row.itemCount).toBeNull();
  expect(await roundTrip({ itemId: 'negative', sum: -1.5 })).toMatchObject({ sum: -1.5 });
});

test('an unknown token metric is seen, another metric is not', async () => {
  world = await startAzure();
  world.traffic.inject([
    makeRow({ itemId: 'audio', metricName: 'Audio Prompt Tokens' }),
    makeRow({ itemId: 'duration', metricName: 'Duration' }),
  ]);
  const ids = (await readAll()).map((row) => row.sourceItemId);
  expect(ids).toContain('audio');
  expect(ids).not.toContain('duration');
});

test('dimension names and the namespace come from the configuration', async () => {
  world = await startAzure();
  const properties = { 'End "User" \\ ID': 'someone', '_MS.MetricNamespace': "it's" };
  world.traffic.inject([makeRow({ itemId: 'named', properties })]);
  const config = loadConfig({
    AZURE_LOGS_ENDPOINT: world.endpoint,
    AZURE_LOGS_WORKSPACE_ID: '11111111-2222-4333-8444-555555555555',
    DIMENSION_SUBJECT: 'End "User" \\ ID',
    METRIC_NAMESPACE: "it's",
  });
  const result = await createAppMetricsSource(config).queryRows(EVERYTHING);
  expect(result).toMatchObject({ kind: 'complete', rows: [{ sourceItemId: 'named', subject: 'someone' }] });
});

test('a row that stands twice in the answer keeps its one id', async () => {
  world = await startAzure({ standIn: { faults: { duplicatePercent: 100 } } });
  const rows = await readAll();
  const once = new Set(rows.map((row) => row.sourceItemId));
  expect(rows).toHaveLength(once.size * 2);
});

test('a row without an id stops the reading, because it could not be counted once', async () => {
  world = await startAzure();
  world.traffic.inject([makeRow({ itemId: '' })]);
  await expect(world.source.queryRows(EVERYTHING)).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
});

test('instants are cut to the millisecond, never rounded up', async () => {
  world = await startAzure();
  const ingestedMs = START_MS + 5 * MINUTE_MS + 123;
  const row = await roundTrip({ itemId: 'ticks', ingestedMs, ingestedTicks: 9_999 });
  expect(row.ingestedAt.getTime()).toBe(ingestedMs);
});

test('the summary tells which metric lacks a dimension', async () => {
  world = await startAzure();
  world.traffic.inject([
    makeRow({ itemId: 'x1', metricName: 'Odd Tokens', properties: { userId: 'u' } }),
    makeRow({
      itemId: 'x2',
      metricName: 'Odd Tokens',
      properties: { model: 'm' },
      eventMs: START_MS + HOUR_MS,
    }),
  ]);
  const summary = await world.source.summarizeMetrics(new Date(START_MS));
  expect(summary.find(({ metricName }) => metricName === 'Odd Tokens')).toEqual({
    metricName: 'Odd Tokens',
    rowCount: 2,
    lastEventTime: new Date(START_MS + HOUR_MS),
    rowCountWithSubject: 1,
    rowCountWithModel: 1,
  });
  world.standIn.setFaults({ always: 'partial' });
  await expect(world.source.summarizeMetrics(new Date(START_MS))).rejects.toMatchObject({
    code: 'PARTIAL_RESULT',
  });
});

test('four queries run at once, and never more', async () => {
  world = await startAzure({ latencyMs: 20 });
  await Promise.all(Array.from({ length: 12 }, () => readAll()));
  expect(world.mostInFlight()).toBe(4);
  expect(world.standIn.queryCount()).toBe(12);
});

test('without a workspace and a resource there is no source', async () => {
  world = await startAzure();
  expect(() => createAppMetricsSource(loadConfig({}))).toThrow(/AZURE_LOGS_WORKSPACE_ID/);
});
