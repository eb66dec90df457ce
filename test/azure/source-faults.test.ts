import { afterEach, expect, test } from 'vitest';
import type { AzureFault } from '../../sandbox/azure/faults.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import { type AzureWorld, EVERYTHING, RESOURCE_ID, startAzure } from './support.ts';

let world: AzureWorld;

afterEach(() => world.close());

async function failureOf(promise: Promise<unknown>): Promise<UpstreamError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UpstreamError);
  return error as UpstreamError;
}

test.each<[AzureFault, string]>([
  ['partial', 'partial'],
  ['timeout', 'timeout'],
  ['too_large', 'too_large'],
])('%s asks for a split at once, and gives no row', async (fault, reason) => {
  world = await startAzure({ standIn: { faults: { always: fault } } });
  expect(await world.source.queryRows(EVERYTHING)).toEqual({ kind: 'split', reason });
  expect(world.standIn.queryCount()).toBe(1);
});

test('an answer cut at the service row limit asks for a split', async () => {
  world = await startAzure({ standIn: { faults: { rowCeiling: 50 } } });
  expect(await world.source.queryRows(EVERYTHING)).toEqual({ kind: 'split', reason: 'partial' });
});

test('the sentinel row asks for a split, and exactly as many rows as the limit do not', async () => {
  world = await startAzure();
  const all = await world.source.queryRows(EVERYTHING);
  if (all.kind !== 'complete') throw new Error(all.reason);
  const rowCount = all.rows.length;
  expect(rowCount).toBeGreaterThan(100);
  expect(await world.source.queryRows({ ...EVERYTHING, rowLimit: rowCount })).toMatchObject({
    kind: 'complete',
  });
  expect(await world.source.queryRows({ ...EVERYTHING, rowLimit: rowCount - 1 })).toEqual({
    kind: 'split',
    reason: 'row_limit',
  });
});

test.each<AzureFault>([
  'throttled',
  'throttled_with_retry_after',
  'unavailable',
  'empty',
  'no_content',
  'reset',
])('two times %s and then an answer is an answer', async (fault) => {
  world = await startAzure({ standIn: { faults: { next: [fault, fault] } } });
  expect(await world.source.queryRows(EVERYTHING)).toMatchObject({ kind: 'complete' });
  expect(world.standIn.queryCount()).toBe(3);
  expect(world.pausesMs).toHaveLength(2);
});

test('pauses grow with jitter, and Retry-After is the least of them', async () => {
  world = await startAzure({
    standIn: { faults: { next: ['throttled', 'throttled', 'throttled_with_retry_after'] } },
  });
  await world.source.queryRows(EVERYTHING);
  expect(world.pausesMs).toEqual([500, 1_000, 1_000 + 2_000]);
});

test.each<[AzureFault, string]>([
  ['throttled', 'UPSTREAM_THROTTLED'],
  ['throttled_with_retry_after', 'UPSTREAM_THROTTLED'],
  ['unavailable', 'UPSTREAM_UNAVAILABLE'],
  ['empty', 'UPSTREAM_UNAVAILABLE'],
  ['no_content', 'UPSTREAM_UNAVAILABLE'],
  ['reset', 'UPSTREAM_UNAVAILABLE'],
])('%s for good becomes %s after five attempts', async (fault, code) => {
  world = await startAzure({ standIn: { faults: { always: fault } } });
  const error = await failureOf(world.source.queryRows(EVERYTHING));
  expect(error).toMatchObject({ code, retry: true, system: 'azure', outcomeUnknown: false });
  expect(error.retryAfterMs).toBe(fault === 'throttled_with_retry_after' ? 1_000 : undefined);
  expect(world.standIn.queryCount()).toBe(5);
});

test.each<[AzureFault, number, RegExp]>([
  ['bad_query', 400, /AppMetrics/],
  ['unauthenticated', 401, /AZURE_CLIENT_ID/],
  ['forbidden', 403, /Log Analytics Reader/],
  ['not_found', 404, /AZURE_LOGS_WORKSPACE_ID/],
])('%s is refused at once, with what to do', async (fault, statusCode, fix) => {
  world = await startAzure({ standIn: { faults: { always: fault } } });
  const error = await failureOf(world.source.queryRows(EVERYTHING));
  expect(error).toMatchObject({ code: 'UPSTREAM_REJECTED', retry: false, statusCode });
  expect(error.fix).toMatch(fix);
  expect(world.standIn.queryCount()).toBe(1);
});

test('a workspace that does not exist is refused, and an unreachable host is not', async () => {
  world = await startAzure({ standIn: { workspaceId: '00000000-0000-4000-8000-00000000ffff' } });
  expect(await failureOf(world.source.queryRows(EVERYTHING))).toMatchObject({ statusCode: 404 });
  const elsewhere = await startAzure({
    environment: { AZURE_LOGS_RESOURCE_ID: RESOURCE_ID, AZURE_LOGS_ENDPOINT: 'http://127.0.0.1:9' },
  });
  expect(await failureOf(elsewhere.source.queryRows(EVERYTHING))).toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
  });
  await elsewhere.close();
});

test('a credential that cannot get a token is refused with what to do, without a query', async () => {
  world = await startAzure({
    source: {
      credential: {
        getToken: () =>
          Promise.reject(Object.assign(new Error('no account'), { name: 'CredentialUnavailableError' })),
      },
    },
  });
  const error = await failureOf(world.source.queryRows(EVERYTHING));
  expect(error).toMatchObject({ code: 'UPSTREAM_REJECTED', retry: false });
  expect(error.fix).toContain('AZURE_TENANT_ID');
  expect(world.standIn.queryCount()).toBe(0);
});

test('no attempt starts after the deadline', async () => {
  let elapsedMs = 0;
  world = await startAzure({
    standIn: { faults: { always: 'unavailable' } },
    source: {
      retryPolicy: { deadlineMs: 2_000 },
      retryTools: {
        random: () => 1,
        elapsedMs: () => elapsedMs,
        sleep: async (milliseconds) => {
          elapsedMs += milliseconds;
        },
      },
    },
  });
  await failureOf(world.source.queryRows(EVERYTHING));
  expect(world.standIn.queryCount()).toBe(2);
});

test('an abort ends the waiting with its own reason', async () => {
  const controller = new AbortController();
  const reason = new Error('the worker is stopping');
  world = await startAzure({
    standIn: { faults: { always: 'unavailable' } },
    source: { retryTools: { sleep: async () => controller.abort(reason) } },
  });
  await expect(world.source.queryRows(EVERYTHING, controller.signal)).rejects.toBe(reason);
  expect(world.standIn.queryCount()).toBe(1);
});
