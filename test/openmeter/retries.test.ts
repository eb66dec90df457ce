import { createServer } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createOpenMeter } from '../../src/openmeter/client.ts';
import { type Harness, hours, startHarness, usageEventBody } from './harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness({ flushDelayMs: 0 });
});
afterEach(() => h.close());

const batch = [usageEventBody({ id: 'a' }), usageEventBody({ id: 'b' })];

test.each([
  'refuse',
  'reset-before-commit',
  'reset-after-commit',
  'error-before-commit',
  'error-after-commit',
  'throttle-without-retry-after',
  'truncate',
] as const)('a batch survives %s twice, and its fixed ids keep it counted once', async (fault) => {
  h.standIn.setFaults({ next: [fault, fault] });
  await h.openMeter.ingestEvents(batch);
  expect(h.requests).toHaveLength(3);
  expect(new Set(h.requests.map((request) => request.body)).size).toBe(1);
  expect(h.standIn.tokenTotal()).toBe(240n);
});

test('a call that hangs is ended by the timeout and repeated', async () => {
  h.standIn.setFaults({ next: ['hang'] });
  await h.connect({ timeoutMs: 500 }).ingestEvents(batch);
  expect(h.standIn.tokenTotal()).toBe(240n);
});

test('Retry-After is honoured, and a longer one than we wait ends the call as throttled', async () => {
  h.standIn.setFaults({ next: ['throttle'], retryAfterSeconds: 0.3 });
  const startedAt = performance.now();
  await h.openMeter.ingestEvents(batch);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(295);

  h.requests.splice(0);
  h.standIn.setFaults({ next: ['throttle'], retryAfterSeconds: 60 });
  await expect(h.connect({ maxDelayMs: 1_000 }).ingestEvents(batch)).rejects.toMatchObject({
    code: 'UPSTREAM_THROTTLED',
    retry: true,
    retryAfterMs: 60_000,
    outcomeUnknown: false,
  });
  expect(h.requests).toHaveLength(1);
});

test('attempts are bounded, and an outcome once unknown stays unknown', async () => {
  h.standIn.setFaults({
    next: ['reset-after-commit', 'throttle-without-retry-after', 'throttle-without-retry-after'],
  });
  await expect(h.connect({ attemptCount: 3 }).ingestEvents(batch)).rejects.toMatchObject({
    code: 'UPSTREAM_THROTTLED',
    outcomeUnknown: true,
  });
  expect(h.requests).toHaveLength(3);
  expect(h.standIn.tokenTotal()).toBe(240n);
});

test('errors after the last attempt say what is known', async () => {
  const onceWithin = (timeoutMs: number) => h.connect({ attemptCount: 1, timeoutMs });
  const failures = [
    ['error-before-commit', { code: 'UPSTREAM_UNAVAILABLE', statusCode: 500, outcomeUnknown: true }],
    ['reset-before-commit', { code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: true }],
    ['hang', { code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: true }],
    ['throttle', { code: 'UPSTREAM_THROTTLED', outcomeUnknown: false, retryAfterMs: 1_000 }],
  ] as const;
  for (const [fault, expected] of failures) {
    h.standIn.setFaults({ next: [fault] });
    const once = onceWithin(fault === 'hang' ? 100 : 60_000);
    await expect(once.ingestEvents(batch), fault).rejects.toMatchObject({ ...expected, retry: true });
  }
  // A read changes nothing, so its outcome is never in doubt.
  h.standIn.setFaults({ next: ['hang'] });
  await expect(onceWithin(100).describe()).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    outcomeUnknown: false,
  });
});

test('a refused connection cannot have taken effect, and says where to look', async () => {
  const gone = await startHarness();
  await gone.close();
  const nobody = createOpenMeter({ OPENMETER_URL: gone.url }, { attemptCount: 2, baseDelayMs: 1 });
  await expect(nobody.ingestEvents(batch)).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
    outcomeUnknown: false,
    fix: expect.stringContaining('OPENMETER_URL'),
  });
});

test('a query answer cut in half is asked again', async () => {
  await h.openMeter.ensureMeters();
  await h.openMeter.ingestEvents(batch);
  h.standIn.setFaults({ next: ['truncate', 'reset-after-commit', 'error-before-commit'] });
  expect(await h.openMeter.queryHourly('tallystick_requests', hours(0, 1))).toMatchObject([{ value: 2n }]);
});

test('a creation whose answer was lost is not sent twice but looked up', async () => {
  // One look-up, then the creation.
  h.standIn.setFaults({ next: [], rates: {} });
  await h.openMeter.ensureMeters();
  h.requests.splice(0);
  h.standIn.setFaults({ appliesTo: 'all', next: ['error-after-commit'] });
  await expect(
    h.openMeter.upsertCustomers([
      { customerId: 'c1', name: 'One', stripeCustomerId: null, subjectKeys: ['u1'] },
    ]),
  ).resolves.toEqual([]);
  expect(h.requests.filter((request) => request.call === 'POST /api/v1/customers')).toHaveLength(1);
});

test('a wrong key is named with its fix, and nothing is set aside for it', async () => {
  const locked = await startHarness({ apiKey: 'om_right' });
  for (const key of [undefined, 'om_wrong']) {
    const error = await locked
      .connect({}, key)
      .ingestEvents(batch)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      statusCode: 401,
      outcomeUnknown: false,
      fix: expect.stringContaining('OPENMETER_API_KEY'),
    });
    expect(JSON.stringify(error)).not.toContain('om_wrong');
  }
  await locked.connect({}, 'om_right').ensureMeters();
  await locked.close();
});

test('a redirect is refused instead of followed', async () => {
  const server = createServer((_, response) => response.writeHead(302, { Location: h.url }).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(
    createOpenMeter({ OPENMETER_URL: `http://127.0.0.1:${port}` }).ingestEvents(batch),
  ).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    statusCode: 302,
    fix: expect.stringContaining('redirect'),
  });
  expect(h.requests).toEqual([]);
  server.close();
});

test('a problem under a content type with charset still yields its detail', async () => {
  const proxied = h.connect({
    fetch: async () =>
      new Response('{"title":"Bad Request","detail":"events[3]: bad"}', {
        status: 400,
        headers: { 'Content-Type': 'application/problem+json; charset=utf-8' },
      }),
  });
  await expect(proxied.ingestEvents(batch)).rejects.toMatchObject({ context: { detail: 'events[3]: bad' } });
});

test('a page that is not OpenMeter is unavailable, an answer of another shape is rejected', async () => {
  const answering = (body: string) => h.connect({ fetch: async () => new Response(body, { status: 200 }) });
  await expect(answering('<html>').describe()).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  await expect(answering('{"items":[]}').describe()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
});

test('the caller can give up, before and during a call', async () => {
  await expect(h.openMeter.ingestEvents(batch, AbortSignal.abort())).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    outcomeUnknown: false,
  });
  expect(h.requests).toEqual([]);
  h.standIn.setFaults({ next: ['hang'] });
  await expect(h.openMeter.ingestEvents(batch, AbortSignal.timeout(50))).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    outcomeUnknown: true,
    context: { reason: 'the caller gave up' },
  });
  expect(h.requests).toHaveLength(1);
});

test('an address is needed', () => {
  expect(() => createOpenMeter({})).toThrowError(expect.objectContaining({ code: 'CONFIG' }));
});
