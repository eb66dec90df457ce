import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
let asked: string[];
let queueIsAway: boolean;
beforeEach(async () => {
  asked = [];
  queueIsAway = false;
  bench = await createApiBench({
    enqueueStep: async (step) => {
      if (queueIsAway) throw new Error('the queue is away');
      asked.push(step);
    },
  });
});
afterEach(() => bench.close());

async function post(body: unknown) {
  const response = await bench.call('/v1/rescans', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  return {
    response,
    body: (await response.json()) as Record<string, unknown> & { errors?: { field: string; fix?: string }[] },
  };
}

describe('a rescan', () => {
  it('is taken with 202, asks the jobs to run, and has a state to look at', async () => {
    const { response, body } = await post({ from: '2026-11-20T00:00:00Z', to: '2026-11-20T06:00:00+01:00' });
    expect(response.status).toBe(202);
    expect(asked).toEqual(['rescan-usage']);
    expect(body).toMatchObject({ status: 'queued', to: '2026-11-20T05:00:00.000Z', rowCount: '0' });
    const state = await bench.call(response.headers.get('location') ?? '');
    expect(await state.json()).toEqual(body);
  });

  it('is taken although the queue is away: it is in the ledger', async () => {
    queueIsAway = true;
    const { response } = await post({ from: '2026-11-20T00:00:00Z', to: '2026-11-20T06:00:00Z' });
    expect([response.status, asked]).toEqual([202, []]);
    const state = await bench.call(response.headers.get('location') ?? '');
    expect(await state.json()).toMatchObject({ status: 'queued' });
  });

  it.each([
    ['in the future', '2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', 'to'],
    ['longer than the source keeps', '2026-08-01T00:00:00Z', '2026-11-20T00:00:00Z', 'from'],
    ['turned round', '2026-11-20T00:00:00Z', '2026-11-19T00:00:00Z', 'to'],
    ['of no instants', 'yesterday', '2026-11-20T00:00:00Z', 'from'],
  ])('over a window %s is refused, naming the field', async (_, from, to, field) => {
    const { response, body } = await post({ from, to });
    expect(response.status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION', errors: [{ field }] });
  });

  it('needs the admin scope, and is not found under another id', async () => {
    for (const scope of ['sales', 'finance'] as const) {
      expect((await bench.call('/v1/rescans', { method: 'POST', scope })).status).toBe(403);
    }
    expect((await bench.call('/v1/rescans/rescan_none')).status).toBe(404);
  });
});
