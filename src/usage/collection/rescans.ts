import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { addMs, DAY_MS, type TimeWindow } from '../../platform/clock.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import type { LedgerRow } from '../../platform/database/schema/schema.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';

/** A look, asked for by a person, at everything whose event time lies in a window. */
export interface Rescan {
  rescanId: string;
  window: TimeWindow;
  requestedBy: string;
  status: 'queued' | 'running' | 'done' | 'failed';
  /** Everything before this instant has been looked at. */
  doneUntil: Date;
  rowCount: bigint;
  newRowCount: bigint;
  usageEventCount: bigint;
  quarantinedRowCount: bigint;
  /** Code of what stopped it, or what it last met while it goes on. */
  lastError: string | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** What a rescan found, as far as it has come. */
export type RescanCounts = Record<
  'rowCount' | 'newRowCount' | 'usageEventCount' | 'quarantinedRowCount',
  number
>;

/** @throws ValidationError when the window is none, reaches into the future, or further back than the source keeps */
export function checkRescanWindow(
  window: TimeWindow,
  limits: { now: Date; sourceRetentionDays: number },
): void {
  const { now, sourceRetentionDays } = limits;
  const it = `It is ${now.toISOString()} now.`;
  for (const [field, instant] of [
    ['from', window.start],
    ['to', window.end],
  ] as const) {
    if (Number.isNaN(instant.getTime())) throw new ValidationError(field, 'is not an instant');
    if (instant > now) throw new ValidationError(field, 'lies in the future', it);
  }
  if (window.start >= window.end) throw new ValidationError('to', 'must be later than from');
  const oldest = addMs(now, -sourceRetentionDays * DAY_MS);
  if (window.start < oldest) {
    throw new ValidationError(
      'from',
      `lies further back than the source keeps its rows (${sourceRetentionDays} days)`,
      `Begin at ${oldest.toISOString()} or later; if the source keeps more, set SOURCE_RETENTION_DAYS.`,
    );
  }
}

/** Writes down that a window is to be looked at; the next run of `rescan-usage` does it. Audited. */
export async function requestRescan(
  database: LedgerDatabase,
  request: { window: TimeWindow; requestedBy: string; now: Date },
): Promise<Rescan> {
  return await database.transaction().execute(async (transaction) => {
    const row = await transaction
      .insertInto('rescans')
      .values({
        rescan_id: `rescan_${randomUUID().replaceAll('-', '')}`,
        window_start: request.window.start,
        window_end: request.window.end,
        requested_by: request.requestedBy,
        done_until: request.window.start,
        created_at: request.now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await writeAudit(transaction, {
      actor: request.requestedBy,
      action: 'rescan.request',
      target: row.rescan_id,
      details: { from: request.window.start, to: request.window.end },
      now: request.now,
    });
    return toRescan(row);
  });
}

/** @throws TallystickError NOT_FOUND */
export async function getRescan(database: LedgerDatabase, rescanId: string): Promise<Rescan> {
  const row = await database
    .selectFrom('rescans')
    .selectAll()
    .where('rescan_id', '=', rescanId)
    .executeTakeFirst();
  if (row === undefined) {
    throw new TallystickError('There is no such rescan.', { code: 'NOT_FOUND', retry: false });
  }
  return toRescan(row);
}

/**
 * The oldest rescan that is not finished, now running. One that runs already is resumed: whoever ran it is gone,
 * because the step that runs them has one runner at a time.
 */
export async function startNextRescan(database: LedgerDatabase, now: Date): Promise<Rescan | null> {
  const row = await database
    .updateTable('rescans')
    .set({ status: 'running', started_at: sql`coalesce(started_at, ${now})` })
    .where(
      'rescan_id',
      '=',
      database
        .selectFrom('rescans')
        .select('rescan_id')
        .where('status', 'in', ['queued', 'running'])
        .orderBy('created_at')
        .orderBy('rescan_id')
        .limit(1),
    )
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : toRescan(row);
}

/** Adds what a part of the window brought. */
export async function recordRescanProgress(
  database: LedgerDatabase,
  rescanId: string,
  progress: { doneUntil: Date; counts: RescanCounts },
): Promise<void> {
  const { doneUntil, counts } = progress;
  await sql`update rescans set done_until = ${doneUntil}, row_count = row_count + ${counts.rowCount},
              new_row_count = new_row_count + ${counts.newRowCount},
              usage_event_count = usage_event_count + ${counts.usageEventCount},
              quarantined_row_count = quarantined_row_count + ${counts.quarantinedRowCount}
            where rescan_id = ${rescanId}`.execute(database);
}

/** Ends a rescan, or notes what it met when it will be taken up again. */
export async function recordRescanEnd(
  database: LedgerDatabase,
  rescanId: string,
  end: { status: 'running' | 'done' | 'failed'; error: string | null; now: Date },
): Promise<Rescan> {
  const row = await database
    .updateTable('rescans')
    .set({
      status: end.status,
      last_error: end.error,
      finished_at: end.status === 'running' ? null : end.now,
    })
    .where('rescan_id', '=', rescanId)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toRescan(row);
}

/** When the collector first came, and where it began; null before that. */
export async function readCollectionStart(
  database: LedgerDatabase,
  source: string,
): Promise<{ startedAt: Date; position: Date } | null> {
  const row = await database
    .selectFrom('collection_chains')
    .select(['begun_at', 'begun_from'])
    .where('source', '=', source)
    .where('cursor_kind', '=', 'ingestion')
    .executeTakeFirst();
  return row === undefined ? null : { startedAt: row.begun_at, position: row.begun_from };
}

function toRescan(row: LedgerRow<'rescans'>): Rescan {
  return {
    rescanId: row.rescan_id,
    window: { start: row.window_start, end: row.window_end },
    requestedBy: row.requested_by,
    status: row.status,
    doneUntil: row.done_until,
    rowCount: row.row_count,
    newRowCount: row.new_row_count,
    usageEventCount: row.usage_event_count,
    quarantinedRowCount: row.quarantined_row_count,
    lastError: row.last_error,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}
