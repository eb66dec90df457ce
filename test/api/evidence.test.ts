import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type {
  EvidenceEventsSchema,
  EvidenceHoursSchema,
  EvidenceLinesSchema,
  EvidenceSourceSchema,
} from '../../src/statements/evidence/schemas.ts';
import { addWindow } from '../setup/windows.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertInvoice, storeLines } from './statement-world.ts';
import { insertCatalog, insertUsage } from './world.ts';

const HOUR = '2026-11-03T10:00:00Z';
const LINE = '/v1/invoices/in_1/lines/il_prompt/evidence';
let bench: ApiBench;

beforeEach(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  const push = { meterId: 'mtr_prompt', status: 'delivered' as const };
  await insertUsage(database, [
    { hour: HOUR, tokens: 100n, push },
    { hour: HOUR, tokens: 40n, subject: 'user-2', push },
    { hour: '2026-11-03T11:00:00Z', tokens: 60n, push },
    {
      hour: '2026-11-03T10:00:00Z',
      tokens: 30n,
      tokenType: 'prompt_cached',
      push: { ...push, meterId: 'mtr_cached' },
    },
  ]);
  await database
    .insertInto('settlements')
    .values({
      window_start: new Date(HOUR),
      status: 'settled',
      settled_at: new Date('2026-11-03T11:20:00Z'),
      settled_version: 1n,
      next_attempt_at: null,
      repair_checked_at: null,
      repaired_at: null,
      reconciled_at: null,
    })
    .execute();
  await insertEvent('ue_1', { minute: 5, prompt: 90n, cached: 30n, completion: 0n });
  await insertEvent('ue_2', { minute: 50, prompt: 40n, cached: 0n, completion: 7n });
  await insertEvent('ue_3', { minute: 9, prompt: 40n, cached: 0n, completion: 0n, subject: 'user-2' });
  await insertEvent('ue_other', { minute: 9, prompt: 999n, cached: 0n, completion: 0n, subject: 'user-3' });
  await insertInvoice(database, { id: 'in_1' });
  await storeLines(database, {
    id: 'in_1',
    lines: [
      {
        lineId: 'il_prompt',
        subscriptionItemId: 'si_northwind_prompt',
        quantity: 200n,
        unitAmountDecimal: '0.0003',
        amountMinor: 1n,
      },
      { lineId: 'il_fee', description: 'Support', amountMinor: 500n },
    ],
  });
});
afterEach(() => bench.close());

async function insertEvent(
  id: string,
  event: { minute: number; prompt: bigint; cached: bigint; completion: bigint; subject?: string },
): Promise<void> {
  const { database } = bench.ledger;
  const at = new Date(Date.parse(HOUR) + event.minute * 60_000);
  await database
    .insertInto('usage_events')
    .values({
      usage_event_id: id,
      window_start: new Date(HOUR),
      event_time: at,
      subject: event.subject ?? 'user-1',
      feature: 'chat',
      model: 'gpt-4o',
      deployment: 'gpt-4o-global',
      prompt_token_count: event.prompt,
      cached_prompt_token_count: event.cached,
      completion_token_count: event.completion,
      reasoning_token_count: 0n,
      total_token_count: event.prompt + event.completion,
      request_count: 1n,
      body: '{}',
      status: 'confirmed',
      quarantine_reason: null,
      claimed_until: null,
      sent_at: at,
      created_at: at,
      root_event_id: null,
      written_off_at: null,
    })
    .execute();
  const windowId = await addWindow(database, {
    source: 'app-metrics',
    cursorKind: 'ingestion',
    window: { start: at, end: new Date(at.getTime() + 60_000) },
    rowCount: 2,
    newRowCount: 2,
    usageEventCount: 1,
    collectedAt: at,
    recipe: {
      template: 'recorded/1',
      parameters: `{"text":"AppMetrics | where TimeGenerated == ${id} and ingestion_time() < datetime({end+0})"}`,
    },
  });
  for (const [kind, count] of [
    ['prompt', event.prompt],
    ['cached_prompt', event.cached],
    ['completion', event.completion],
  ] as const) {
    await database
      .insertInto('source_items')
      .values({
        event_day: '2026-11-03',
        source_item_id: `${id}-${kind}`,
        metric_name: kind,
        event_time: at,
        ingested_at: at,
        subject: event.subject ?? 'user-1',
        tenant_key: 'northwind',
        feature: 'chat',
        model: 'gpt-4o',
        deployment: 'gpt-4o-global',
        token_kind: kind,
        token_count: count,
        request_count: 1n,
        usage_event_id: id,
        quarantine_reason: null,
        raw: null,
        request_facts: null,
        collection_window_id: windowId,
        written_off_at: null,
        quarantine_number: null,
        retry_requested_at: null,
      })
      .execute();
  }
}

