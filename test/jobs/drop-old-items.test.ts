import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { backfillUsage } from '../../jobs/collect/collect-usage.ts';
import type { RetentionOutcome } from '../../jobs/drop-old-items.ts';
import { reconcileWindow } from '../../jobs/reconcile/reconcile.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { readDriftReport } from '../../src/reconciliation/drift-report.ts';
import { readCollectionStart } from '../../src/usage/collection/rescans.ts';
import { readWebhookCounts, recordWebhookEvent } from '../../src/webhook-events/events.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { makeCall, makeRow } from '../setup/rows.ts';
import { requestEntryRetry } from './retry-entry.ts';

const RETENTION_DAYS = 40;
const FIRST_DAY = { start: new Date(START_MS), end: new Date(START_MS + DAY_MS) };

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Usage of three days, delivered, and so many days later; every period of its time is over. */
async function openOld(
  options: PipelineOptions & { rows?: ReturnType<typeof makeRow>[]; daysLater?: number } = {},
): Promise<void> {
  pipeline = await openPipeline({
    ...options,
    settings: { itemRetentionDays: RETENTION_DAYS, ...options.settings },
  });
  pipeline.traffic.inject([
    ...[0, 5, 26, 49].flatMap((hour) => makeCall({ hour, prompt: 100 + hour, cachedPrompt: 10 })),
    ...(options.rows ?? []),
  ]);
  await pipeline.tick(52);
  await pipeline.tick(1);
  pipeline.advance((options.daysLater ?? RETENTION_DAYS + 2) * 24 - 53);
  await pipeline.run('sync-catalog', 'collect-usage', 'rescan-usage');
}

const drop = async () => (await pipeline.run('drop-old-items'))['drop-old-items'];

