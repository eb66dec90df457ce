import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { DAY_MS } from '../../platform/clock.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import { camelRow } from '../../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { LedgerRow } from '../../platform/database/schema/schema.ts';
import { TallystickError } from '../../platform/errors.ts';

/** One synchronization with the retail price list. */
export interface PriceSyncRun {
  priceSyncRunId: string;
  requestedBy: string;
  status: 'queued' | 'running' | 'done' | 'failed';
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** Code of what stopped it. */
  lastError: string | null;
  counts: PriceSyncCounts | null;
  bookVersionBefore: string | null;
  bookVersionAfter: string | null;
}

export interface PriceSyncCounts {
  pageCount: number;
  itemCount: number;
  /** Reservations, developer offers, and prices that ended. */
  ignoredCount: number;
  unchangedCount: number;
  /** Small changes, now in the book. */
  appliedCount: number;
  /** What waits for a person after it, found now or before. */
  waitingCount: number;
}

/** What the daily run is requested by. */
const DAILY_SYNC = 'schedule';

/** Writes down that a synchronization is wanted, audited; one that is not begun yet is taken for it. */
export async function requestPriceSync(
  database: LedgerDatabase,
  request: { requestedBy: string; now: Date },
): Promise<PriceSyncRun> {
  return await database.transaction().execute(async (transaction) => {
    await sql`lock table price_sync_runs in share row exclusive mode`.execute(transaction);
    const waiting = await transaction
      .selectFrom('price_sync_runs')
      .selectAll()
      .where('status', '=', 'queued')
      .orderBy('created_at')
      .limit(1)
      .executeTakeFirst();
    if (waiting !== undefined) return toRun(waiting);
    const row = await transaction
      .insertInto('price_sync_runs')
      .values({
        price_sync_run_id: `price_sync_${randomUUID().replaceAll('-', '')}`,
        requested_by: request.requestedBy,
        created_at: request.now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await writeAudit(transaction, {
      actor: request.requestedBy,
      action: 'price_sync.request',
      target: row.price_sync_run_id,
      details: {},
      now: request.now,
    });
    return toRun(row);
  });
}

/**
 * Asks for this day's synchronization, unless one was done in this UTC day or waits. One that was refused is tried
 * again at the next look.
 */
export async function requestDailyPriceSync(database: LedgerDatabase, now: Date): Promise<void> {
  const dayStart = new Date(Math.floor(now.getTime() / DAY_MS) * DAY_MS);
  const row = await database
    .selectFrom('price_sync_runs')
    .select('price_sync_run_id')
    .where((is) =>
      is.or([
        is('status', 'in', ['queued', 'running']),
        is.and([is('status', '=', 'done'), is('finished_at', '>=', dayStart)]),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) await requestPriceSync(database, { requestedBy: DAILY_SYNC, now });
}

/** The oldest run that is not finished, now running. One that runs already is resumed: whoever ran it is gone. */
export async function startNextPriceSync(database: LedgerDatabase, now: Date): Promise<PriceSyncRun | null> {
  const row = await database
    .updateTable('price_sync_runs')
    .set({ status: 'running', started_at: sql`coalesce(started_at, ${now})` })
    .where(
      'price_sync_run_id',
      '=',
      database
        .selectFrom('price_sync_runs')
        .select('price_sync_run_id')
        .where('status', 'in', ['queued', 'running'])
        .orderBy('created_at')
        .orderBy('price_sync_run_id')
        .limit(1),
    )
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : toRun(row);
}

/** Notes what a run met. `error` is a code. A run that will be taken up again stays running. */
export async function recordPriceSyncError(
  database: LedgerDatabase,
  runId: string,
  end: { error: string; willRetry: boolean; now: Date },
): Promise<void> {
  await database
    .updateTable('price_sync_runs')
    .set({
      status: end.willRetry ? 'running' : 'failed',
      last_error: end.error,
      finished_at: end.willRetry ? null : end.now,
    })
    .where('price_sync_run_id', '=', runId)
    .where('status', 'in', ['queued', 'running'])
    .execute();
}

/** Ends a run well, in the transaction that holds what it did. @throws TallystickError CONFLICT when it ended before */
export async function finishPriceSync(
  transaction: LedgerTransaction,
  runId: string,
  end: { counts: PriceSyncCounts; bookVersionBefore: string; bookVersionAfter: string; now: Date },
): Promise<PriceSyncRun> {
  const { counts } = end;
  const row = await transaction
    .updateTable('price_sync_runs')
    .set({
      status: 'done',
      last_error: null,
      finished_at: end.now,
      page_count: counts.pageCount,
      item_count: counts.itemCount,
      ignored_count: counts.ignoredCount,
      unchanged_count: counts.unchangedCount,
      applied_count: counts.appliedCount,
      waiting_count: counts.waitingCount,
      book_version_before: end.bookVersionBefore,
      book_version_after: end.bookVersionAfter,
    })
    .where('price_sync_run_id', '=', runId)
    .where('status', '=', 'running')
    .returningAll()
    .executeTakeFirst();
  if (row !== undefined) return toRun(row);
  throw new TallystickError('This synchronization is over already.', { code: 'CONFLICT', retry: false });
}

/** The last runs, the newest first. */
export async function readPriceSyncRuns(database: LedgerDatabase, limit: number): Promise<PriceSyncRun[]> {
  const rows = await database
    .selectFrom('price_sync_runs')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('price_sync_run_id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(toRun);
}

export interface PriceSyncState {
  /** When a synchronization last went well. */
  lastDoneAt: Date | null;
  /** What waits for a person, by verdict. */
  waiting: { verdict: string; itemCount: bigint; oldestAt: Date }[];
}

/** How the synchronization of prices is; for status and metrics. */
export async function readPriceSyncState(database: LedgerDatabase): Promise<PriceSyncState> {
  const last = await database
    .selectFrom('price_sync_runs')
    .select(({ fn }) => fn.max('finished_at').as('finished_at'))
    .where('status', '=', 'done')
    .executeTakeFirst();
  const waiting = await database
    .selectFrom('price_sync_items')
    .select(({ fn }) => [
      'verdict',
      fn.countAll<bigint>().as('item_count'),
      fn.min('found_at').as('oldest_at'),
    ])
    .where('status', '=', 'pending')
    .groupBy('verdict')
    .orderBy('verdict')
    .execute();
  return {
    lastDoneAt: last?.finished_at ?? null,
    waiting: waiting.map(camelRow),
  };
}

function toRun(row: LedgerRow<'price_sync_runs'>): PriceSyncRun {
  return {
    priceSyncRunId: row.price_sync_run_id,
    requestedBy: row.requested_by,
    status: row.status,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    lastError: row.last_error,
    counts:
      row.item_count === null
        ? null
        : {
            pageCount: row.page_count ?? 0,
            itemCount: row.item_count,
            ignoredCount: row.ignored_count ?? 0,
            unchangedCount: row.unchanged_count ?? 0,
            appliedCount: row.applied_count ?? 0,
            waitingCount: row.waiting_count ?? 0,
          },
    bookVersionBefore: row.book_version_before,
    bookVersionAfter: row.book_version_after,
  };
}