async function get<Body>(path: string): Promise<Body> {
  const response = await bench.call(path, { scope: 'finance' });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Body;
}

type Hours = z.infer<typeof EvidenceHoursSchema>;
type Events = z.infer<typeof EvidenceEventsSchema>;
type Source = z.infer<typeof EvidenceSourceSchema>;

describe('the evidence of a line', () => {
  it('leads from the invoice to the rows of the source and their query, and every level sums to the one above', async () => {
    const { lines } = await get<z.infer<typeof EvidenceLinesSchema>>('/v1/invoices/in_1/lines');
    expect(lines.map(({ lineId, evidence }) => [lineId, evidence])).toEqual([
      ['il_prompt', LINE],
      ['il_fee', null],
    ]);
    const hours = await get<Hours>(LINE);
    expect(hours).toMatchObject({
      lineTokenCount: '200',
      hoursTokenCount: '200',
      pushedTokenCount: '200',
      hourCount: 2,
      agreement: { agrees: true, differenceTokenCount: '0', note: null },
    });
    const [hour] = hours.hours;
    expect(hour).toMatchObject({
      windowStart: '2026-11-03T10:00:00.000Z',
      tokenCount: '140',
      settledAt: '2026-11-03T11:20:00.000Z',
    });
    expect(hour?.pushes.map(({ addedTokenCount }) => addedTokenCount)).toEqual(['100', '40']);

    const events = await get<Events>(hour?.events ?? '');
    expect(events).toMatchObject({
      hourTokenCount: '140',
      eventsTokenCount: '140',
      agreement: { agrees: true },
    });
    // Only uncached prompt tokens are of this line.
    expect(events.events.map(({ usageEventId, tokenCount }) => [usageEventId, tokenCount])).toEqual([
      ['ue_1', '60'],
      ['ue_3', '40'],
      ['ue_2', '40'],
    ]);

    const source = await get<Source>(events.events[0]?.source ?? '');
    expect(source.tokenCounts).toEqual(source.sourceTokenCounts);
    expect(source.agreement.agrees).toBe(true);
    expect(source.items.map(({ sourceItemId }) => sourceItemId)).toContain('ue_1-cached_prompt');
    expect(source.queries.map(({ queryText }) => queryText)).toEqual([
      'AppMetrics | where TimeGenerated == ue_1 and ingestion_time() < datetime(2026-11-03T10:06:00.000Z)',
    ]);
  });

  it('comes in pages that together are the whole', async () => {
    const first = await get<Hours>(`${LINE}?limit=1`);
    const second = await get<Hours>(`${LINE}?limit=1&cursor=${first.nextCursor}`);
    expect([...first.hours, ...second.hours].map(({ tokenCount }) => tokenCount)).toEqual(['140', '60']);
    expect(second.nextCursor).toBeNull();
    const events: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Events = await get<Events>(
        `${LINE}/hours/${HOUR}?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      events.push(...page.events.map(({ usageEventId }) => usageEventId));
      cursor = page.nextCursor;
    }
    expect(events).toEqual(['ue_1', 'ue_3', 'ue_2']);
  });

  it('says each mismatch where it is', async () => {
    const { database } = bench.ledger;
    await database
      .updateTable('invoice_lines')
      .set({ quantity: 250n })
      .where('line_id', '=', 'il_prompt')
      .execute();
    await database
      .updateTable('meter_pushes')
      .set({ delta_token_count: 41n })
      .where('delta_token_count', '=', 40n)
      .execute();
    await database.deleteFrom('source_items').where('usage_event_id', '=', 'ue_2').execute();
    await database.deleteFrom('source_items').where('source_item_id', '=', 'ue_1-prompt').execute();
    await insertEvent('ue_new', { minute: 20, prompt: 5n, cached: 0n, completion: 0n });
    const hours = await get<Hours>(LINE);
    expect(hours.agreement).toMatchObject({ agrees: false, differenceTokenCount: '50' });
    expect(hours.hours[0]?.agreement).toMatchObject({ agrees: false, differenceTokenCount: '1' });
    expect(hours.hours[1]?.agreement.agrees).toBe(true);
    const events = await get<Events>(`${LINE}/hours/${HOUR}`);
    expect(events.agreement).toMatchObject({ agrees: false, differenceTokenCount: '-5' });
    expect((await get<Source>(`${LINE}/events/ue_1`)).agreement).toMatchObject({
      agrees: false,
      differenceTokenCount: '90',
    });
    expect((await get<Source>(`${LINE}/events/ue_2`)).agreement.note).toContain('not kept any more');
  });

  it('counts apart what came too late for the line', async () => {
    const { database } = bench.ledger;
    await insertEvent('ue_late', { minute: 30, prompt: 12n, cached: 0n, completion: 0n });
    await insertUsage(database, [
      { hour: HOUR, tokens: 12n, revision: 2, quarantine: 'carry_to_next_invoice' },
    ]);
    const events = await get<Events>(`${LINE}/hours/${HOUR}`);
    expect(events).toMatchObject({
      hourTokenCount: '140',
      elsewhereTokenCount: '12',
      eventsTokenCount: '152',
      agreement: { agrees: true },
    });
  });

  it('of a late item is the usage that missed its own invoice', async () => {
    const { database } = bench.ledger;
    const item = await database
      .insertInto('late_items')
      .values({
        customer_id: 'northwind',
        invoice_id: 'in_1',
        subscription_id: 'sub_northwind',
        missed_invoice_id: null,
        stripe_meter_id: 'mtr_prompt',
        product_name: 'GPT-4o prompt',
        period_start: new Date('2026-10-01T00:00:00Z'),
        period_end: new Date('2026-11-01T00:00:00Z'),
        used_from: new Date('2026-10-31T22:00:00Z'),
        used_to: new Date('2026-10-31T23:00:00Z'),
        token_count: 70n,
        currency: 'usd',
        unit_amount_decimal: '0.0003',
        amount_minor: 1n,
        description: 'GPT-4o input tokens, late',
        idempotency_key: 'late-1',
        state: 'invoiced',
        invoice_item_id: 'ii_1',
        planned_at: new Date(),
        created_at: new Date(),
        invoiced_at: new Date(),
      })
      .returning('late_item_id')
      .executeTakeFirstOrThrow();
    await insertUsage(database, [
      { hour: '2026-10-31T22:00:00Z', tokens: 70n, quarantine: 'carry_to_next_invoice' },
    ]);
    await database
      .updateTable('hourly_usage')
      .set({ late_item_id: item.late_item_id })
      .where('quarantine_reason', '=', 'carry_to_next_invoice')
      .execute();
    await storeLines(database, {
      id: 'in_1',
      lines: [{ lineId: 'il_late', invoiceItemId: 'ii_1', quantity: 70n, amountMinor: 1n }],
    });
    const hours = await get<Hours>('/v1/invoices/in_1/lines/il_late/evidence');
    expect(hours).toMatchObject({
      hoursTokenCount: '70',
      pushedTokenCount: null,
      agreement: { agrees: true },
    });
    expect(hours.hours.map(({ windowStart }) => windowStart)).toEqual(['2026-10-31T22:00:00.000Z']);
  });

  it('is for finance and admin, of lines there are, of whole hours, of events of the line', async () => {
    expect((await bench.call(LINE, { scope: 'sales' })).status).toBe(403);
    expect((await bench.call(LINE, { scope: null })).status).toBe(401);
    const status = async (path: string) => (await bench.call(path, { scope: 'finance' })).status;
    expect(await status('/v1/invoices/in_none/lines')).toBe(404);
    expect(await status('/v1/invoices/in_1/lines/il_none/evidence')).toBe(404);
    expect(await status('/v1/invoices/in_1/lines/il_fee/evidence')).toBe(404);
    expect(await status(`${LINE}/hours/2026-11-03T10:30:00Z`)).toBe(400);
    expect(await status(`${LINE}?cursor=x`)).toBe(400);
    expect(await status(`${LINE}/events/ue_other`)).toBe(404);
  });
});