async function partitions(table = 'source_items'): Promise<string[]> {
  const rows = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${table}::regclass and c.relname not like '%default' order by 1`.execute(
    pipeline.deps.database,
  );
  return rows.rows.map((row) => row.name);
}

const countWindows = async () =>
  (await pipeline.deps.database.selectFrom('collection_windows').select('chain_position').execute()).length;

const itemCount = async () =>
  Number(
    (
      await pipeline.deps.database
        .selectFrom('source_items')
        .select(({ fn }) => fn.countAll<bigint>().as('count'))
        .executeTakeFirstOrThrow()
    ).count,
  );

async function report() {
  return await readDriftReport(pipeline.deps.database, {
    window: { start: new Date(START_MS), end: new Date(START_MS + 3 * DAY_MS) },
    customerId: null,
    withAgreeing: true,
    after: null,
    limit: 100,
  });
}

describe('days older than the retention', () => {
  it('lose their single items, and no figure changes', async () => {
    await openOld();
    const [before, lines] = [await balance(pipeline), await report()];
    expect(await partitions()).toEqual([
      'source_items_20261001',
      'source_items_20261002',
      'source_items_20261003',
    ]);
    expect(await drop()).toMatchObject({ droppedDayCount: 2, pendingDayCount: 0, busyDayCount: 0 });
    expect(await partitions()).toEqual(['source_items_20261003']);
    expect(await balance(pipeline)).toEqual(before);
    expect(lines.length).toBeGreaterThan(5);
    expect(await report()).toEqual(lines);
    const outcome = await reconcileWindow(pipeline.deps, { window: FIRST_DAY, customerId: null });
    expect(outcome).toMatchObject({ sourceDifferenceCount: 0, reopenedHourCount: 0 });
    expect(await drop()).toMatchObject({ droppedDayCount: 0 });
  });

  it('take their windows with them, and what was collected before is known as before', async () => {
    await openOld({ daysLater: RETENTION_DAYS + 8 });
    const { database, source } = pipeline.deps;
    const [begun, before] = [await readCollectionStart(database, source.name), await balance(pipeline)];
    const windowCount = await countWindows();
    const dropped = (await drop()) as unknown as RetentionOutcome;
    expect(dropped.droppedDayCount).toBe(3);
    expect(dropped.droppedWindowCount).toBeGreaterThan(3);
    expect(await countWindows()).toBe(windowCount - dropped.droppedWindowCount);
    const oldest = await database
      .selectFrom('collection_windows')
      .select(({ fn }) => fn.min('collected_at').as('at'))
      .executeTakeFirst();
    expect(oldest?.at.getTime()).toBeGreaterThan(START_MS + 4 * DAY_MS);
    expect(await readCollectionStart(database, source.name)).toEqual(begun);
    expect(await balance(pipeline)).toEqual(before);
    expect(await drop()).toMatchObject({ droppedWindowCount: 0 });
  });

  it('stay while they are younger, or an invoice of their time is not final', async () => {
    await openOld({ daysLater: RETENTION_DAYS - 1 });
    expect(await drop()).toMatchObject({ droppedDayCount: 0, pendingDayCount: 0 });
    await pipeline.close();
    // The second customer's period ends after eight days; before, nothing of it may go.
    const rows = makeCall({ dimensions: { tenantId: 'fabrikam', userId: 'user-00002' } });
    await openOld({ rows, daysLater: 7, settings: { itemRetentionDays: 1 } });
    expect(await drop()).toMatchObject({ droppedDayCount: 2, pendingDayCount: 1 });
    expect(await partitions()).toEqual(['source_items_20261001']);
    pipeline.advance(30);
    await pipeline.run('sync-catalog');
    expect(await drop()).toMatchObject({ droppedDayCount: 1, pendingDayCount: 0 });
  });

  it('stay while a night may still look back at them', async () => {
    await openOld();
    await pipeline.deps.database
      .updateTable('watermarks')
      .set({ position: new Date(START_MS + 3 * DAY_MS) })
      .where('source', 'like', 'rescan:%')
      .execute();
    expect(await drop()).toMatchObject({ droppedDayCount: 0, pendingDayCount: 0 });
  });

  it('stay while something of them has no customer, and go once it is billed or given up', async () => {
    const dimensions = { tenantId: 'nobody', userId: 'stranger' };
    await openOld({ rows: makeCall({ hour: 1, dimensions }) });
    expect(await drop()).toMatchObject({ droppedDayCount: 1, pendingDayCount: 1 });
    expect(await partitions()).toContain('source_items_20261001');
    const { database } = pipeline.deps;
    await database
      .updateTable('hourly_usage')
      .set({ written_off_at: new Date() })
      .where('subject', '=', 'stranger')
      .execute();
    expect(await drop()).toMatchObject({ droppedDayCount: 1, pendingDayCount: 0 });
    expect(await balance(pipeline)).toMatchObject({ writtenOff: 120n, drift: 0n });
  });

  it('keep what waits in quarantine, and nothing else', async () => {
    await openOld({ rows: [makeRow({ sum: 7.5 })] });
    const before = await balance(pipeline);
    expect(await drop()).toMatchObject({ droppedDayCount: 2 });
    const left = await pipeline.deps.database
      .selectFrom('source_items')
      .select(['quarantine_reason'])
      .where('event_day', '=', '2026-10-01')
      .execute();
    expect(left).toEqual([{ quarantine_reason: 'not_an_integer' }]);
    expect(await balance(pipeline)).toEqual(before);
    expect(await drop()).toMatchObject({ droppedDayCount: 0, pendingDayCount: 0 });
  });

  it('take the control’s items with them', async () => {
    await openOld({ usageSource: 'llm-log', controlSource: 'metrics' });
    await pipeline.run('collect-control');
    expect(await partitions('control_items')).toContain('control_items_20261001');
    const outcome = await drop();
    expect(outcome).toMatchObject({ droppedDayCount: 2 });
    expect(Number((outcome as { droppedControlItemCount?: number }).droppedControlItemCount)).toBeGreaterThan(
      5,
    );
    expect(await partitions('control_items')).toEqual(['control_items_20261003']);
  });

  it('wait while somebody writes to them', async () => {
    await openOld();
    const { database } = pipeline.deps;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let locked = () => {};
    const isLocked = new Promise<void>((resolve) => {
      locked = resolve;
    });
    const writer = database.transaction().execute(async (transaction) => {
      await sql`lock table source_items_20261001 in row exclusive mode`.execute(transaction);
      locked();
      await held;
    });
    await isLocked;
    expect(await drop()).toMatchObject({ droppedDayCount: 1, busyDayCount: 1 });
    release();
    await writer;
    expect(await drop()).toMatchObject({ droppedDayCount: 1, busyDayCount: 0 });
  });
});

describe('rows of a day whose items are gone', () => {
  it('that are told again bill nothing, and wait for a person', async () => {
    await openOld();
    const before = await balance(pipeline);
    await drop();
    const kept = await itemCount();
    await backfillUsage(pipeline.deps, { start: new Date(START_MS), end: new Date(START_MS + 2 * HOUR_MS) });
    expect((await itemCount()) - kept).toBeGreaterThan(0);
    const after = await balance(pipeline);
    expect(after.byReason).toEqual({ after_retention: 120n });
    expect(after).toMatchObject({ billed: before.billed, metered: before.metered, due: 0n });
    // Not by the night either, which judges all else in quarantine again.
    await pipeline.tick(25);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ billed: before.billed, metered: before.metered });
    expect(await drop()).toMatchObject({ pendingDayCount: 0, busyDayCount: 0 });
    expect((await balance(pipeline)).byReason).toEqual({ after_retention: 120n });
  });

  it('that are told again and asked for by a person are known by the event they made, and stop nothing', async () => {
    await openOld();
    const before = await balance(pipeline);
    await drop();
    await backfillUsage(pipeline.deps, { start: new Date(START_MS), end: new Date(START_MS + HOUR_MS) });
    pipeline.traffic.inject(makeCall({ hour: 2, prompt: 30, completion: 0 }));
    await backfillUsage(pipeline.deps, {
      start: new Date(START_MS + 2 * HOUR_MS),
      end: new Date(START_MS + 3 * HOUR_MS),
    });
    await requestEntryRetry(pipeline, 'after_retention');
    for (let hour = 0; hour < 3; hour += 1) await pipeline.tick(1);
    const after = await balance(pipeline);
    expect(after.byReason).toEqual({ after_retention: 120n, carry_to_next_invoice: 30n });
    expect(after).toMatchObject({ billed: before.billed, metered: before.metered + 30n, due: 0n });
  });

  it('and were never known can be taken up by a person', async () => {
    await openOld();
    await drop();
    pipeline.traffic.inject(makeCall({ hour: 2, prompt: 30, completion: 0 }));
    await backfillUsage(pipeline.deps, {
      start: new Date(START_MS + 2 * HOUR_MS),
      end: new Date(START_MS + 3 * HOUR_MS),
    });
    await requestEntryRetry(pipeline, 'after_retention');
    for (let hour = 0; hour < 3; hour += 1) await pipeline.tick(1);
    // Its invoice is final long ago: it waits for the next one, as any usage that comes so late.
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 30n });
  });
});

describe('webhook events older than the retention', () => {
  it('go once their work is done, and are counted as before', async () => {
    pipeline = await openPipeline({ settings: { itemRetentionDays: RETENTION_DAYS } });
    const { database, clock } = pipeline.deps;
    const record = (name: string, daysAgo: number, needsWork: boolean) =>
      recordWebhookEvent(database, {
        webhookEventId: name,
        provider: 'stripe',
        eventType: 'customer.updated',
        relatedObjectId: null,
        payload: {},
        receivedAt: new Date(clock.now().getTime() - daysAgo * DAY_MS),
        needsWork,
      });
    await record('old', RETENTION_DAYS + 1, false);
    await record('old_and_due', RETENTION_DAYS + 1, true);
    await record('young', RETENTION_DAYS - 1, false);
    const counts = await readWebhookCounts(database);
    expect(await drop()).toMatchObject({ droppedWebhookEventCount: 1 });
    const left = await database
      .selectFrom('webhook_events')
      .select('webhook_event_id')
      .where('event_type', '=', 'customer.updated')
      .orderBy('webhook_event_id')
      .execute();
    expect(left.map((row) => row.webhook_event_id)).toEqual(['old_and_due', 'young']);
    expect(await readWebhookCounts(database)).toEqual(counts);
    expect(await drop()).toMatchObject({ droppedWebhookEventCount: 0 });
  });
});
