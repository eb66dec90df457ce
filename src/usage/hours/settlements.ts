import { sql } from 'kysely';
import { byFigure, type FigureName, keyOf, type UsageKey } from '../../../pricing/usage/shape.ts';
import type { FormerCounts } from '../../../pricing/usage/tokens.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import {
  type FormerCountsRow,
  keyColumns,
  readFormerCounts,
  selectKey,
  sumFigures,
  sumFormerCounts,
} from '../columns.ts';

/** One hour that is due for settling, at the version its sums were read at. */
export interface DueHour {
  windowStart: Date;
  eventVersion: bigint;
  /** Distinct keys in it: the rows to expect from OpenMeter. */
  keyCount: number;
}

/**
 * Hours whose events were all sent long enough ago, oldest first.
 * @param closedBefore hours must have ended by then; @param sentBefore their last event was sent by then
 */
export async function findDueHours(
  database: LedgerDatabase,
  due: { closedBefore: Date; sentBefore: Date; now: Date; limit: number },
): Promise<DueHour[]> {
  const rows = await sql<DueHour>`
    select s.window_start as "windowStart", s.event_version as "eventVersion", e.key_count::int as "keyCount"
    from (select window_start, event_version from settlements
          where status = 'open' and window_start + interval '1 hour' <= ${due.closedBefore}
            and (next_attempt_at is null or next_attempt_at <= ${due.now})
          order by window_start limit ${due.limit}) s
    join lateral (
      select count(*) filter (where status = 'pending') as pending_count, max(sent_at) as last_sent_at,
             count(distinct (${keyColumns()})) as key_count
      from usage_events where window_start = s.window_start) e on true
    where e.pending_count = 0 and coalesce(e.last_sent_at, '-infinity') <= ${due.sentBefore}
    order by s.window_start`.execute(database);
  return rows.rows;
}

/** Ledger's own sums of one key in one hour. */
export interface LedgerHour extends UsageKey {
  windowStart: Date;
  figures: Record<FigureName, bigint>;
  former: FormerCounts;
}

/**
 * What the ledger sent for these hours, by key: what OpenMeter must hold once every copy too many is offset.
 * Quarantined events are not part of it, nor what was sent to repair.
 */
export async function sumSentEvents(database: LedgerDatabase, hours: readonly Date[]): Promise<LedgerHour[]> {
  const rows = await sql<UsageKey & { windowStart: Date } & Record<FigureName, bigint> & FormerCountsRow>`
    select window_start as "windowStart", ${selectKey()}, ${sumFigures()}, ${sumFormerCounts()}
    from usage_events
    where window_start = any(${hours.map((hour) => hour.toISOString())}::timestamptz[]) and status in ('sent', 'confirmed')
      and kind = 'usage'
    group by window_start, ${keyColumns()}`.execute(database);
  return rows.rows.map((row) => ({
    windowStart: row.windowStart,
    ...keyOf(row),
    figures: byFigure((figure) => row[figure]),
    former: readFormerCounts(row),
  }));
}

/** Hours whose events changed: they are settled again, and a settlement under way of their old state cannot commit. */
export async function reopenHours(
  database: LedgerDatabase | LedgerTransaction,
  hours: readonly Date[],
): Promise<void> {
  if (hours.length === 0) return;
  const distinct = [...new Set(hours.map((hour) => hour.toISOString()))].sort();
  await sql`
    insert into settlements as hour (window_start)
    select * from unnest(${distinct}::timestamptz[])
    on conflict (window_start) do update
      set status = 'open', event_version = hour.event_version + 1, attempt_count = 0, next_attempt_at = null`.execute(
    database,
  );
}
