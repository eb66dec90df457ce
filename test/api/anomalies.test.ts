import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FindingBody, FindingsBody } from '../../src/anomalies/schemas.ts';
import { insertFindings } from '../anomalies/world.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog } from './world.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await insertFindings(bench.ledger.database, [
    { raised: true },
    { raised: true },
    { raised: true, customerId: 'adatum' },
    { raised: false },
    { raised: true, state: 'withdrawn' },
  ]);
});
afterAll(() => bench.close());

const list = async (query = '') =>
  (await (await bench.call(`/v1/anomalies${query}`, { scope: 'finance' })).json()) as FindingsBody;
const say = async (id: string, verb: string, body: object) =>
  await bench.call(`/v1/anomalies/${id}/${verb}`, {
    method: 'POST',
    scope: 'finance',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const ids = (found: FindingsBody) => found.anomalies.map(({ id }) => id);

describe('anomalies', () => {
  it('are listed by who needs them, and counted as right by what people said', async () => {
    expect(ids(await list())).toEqual(['5', '4', '3', '2', '1']);
    expect(ids(await list('?group=needs_you'))).toEqual(['3', '2', '1']);
    expect(ids(await list('?group=highlighted'))).toEqual(['4']);
    expect(ids(await list('?customerId=adatum'))).toEqual(['3']);
    const first = await list('?limit=2');
    expect(ids(await list(`?limit=2&cursor=${first.nextCursor}`))).toEqual(['3', '2']);
    expect(first.figures).toEqual({
      needsYouCount: '3',
      acknowledgedCount: '0',
      dismissedCount: '0',
      withdrawnCount: '1',
      precision: null,
    });

    const dismissed = (await (await say('1', 'dismiss', { reason: ' a load test ' })).json()) as FindingBody;
    expect(dismissed).toMatchObject({ group: 'done', decision: 'dismissed', decisionReason: 'a load test' });
    expect((await say('2', 'acknowledge', {})).status).toBe(200);
    const snoozed = (await (
      await say('3', 'snooze', { until: '2026-11-22T08:00:00Z' })
    ).json()) as FindingBody;
    expect(snoozed).toMatchObject({ group: 'done', snoozedUntil: '2026-11-22T08:00:00.000Z' });
    expect((await list()).figures).toMatchObject({ needsYouCount: '0', precision: '0.5' });
    bench.clock.instant = new Date('2026-11-22T08:00:00.000Z');
    expect(ids(await list('?group=needs_you'))).toEqual(['3']);

    // Somebody thinks again.
    expect((await say('1', 'acknowledge', {})).status).toBe(200);
    expect((await list()).figures).toMatchObject({ precision: '1', dismissedCount: '0' });
  });

  it('refuse what makes no sense, and whoever may not say it', async () => {
    expect((await say('1', 'dismiss', { reason: '  ' })).status).toBe(400);
    expect((await say('3', 'snooze', { until: '2026-11-01T00:00:00Z' })).status).toBe(400);
    expect((await say('3', 'snooze', { until: '2027-11-01T00:00:00Z' })).status).toBe(400);
    expect((await say('5', 'snooze', { until: '2026-11-24T00:00:00Z' })).status).toBe(409);
    expect((await say('999', 'acknowledge', {})).status).toBe(404);
    const bySales = await bench.call('/v1/anomalies/1/acknowledge', {
      method: 'POST',
      scope: 'sales',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(bySales.status).toBe(403);
  });
});
