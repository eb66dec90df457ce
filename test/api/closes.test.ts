import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { METRIC_NAMES } from '../../sandbox/traffic/row.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { createApp } from '../../src/service/app.ts';
import { call, callersOf, openClosing, runUntil } from '../setup/closing.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeRow } from '../setup/rows.ts';
import { type OpenApiDocument, responseValidator } from './openapi-schemas.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** What the answers at hand have; the document is held against each of them besides. */
interface AnswerBody {
  closes: Record<string, string>[] & Record<string, unknown>;
  nextCursor: string | null;
  steps: { state: string }[];
  certificate: object | null;
  creditProposals: Record<string, string>[];
  windows: Record<'position' | 'queryText' | 'windowStart' | 'windowEnd', string>[];
}

/** Usage of three customers, and an API over the same ledger. */
async function open() {
  pipeline = await openClosing();
  const callers = callersOf(pipeline);
  for (const caller of callers) call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 200_000 });
  await runUntil(pipeline, 0, 18 * 60);
  const { database, billing, clock } = pipeline.deps;
  const asked: string[] = [];
  const app = createApp({
    database,
    billing,
    clock,
    version: 'test',
    enqueueStep: async (step) => void asked.push(step),
  });
  const keys = new Map<string, string>();
  for (const scope of ['finance', 'admin', 'sales'] as const) {
    const { plainKey } = await createApiKey(database, {
      name: scope,
      scopes: [scope],
      actor: 'test',
      now: clock.now(),
    });
    keys.set(scope, plainKey);
  }
  const document = (await (await app.request('/openapi.json')).json()) as OpenApiDocument;
  const ask = async (method: 'GET' | 'POST', path: string, body?: object, scope = 'admin') => {
    const response = await app.request(path, {
      method,
      headers: { Authorization: `Bearer ${keys.get(scope)}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as AnswerBody };
  };
  const holds = (path: string, method: string, answer: { status: number; body: unknown }) =>
    expect(
      responseValidator(document, {
        method,
        path,
        status: answer.status,
        mediaType: 'application/json',
      }).safeParse(answer.body).error?.issues ?? [],
    ).toEqual([]);
  return { callers, ask, asked, holds };
}

describe('/v1/closes', () => {
  it('shows every close with its steps and certificate, page by page, and lets admins alone release', async () => {
    const { callers, ask, asked, holds } = await open();
    await sql`update meter_pushes set delta_token_count = delta_token_count + 9
              where customer_id = ${callers[0]?.customerId} and event_name = 'gpt_4o_prompt_tokens'`.execute(
      pipeline.deps.database,
    );
    await runUntil(pipeline, 3, 60);
    const first = await ask('GET', '/v1/closes?period=2026-10&limit=2', undefined, 'finance');
    holds('/v1/closes', 'get', first);
    expect(first.body.closes).toHaveLength(2);
    const second = await ask('GET', `/v1/closes?period=2026-10&limit=2&cursor=${first.body.nextCursor}`);
    expect(second.body.closes).toHaveLength(1);
    expect(second.body.nextCursor).toBeNull();
    expect((await ask('GET', '/v1/closes?period=2026-11')).body.closes).toEqual([]);
    expect((await ask('GET', '/v1/closes', undefined, 'sales')).status).toBe(403);

    const held = (await ask('GET', '/v1/closes?state=held')).body.closes;
    expect(held).toHaveLength(1);
    expect(held[0]).toMatchObject({ customerId: callers[0]?.customerId, state: 'held' });
    const invoiceId = held[0]?.invoiceId;
    const detail = await ask('GET', `/v1/closes/${invoiceId}`);
    holds('/v1/closes/{invoiceId}', 'get', detail);
    expect(detail.body.steps.at(-1)).toMatchObject({ state: 'held' });
    expect(detail.body.certificate).toBeNull();
    const status = await ask('GET', '/v1/status');
    holds('/v1/status', 'get', status);
    expect(status.body.closes).toMatchObject({ heldCount: '1', certificateCount: '2' });

    const route = `/v1/closes/${invoiceId}/release`;
    expect((await ask('POST', route, { reason: 'fine' }, 'finance')).status).toBe(403);
    const released = await ask('POST', route, { reason: 'fine' });
    expect(released.status).toBe(202);
    holds('/v1/closes/{invoiceId}/release', 'post', released);
    expect(asked).toEqual(['close-invoices']);
    expect((await ask('POST', route, { reason: 'fine' })).status).toBe(409);
    await pipeline.run('close-invoices');
    const certificate = await ask('GET', `/v1/closes/${invoiceId}/certificate`);
    holds('/v1/closes/{invoiceId}/certificate', 'get', certificate);
    expect(certificate.body).toMatchObject({ isSound: true, driftTokenCount: '9' });
  });

  it('shows the windows that a certificate rests on, page by page, and proves them', async () => {
    const { ask, holds } = await open();
    await runUntil(pipeline, 3, 60);
    const [close] = (await ask('GET', '/v1/closes?state=finalized')).body.closes;
    const route = `/v1/closes/${close?.invoiceId}/windows`;
    const whole = await ask('GET', route);
    holds('/v1/closes/{invoiceId}/windows', 'get', whole);
    const { windows } = whole.body;
    expect(windows.length).toBeGreaterThan(3);
    expect(windows.map(({ position }) => position)).toEqual(windows.map((_, index) => String(index + 1)));
    for (const { queryText, windowStart, windowEnd } of windows) {
      expect(queryText).toContain(`ingestion_time() >= datetime(${windowStart})`);
      expect(queryText).toContain(`ingestion_time() < datetime(${windowEnd})`);
    }
    const paged: unknown[] = [];
    for (let query: string | null = '?limit=2'; query !== null; ) {
      const page: { body: AnswerBody } = await ask('GET', `${route}${query}`);
      paged.push(...page.body.windows);
      query = page.body.nextCursor === null ? null : `?limit=2&cursor=${page.body.nextCursor}`;
    }
    expect(paged).toEqual(windows);
    const proof = await ask('GET', `${route}/proof`);
    holds('/v1/closes/{invoiceId}/windows/proof', 'get', proof);
    expect(proof.body).toMatchObject({
      verdict: 'intact',
      certifiedWindowCount: String(windows.length),
      provenWindowCount: String(windows.length),
    });
    expect((await ask('GET', `${route}?cursor=x`)).status).toBe(400);
    await pipeline.deps.database
      .updateTable('collection_windows')
      .set({ row_count: 999 })
      .where('chain_position', '=', 2n)
      .execute();
    expect((await ask('GET', `${route}/proof`)).body).toMatchObject({ verdict: 'altered' });
  });
});

describe('/v1/credit-proposals', () => {
  /** Cached tokens that are told after the invoice: less was used at the full price. */
  async function correct() {
    const bench = await open();
    await runUntil(pipeline, 3, 60);
    const [caller] = bench.callers;
    pipeline.traffic.inject([
      makeRow({
        metricName: METRIC_NAMES.cachedPrompt,
        sum: 400_000,
        max: 400_000,
        eventMs: START_MS + 3 * HOUR_MS + 60_000,
        ingestedMs: START_MS + 40 * HOUR_MS,
        properties: dimensions({ userId: caller?.userId, tenantId: caller?.customerId }),
      }),
    ]);
    await runUntil(pipeline, 7, 60);
    return bench;
  }

  it('proposes what a correction proves, and gives it back once a person approves', async () => {
    const { callers, ask, asked, holds } = await correct();
    const listed = await ask('GET', '/v1/credit-proposals?state=proposed', undefined, 'finance');
    holds('/v1/credit-proposals', 'get', listed);
    expect(listed.body.creditProposals).toHaveLength(1);
    const [proposal] = listed.body.creditProposals;
    expect(proposal).toMatchObject({
      customerId: callers[0]?.customerId,
      tokenCount: '400000',
      amount: '1.20',
      cause: 'corrected_usage',
    });
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
    const route = `/v1/credit-proposals/${proposal?.id}`;
    const approved = await ask('POST', `${route}/approve`, {});
    holds('/v1/credit-proposals/{id}/approve', 'post', approved);
    expect(approved.status).toBe(202);
    expect(asked).toEqual(['close-invoices']);
    expect((await ask('POST', `${route}/reject`, { reason: 'no' })).status).toBe(409);
    await pipeline.tick(0.5);
    await pipeline.tick(0.5);
    const notes = await pipeline.account.creditNotes.list({ invoice: proposal?.invoiceId ?? '' });
    expect(notes.data.map((note) => note.amount)).toEqual([120]);
    const created = (await ask('GET', '/v1/credit-proposals?state=created')).body.creditProposals;
    expect(created[0]?.creditNoteId).toBe(notes.data[0]?.id);
    // What was given back is billed no more, and the cached tokens wait for the next invoice.
    expect(await balance(pipeline)).toMatchObject({
      uninvoiced: 0n,
      byReason: { carry_to_next_invoice: 400_000n },
      drift: 0n,
    });
  });

  it('gives nothing back for what a person rejects, with a reason', async () => {
    const { ask, holds } = await correct();
    const [proposal] = (await ask('GET', '/v1/credit-proposals')).body.creditProposals;
    const route = `/v1/credit-proposals/${proposal?.id}/reject`;
    expect((await ask('POST', route, {})).status).toBe(400);
    const rejected = await ask('POST', route, { reason: 'the customer agreed otherwise' });
    holds('/v1/credit-proposals/{id}/reject', 'post', rejected);
    expect(rejected.body).toMatchObject({
      state: 'rejected',
      decidedReason: 'the customer agreed otherwise',
    });
    await pipeline.tick(0.5);
    expect((await pipeline.account.creditNotes.list({ invoice: proposal?.invoiceId ?? '' })).data).toEqual(
      [],
    );
    expect(await balance(pipeline)).toMatchObject({ writtenOff: -400_000n, drift: 0n });
  });
});
