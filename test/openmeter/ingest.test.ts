import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Harness, hours, startHarness, usageEventBody } from './harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness({ flushDelayMs: 0 });
  await h.openMeter.ensureMeters();
  h.requests.splice(0);
});
afterEach(() => h.close());

const post = (contentType: string, body: string) =>
  fetch(`${h.url}/api/v1/events`, { method: 'POST', headers: { 'Content-Type': contentType }, body });

test('stored bodies reach the wire byte for byte, in one batch, under the exact content type', async () => {
  // Spacing, key order, escapes and number forms that any parse-and-print would change.
  const odd =
    '{ "id":"odd-1", "specversion":"1.0","time":"2026-11-01T00:00:59.999Z","type":"tallystick.usage",' +
    '"subject":"caf\\u00e9 \u{1F9FE}","source":"tallystick","data":{"prompt_tokens":"9007199254740993","x":1.0e2}}';
  const plain = usageEventBody({ id: 'plain-1' });
  await h.openMeter.ingestEvents([odd, plain]);
  expect(h.requests).toEqual([
    {
      call: 'POST /api/v1/events',
      contentType: 'application/cloudevents-batch+json',
      body: `[${odd},${plain}]`,
    },
  ]);
});

test('no event is sent whose id, source, type, subject or time the SDK or the server would have to invent', async () => {
  for (const name of ['id', 'source', 'type', 'subject', 'time']) {
    for (const broken of [undefined, null, '', 7]) {
      const body = JSON.stringify({ ...JSON.parse(usageEventBody({ id: 'x' })), [name]: broken });
      await expect(h.openMeter.ingestEvents([usageEventBody({ id: 'ok' }), body])).rejects.toMatchObject({
        code: 'UPSTREAM_REJECTED',
        statusCode: 400,
        retry: false,
        context: { statusCode: 400, index: 1, problem: `has no ${name}` },
      });
    }
  }
  for (const body of ['not json', '[]', 'null', '"text"']) {
    await expect(h.openMeter.ingestEvents([body])).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
  }
  expect(h.requests).toEqual([]);
});

test('nothing to send sends nothing', async () => {
  await h.openMeter.ingestEvents([]);
  expect(h.requests).toEqual([]);
});

test('one poison event refuses the whole batch, and the refusal says so for good', async () => {
  h.standIn.setFaults({ poisonIds: ['bad'] });
  const batch = ['good-1', 'bad', 'good-2'].map((id) => usageEventBody({ id }));
  await expect(h.openMeter.ingestEvents(batch)).rejects.toMatchObject({
    code: 'UPSTREAM_REJECTED',
    statusCode: 400,
    retry: false,
    outcomeUnknown: false,
    context: { detail: 'events[1]: event is invalid' },
  });
  expect(h.standIn.tokenTotal()).toBe(0n);
  expect(h.requests).toHaveLength(1);
  await h.openMeter.ingestEvents([batch[0] ?? '', batch[2] ?? '']);
  expect(h.standIn.tokenTotal()).toBe(240n);
});

test.each([
  ['a time that is no date', { time: 'yesterday' }],
  ['a time without a zone', { time: '2026-11-01T00:00:00' }],
  ['data that is no object', { data: 'text' }],
  ['an empty subject', { subject: '' }],
  ['no id', { id: undefined }],
  ['no specversion', { specversion: undefined }],
  ['a foreign datacontenttype', { datacontenttype: 'text/xml' }],
  ['an older specversion', { specversion: '0.3' }],
  ['an attribute with an underscore', { tenant_id: 'a' }],
  ['null inside data', { data: { model: null } }],
  ['null deep inside data', { data: { tags: [{ model: null }] } }],
])('the server refuses a batch for %s and stores none of it', async (_, change) => {
  const good = usageEventBody({ id: 'good' });
  const bad = JSON.stringify({ ...JSON.parse(good), id: 'bad', ...change });
  const answer = await post('application/cloudevents-batch+json', `[${good},${bad}]`);
  expect(answer.status).toBe(400);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(h.standIn.tokenTotal()).toBe(0n);
});

test('an event from before 1970 is lost after its 204', async () => {
  await h.openMeter.ingestEvents([
    usageEventBody({ id: 'first', time: '1970-01-01T00:00:00Z' }),
    usageEventBody({ id: 'before', time: '1969-12-31T23:59:59Z' }),
    usageEventBody({ id: 'now' }),
  ]);
  h.clock.advanceTo(h.clock.nowMs() + 1);
  expect(h.standIn.storedUsageEvents().map((event) => event.id)).toEqual(['first', 'now']);
});

test('an event above 1 MB is a 500, after those before it were queued', async () => {
  const giant = usageEventBody({ id: 'giant', data: { padding: 'x'.repeat(1_000_000) } });
  const batch = [usageEventBody({ id: 'a' }), giant, usageEventBody({ id: 'b' })];
  await expect(h.connect({ attemptCount: 1 }).ingestEvents(batch)).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    statusCode: 500,
    outcomeUnknown: true,
  });
  expect(h.standIn.storedUsageEvents().map((event) => event.id)).toEqual(['a']);
  // It is the event that counts, not the request.
  const halves = ['c', 'd'].map((id) => usageEventBody({ id, data: { padding: 'x'.repeat(900_000) } }));
  await h.openMeter.ingestEvents(halves);
  expect(h.standIn.storedUsageEvents()).toHaveLength(3);
});

test('the content type is compared as a whole string', async () => {
  const event = usageEventBody({ id: 'one' });
  expect((await post('application/cloudevents+json', event)).status).toBe(204);
  expect(
    (await post('application/cloudevents-batch+json', `[${usageEventBody({ id: 'two' })}]`)).status,
  ).toBe(204);
  expect((await post('application/json', `[${usageEventBody({ id: 'three' })}]`)).status).toBe(204);
  expect(h.standIn.tokenTotal()).toBe(360n);
  for (const wrong of [
    'application/cloudevents-batch+json; charset=utf-8',
    'application/json; charset=utf-8',
    'text/plain',
  ]) {
    expect((await post(wrong, `[${usageEventBody({ id: 'four' })}]`)).status).toBe(400);
  }
  expect((await post('application/cloudevents-batch+json', event)).status).toBe(400);
  expect((await post('application/cloudevents-batch+json', '{')).status).toBe(400);
  expect(h.standIn.tokenTotal()).toBe(360n);
});

test('a success that is not 204 is not believed', async () => {
  const site = h.connect({ fetch: async () => new Response('<html>Welcome</html>', { status: 200 }) });
  await expect(site.ingestEvents([usageEventBody({ id: 'a' })])).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    statusCode: 200,
    outcomeUnknown: true,
    fix: expect.stringContaining('OPENMETER_URL'),
  });
});

test('a second of the event time is all that is kept of it', async () => {
  await h.openMeter.ingestEvents([
    usageEventBody({ id: 'late', time: '2026-11-01T00:59:59.999Z' }),
    usageEventBody({ id: 'offset', time: '2026-11-01T03:00:00+02:00' }),
  ]);
  const rows = await h.openMeter.queryHourly('tallystick_total_tokens', hours(0, 2));
  expect(rows.map((row) => [row.windowStart.toISOString(), row.value])).toEqual([
    ['2026-11-01T00:00:00.000Z', 120n],
    ['2026-11-01T01:00:00.000Z', 120n],
  ]);
});
