import { afterEach, expect, test } from 'vitest';
import { type Harness, HOUR_MS, hours, readJson, START_MS, startHarness, usageEventBody } from './harness.ts';

let h: Harness;
afterEach(() => h.close());

interface Page {
  items: { event: { id: string } }[];
  nextCursor?: string;
}

const list = async (filter: unknown, more: Record<string, string> = {}) => {
  const query = new URLSearchParams({ filter: JSON.stringify(filter), ...more });
  const answer = await fetch(`${h.url}/api/v2/events?${query}`);
  return { status: answer.status, body: await readJson<Page>(answer) };
};

test('many ids are looked up in chunks, each by type, source and time, and counted', async () => {
  h = await startHarness({ flushDelayMs: 0, dedupe: null });
  const eventIds = Array.from({ length: 130 }, (_, index) => `event-${index}`);
  const bodies = eventIds.map((id) => usageEventBody({ id }));
  await h.openMeter.ingestEvents(bodies.slice(0, 120));
  await h.openMeter.ingestEvents(bodies.slice(0, 10));
  h.requests.splice(0);
  const found = await h.openMeter.findEvents({ eventIds: [...eventIds, ...eventIds], window: hours(0, 1) });
  expect(found.size).toBe(120);
  expect([...found.values()].filter((count) => count === 2)).toHaveLength(10);
  expect(h.requests).toHaveLength(4);
});

test('copies of one event are all counted, also across the border of a page', async () => {
  h = await startHarness({ flushDelayMs: 0, dedupe: null });
  const eventIds = ['a', 'b', 'c'];
  for (let copy = 0; copy < 45; copy += 1) {
    await h.openMeter.ingestEvents(eventIds.map((id) => usageEventBody({ id })));
  }
  expect(await h.openMeter.findEvents({ eventIds, window: hours(0, 1) })).toEqual(
    new Map(eventIds.map((id) => [id, 45])),
  );

  const first = await list({ id: { $in: eventIds } }, { limit: '100' });
  const second = await list({ id: { $in: eventIds } }, { limit: '100', cursor: first.body.nextCursor ?? '' });
  expect([first.body.items.length, second.body.items.length]).toEqual([100, 35]);
  expect(second.body).not.toHaveProperty('nextCursor');
});

test('one event that is stored more often than a page holds is counted to the last copy', async () => {
  h = await startHarness({ flushDelayMs: 0, dedupe: null });
  for (let copy = 0; copy < 250; copy += 1) await h.openMeter.ingestEvents([usageEventBody({ id: 'a' })]);
  h.requests.splice(0);
  expect(await h.openMeter.findEvents({ eventIds: ['a'], window: hours(0, 1) })).toEqual(
    new Map([['a', 250]]),
  );
  expect(h.requests).toHaveLength(3);
});

test('events outside the window, of another type or source are not found', async () => {
  h = await startHarness({ flushDelayMs: 0 });
  const other = { ...JSON.parse(usageEventBody({ id: 'other-type' })), type: 'someone.else' };
  await h.openMeter.ingestEvents([
    usageEventBody({ id: 'in' }),
    usageEventBody({ id: 'at-end', time: '2026-11-01T01:00:00Z' }),
    usageEventBody({ id: 'other-source', source: 'elsewhere' }),
    JSON.stringify(other),
  ]);
  const eventIds = ['in', 'at-end', 'other-source', 'other-type', 'never'];
  expect(await h.openMeter.findEvents({ eventIds, window: hours(0, 1) })).toEqual(new Map([['in', 1]]));
  expect(await h.openMeter.findEvents({ eventIds: [], window: hours(0, 1) })).toEqual(new Map());
});

test('very long ids keep the address short enough', async () => {
  h = await startHarness({ flushDelayMs: 0 });
  const eventIds = Array.from({ length: 12 }, (_, index) => `${index}-${'\u{1F9FE}'.repeat(100)}`);
  await h.openMeter.ingestEvents(eventIds.map((id) => usageEventBody({ id })));
  h.requests.splice(0);
  expect((await h.openMeter.findEvents({ eventIds, window: hours(0, 1) })).size).toBe(12);
  expect(h.requests.length).toBeGreaterThan(1);
});

test('the list pages newest first and takes one operator a filter', async () => {
  h = await startHarness({ flushDelayMs: 0 });
  await h.openMeter.ingestEvents(
    [0, 1, 2].map((minute) => usageEventBody({ id: `m${minute}`, time: `2026-11-01T00:0${minute}:00Z` })),
  );
  const ids: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const { body } = await list(
      { subject: { $eq: 'user-1' } },
      { limit: '2', ...(cursor ? { cursor } : {}) },
    );
    ids.push(...body.items.map((item) => item.event.id));
    cursor = body.nextCursor;
    if (cursor === undefined) break;
  }
  expect(ids).toEqual(['m2', 'm1', 'm0']);

  expect((await list({ time: { $gte: '2026-11-01T00:00:00Z', $lt: '2026-11-01T01:00:00Z' } })).status).toBe(
    400,
  );
  expect((await list({ id: { $and: [{ $or: [{ $eq: 'm0' }] }] } })).status).toBe(400);
  expect(
    (await list({ time: { $gt: '2026-11-01T00:00:00Z' }, ingestedAt: { $gt: '2026-11-01T00:00:00Z' } }))
      .status,
  ).toBe(400);
  expect((await list({}, { limit: '101' })).status).toBe(400);
  expect((await fetch(`${h.url}/api/v2/events?filter=%7B`)).status).toBe(400);
});

test('the first version of the list looks back 72 hours by default and 32 days at most', async () => {
  h = await startHarness({ flushDelayMs: 0 });
  await h.openMeter.ingestEvents([usageEventBody({ id: 'long-ago' })]);
  h.clock.advanceTo(START_MS + 73 * HOUR_MS);
  await h.openMeter.ingestEvents([
    usageEventBody({ id: 'today', time: new Date(h.clock.nowMs()).toISOString() }),
  ]);
  const listOne = async (query: string) => fetch(`${h.url}/api/v1/events${query}`);
  expect((await readJson<Page['items']>(await listOne(''))).map((item) => item.event.id)).toEqual(['today']);
  const older = await (await listOne('?from=2026-11-01T00:00:00Z&id=ago')).json();
  expect(older).toMatchObject([
    {
      event: { id: 'long-ago', time: '2026-11-01T00:30:00Z', subject: 'user-1' },
      validationError: 'no meter found for event; no customer found for event subject',
      storedAt: '2026-11-01T00:00:00Z',
    },
  ]);
  expect((await listOne('?from=2026-09-01T00:00:00Z')).status).toBe(400);
});
