import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { rescanWatermarkOf } from '../usage/collection/watermarks.ts';

/** Up to which ingestion time a source was looked at twice: by the night, or by an earlier close. */
export async function readRescannedUntil(database: LedgerDatabase, source: string): Promise<Date | null> {
  const row = await sql<{ until: Date | null }>`
    select greatest((select max(window_end) from close_rescans where source = ${source}),
      (select position from watermarks where source = ${rescanWatermarkOf(source)})) as until`.execute(
    database,
  );
  return row.rows[0]?.until ?? null;
}

/**
 * Takes collected closes on that an earlier rescan covers, because it was made after their source's lag had passed and
 * not longer ago than `notBefore`.
 */
export async function shareCloseRescan(
  database: LedgerDatabase,
  given: { source: string; notBefore: Date; sourceWaitMs: number; now: Date },
): Promise<number> {
  const wait = `${Math.round(given.sourceWaitMs / 1_000)} seconds`;
  const moved = await sql`
    with latest as (
      select close_rescan_id, window_end from close_rescans
      where source = ${given.source} and finished_at >= ${given.notBefore} order by close_rescan_id desc limit 1),
    moved as (
      update closes c set state = 'rescanned', state_at = ${given.now}, attempt_count = 0, last_error = null, close_rescan_id = latest.close_rescan_id
      from latest where c.state = 'collected' and c.ended_at is null and latest.window_end >= c.period_end + ${wait}::interval
      returning c.invoice_id)
    insert into close_steps (invoice_id, state, at, note)
    select invoice_id, 'rescanned', ${given.now}::timestamptz, 'shared' from moved`.execute(database);
  return Number(moved.numAffectedRows ?? 0n);
}

/** Writes down a rescan that is done, and takes these closes on with it, in one transaction. */
export async function commitCloseRescan(
  database: LedgerDatabase,
  rescan: {
    source: string;
    window: TimeWindow;
    rowCount: number;
    newRowCount: number;
    invoiceIds: readonly string[];
    now: Date;
  },
): Promise<void> {
  const { window, now } = rescan;
  await sql`
    with rescan as (
      insert into close_rescans (source, window_start, window_end, row_count, new_row_count, finished_at)
      values (${rescan.source}, ${window.start}, ${window.end}, ${rescan.rowCount}, ${rescan.newRowCount}, ${now})
      returning close_rescan_id),
    moved as (
      update closes c set state = 'rescanned', state_at = ${now}, attempt_count = 0, last_error = null, close_rescan_id = rescan.close_rescan_id
      from rescan where c.invoice_id = any(${rescan.invoiceIds}::text[]) and c.state = 'collected' and c.ended_at is null
      returning c.invoice_id)
    insert into close_steps (invoice_id, state, at) select invoice_id, 'rescanned', ${now}::timestamptz from moved`.execute(
    database,
  );
}
