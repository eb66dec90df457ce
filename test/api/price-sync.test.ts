import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertListedPrices, UNNAMED_METER } from './listed-prices.ts';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
let asked: string[];
beforeEach(async () => {
  asked = [];
  bench = await createApiBench({ enqueueStep: async (step) => void asked.push(step) });
  await insertListedPrices(bench.ledger.database, bench.clock.now());
});
afterEach(() => bench.close());

interface Shown {
  id: string;
  verdict: string;
  [field: string]: unknown;
}
async function list(query = ''): Promise<{ runs: Shown[]; items: Shown[]; nextCursor: string | null }> {
  const response = await bench.call(`/v1/prices/sync${query}`, { scope: 'finance' });
  expect(response.status).toBe(200);
  return (await response.json()) as never;
}

async function send(
  method: 'POST' | 'PUT',
  path: string,
  body?: object,
  scope: 'admin' | 'finance' = 'admin',
) {
  const response = await bench.call(path, {
    method,
    scope,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('prices that wait for a person', () => {
  it('are listed with the price of the book and that of the list, exactly, page by page', async () => {
    const { items, runs } = await list();
    expect(runs).toMatchObject([
      { status: 'done', counts: { itemCount: 2, waitingCount: 2, appliedCount: 0 } },
    ]);
    expect(items.map(({ verdict }) => verdict).sort()).toEqual(['large_change', 'unmapped']);
    expect(items.find(({ verdict }) => verdict === 'large_change')).toMatchObject({
      model: 'gpt-4o',
      retailPrice: '0.005',
      unitOfMeasure: '1K',
      oldPrice: '0.0000025',
      newPrice: '0.000005',
      listedFrom: '2026-11-01T00:00:00.000Z',
      effectiveFrom: '2026-11-21T11:00:00.000Z',
      isRetroactive: true,
    });
    const first = await list('?limit=1');
    const second = await list(`?limit=1&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(items.map(({ id }) => id));
    expect(second.nextCursor).toBeNull();
    expect((await list('?verdict=unmapped')).items).toHaveLength(1);
    expect((await list('?status=applied')).items).toEqual([]);
  });

  it('are accepted or rejected by an admin, with a reason, once', async () => {
    const { items } = await list();
    const change = items.find(({ verdict }) => verdict === 'large_change')?.id;
    const unnamed = items.find(({ verdict }) => verdict === 'unmapped')?.id;
    const accept = `/v1/prices/sync/items/${change}/accept`;
    const reason = { reason: 'announced on 1 November' };
    expect(await send('POST', accept, reason, 'finance')).toMatchObject({ status: 403 });
    expect(await send('POST', accept, { reason: ' ' })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'reason' }] },
    });
    expect(await send('POST', accept, reason)).toMatchObject({
      status: 200,
      body: { status: 'accepted', effectiveFrom: '2026-11-21T11:00:00.000Z', decisionReason: reason.reason },
    });
    expect(await send('POST', accept, reason)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await send('POST', `/v1/prices/sync/items/${unnamed}/accept`, reason)).toMatchObject({
      status: 409,
    });
    expect(await send('POST', `/v1/prices/sync/items/${unnamed}/reject`, reason)).toMatchObject({
      status: 200,
      body: { status: 'rejected' },
    });
    expect(await send('POST', '/v1/prices/sync/items/999999/accept', reason)).toMatchObject({ status: 404 });
    expect(await send('POST', '/v1/prices/sync/items/first/accept', reason)).toMatchObject({ status: 400 });
    expect((await list()).items).toEqual([]);
  });

  it('show in status and metrics until they are decided', async () => {
    const readStatus = async () =>
      ((await (await bench.call('/v1/status')).json()) as { priceSync: { waiting: { verdict: string }[] } })
        .priceSync;
    expect((await readStatus()).waiting.map(({ verdict }) => verdict).sort()).toEqual([
      'large_change',
      'unmapped',
    ]);
    for (const { id } of (await list()).items) {
      const rejected = await send('POST', `/v1/prices/sync/items/${id}/reject`, { reason: 'not ours' });
      expect(rejected.status).toBe(200);
    }
    expect(await readStatus()).toEqual({
      lastDoneAt: '2026-11-21T10:30:00.000Z',
      ageSeconds: 0,
      waiting: [],
    });
    const metrics = await (await bench.call('/metrics')).text();
    expect(metrics).toContain('tallystick_price_sync_age_seconds 0\n');
    expect(metrics).toMatch(/^tallystick_price_book_age_seconds \d/m);
    // The shipped list may be younger than the clock of the test.
    const { priceBook } = (await (await bench.call('/v1/status')).json()) as { priceBook: unknown };
    expect(priceBook).toMatchObject({ asOf: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), isOld: false });
  });
});

describe('a synchronization', () => {
  it('is asked for by an admin, and one that waits is taken for it', async () => {
    expect(await send('POST', '/v1/prices/sync', undefined, 'finance')).toMatchObject({ status: 403 });
    const first = await send('POST', '/v1/prices/sync');
    expect(first).toMatchObject({ status: 202, body: { status: 'queued', counts: null } });
    expect((await send('POST', '/v1/prices/sync')).body.id).toBe(first.body.id);
    expect(asked).toEqual(['sync-prices', 'sync-prices']);
  });
});

describe('a meter', () => {
  const target = { model: 'gpt-4o', deploymentType: 'global', tokenType: 'prompt' };
  it('is named by an admin who says how they know', async () => {
    const mapped = await send('PUT', `/v1/prices/meters/${UNNAMED_METER}`, { target, note: 'pricing page' });
    expect(mapped).toMatchObject({
      status: 200,
      body: { meterId: UNNAMED_METER, target: { ...target, region: '*' }, note: 'pricing page' },
    });
    const known = (await (await bench.call('/v1/prices/meters')).json()) as { meters: object[] };
    expect(known.meters).toEqual([mapped.body]);
  });

  it.each<[string, string, object, string]>([
    ['without a note', UNNAMED_METER, { target, note: '' }, 'note'],
    ['of an unknown model', UNNAMED_METER, { target: { ...target, model: 'gpt4o' }, note: 'x' }, 'model'],
    [
      'of an unknown type',
      UNNAMED_METER,
      { target: { ...target, deploymentType: 'glbl' }, note: 'x' },
      'target.deploymentType',
    ],
    [
      'of an unknown kind',
      UNNAMED_METER,
      { target: { ...target, tokenType: 'Inp' }, note: 'x' },
      'target.tokenType',
    ],
    [
      'in a region that is none',
      UNNAMED_METER,
      { target: { ...target, region: 'EU West' }, note: 'x' },
      'region',
    ],
    ['that is no GUID', 'gpt-4o-Inp', { target, note: 'x' }, 'meterId'],
  ])('%s is refused, naming the field', async (_, meterId, body, field) => {
    const refused = await send('PUT', `/v1/prices/meters/${meterId}`, body);
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ code: 'VALIDATION', errors: [{ field }] });
  });
});
