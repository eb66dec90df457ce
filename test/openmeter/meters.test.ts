import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WireMeter } from '../../sandbox/openmeter/resources.ts';
import { METER_SLUGS } from '../../src/openmeter/port.ts';
import { type Harness, hours, readJson, startHarness, usageEventBody } from './harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness({ flushDelayMs: 0 });
});
afterEach(() => h.close());

/** A meter, or a query's answer. */
type MeterAnswer = WireMeter & { data: unknown[] };
const nothing = {} as MeterAnswer;

const send = async (method: string, path: string, body?: unknown) => {
  const answer = await fetch(`${h.url}/api/v1/meters${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: answer.status,
    body: answer.status === 204 ? nothing : await readJson<MeterAnswer>(answer),
  };
};

test('missing meters are made once, and a second look makes nothing', async () => {
  expect(await h.openMeter.ensureMeters()).toEqual({ created: [...METER_SLUGS], different: [] });
  expect(await h.openMeter.ensureMeters()).toEqual({ created: [], different: [] });
  expect((await send('GET', '/tallystick_cached_prompt_tokens')).body).toMatchObject({
    aggregation: 'SUM',
    eventType: 'tallystick.usage',
    valueProperty: '$.cached_prompt_tokens',
    groupBy: { model: '$.model', feature: '$.feature', deployment: '$.deployment' },
  });
});

test('two processes that make the meters at once both succeed', async () => {
  const [first, second] = await Promise.all([h.openMeter.ensureMeters(), h.connect().ensureMeters()]);
  expect([...first.created, ...second.created].sort()).toEqual([...METER_SLUGS].sort());
  expect([...first.different, ...second.different]).toEqual([]);
});

test.each([
  ['another aggregation', { aggregation: 'MAX' }],
  ['another event type', { eventType: 'prompt' }],
  ['another property', { valueProperty: '$.tokens' }],
  ['a group-by that is missing', { groupBy: { model: '$.model', feature: '$.feature' } }],
  [
    'a group-by by another path',
    { groupBy: { model: '$.type', feature: '$.feature', deployment: '$.deployment' } },
  ],
  ['only later events', { eventFrom: '2026-11-01T00:00:00Z' }],
])('a meter of ours with %s is reported and left alone', async (_, change) => {
  await h.openMeter.ensureMeters();
  const slug = 'tallystick_requests';
  const ours = {
    slug,
    aggregation: 'SUM',
    eventType: 'tallystick.usage',
    valueProperty: '$.requests',
    groupBy: { model: '$.model', feature: '$.feature', deployment: '$.deployment', region: '$.region' },
  };
  expect((await send('DELETE', `/${slug}`)).status).toBe(204);
  expect((await send('POST', '', { ...ours, ...change })).status).toBe(200);
  expect(await h.openMeter.ensureMeters()).toEqual({ created: [], different: [slug] });
  expect((await send('DELETE', `/${slug}`)).status).toBe(204);
  // One more group-by than ours changes nothing we ask for.
  expect((await send('POST', '', ours)).status).toBe(200);
  expect(await h.openMeter.ensureMeters()).toEqual({ created: [], different: [] });
});

test('all meters are described, also beyond the page of 100 that the SDK cannot turn', async () => {
  for (let number = 0; number < 120; number += 1) {
    await send('POST', '', { slug: `m${number}`, aggregation: 'COUNT', eventType: 'x' });
  }
  expect((await send('GET', '')).body).toHaveLength(100);
  expect((await h.openMeter.describe()).meterSlugs).toHaveLength(120);
});

test.each([
  ['a slug in use', { slug: 'used' }, 409],
  ['a slug with capitals', { slug: 'Used' }, 400],
  ['no slug', { slug: undefined }, 400],
  ['no property to sum', { slug: 'x', valueProperty: undefined }, 400],
  ['a property that is no path', { slug: 'x', valueProperty: 'tokens' }, 400],
  ['a reserved group-by', { slug: 'x', groupBy: { subject: '$.subject' } }, 400],
  ['a group-by that is no path', { slug: 'x', groupBy: { model: 'model' } }, 400],
])('the stand-in refuses a meter with %s', async (_, change, status) => {
  const meter = { slug: 'used', aggregation: 'SUM', eventType: 'x', valueProperty: '$.a' };
  expect((await send('POST', '', meter)).status).toBe(200);
  expect((await send('POST', '', { ...meter, ...change })).status).toBe(status);
});

test('a new meter is answered with 200, whatever its description says, and with null for what nobody gave', async () => {
  const meter = { slug: 'used', aggregation: 'SUM', eventType: 'x', valueProperty: '$.a' };
  const made = await send('POST', '', meter);
  expect(made).toMatchObject({ status: 200, body: { metadata: null, annotations: null } });
  expect((await send('GET', '/used')).body).toEqual(made.body);
  expect((await send('POST', '', { ...meter, slug: 'nul', name: 'a\u0000b' })).status).toBe(500);
  expect((await send('GET', '/nul')).status).toBe(404);
});

test('a meter is found by id, updated in what may change, and gone when deleted', async () => {
  const made = (
    await send('POST', '', {
      slug: 'a',
      aggregation: 'SUM',
      eventType: 'tallystick.usage',
      valueProperty: '$.requests',
    })
  ).body;
  const updated = (await send('PUT', `/${made.id}`, { name: 'New', groupBy: { model: "$['model']" } })).body;
  expect(updated).toMatchObject({ slug: 'a', name: 'New', aggregation: 'SUM' });
  await h.openMeter.ingestEvents([usageEventBody({ id: 'x' })]);
  const { start: from, end: to } = hours(0, 1);
  expect((await send('POST', '/a/query', { from, to, groupBy: ['model'] })).body.data).toMatchObject([
    { value: 1, groupBy: { model: 'gpt-4o' } },
  ]);
  expect((await send('DELETE', '/a')).status).toBe(204);
  expect((await send('GET', '/a')).status).toBe(404);
  expect((await send('GET', `/${made.id}`)).status).toBe(404);
});
