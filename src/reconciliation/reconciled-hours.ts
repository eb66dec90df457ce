import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { countedTokens, IS_COUNTED_ITEM, IS_PART_ITEM, keyColumns, partTokens } from '../usage/columns.ts';
import type { DueHour } from '../usage/hours/settlements.ts';
import { countedColumn } from '../usage/name-keys.ts';

const HOUR_COLUMNS = sql`s.window_start as "windowStart", s.event_version as "eventVersion",
  (select count(distinct (${keyColumns()}))::int from usage_events e
   where e.window_start = s.window_start) as "keyCount"`;

/**
 * Settled hours to be read once more: those settled or repaired since they were last looked at, once that is
 * `quietMs` ago, and beside them the ones looked at longest ago, at most once a day each.
 */
export async function findHoursToReconcile(
  database: LedgerDatabase,
  due: { now: Date; quietBefore: Date; changedLimit: number; sampleLimit: number },
): Promise<DueHour[]> {
  const rows = await sql<DueHour>`
    with changed as (
      select window_start from settlements
      where status = 'settled' and settled_at <= ${due.quietBefore}
        and (reconciled_at is null or reconciled_at < settled_at)
      order by window_start limit ${due.changedLimit}),
    sampled as (
      select window_start from settlements
      where status = 'settled' and reconciled_at >= settled_at
        and reconciled_at <= ${due.now}::timestamptz - interval '1 day'
      order by reconciled_at, window_start limit ${due.sampleLimit})
    select ${HOUR_COLUMNS} from settlements s
    where s.window_start in (select window_start from changed union all select window_start from sampled)
    order by s.window_start`.execute(database);
  return rows.rows;
}

/** Every settled hour of a window. */
export async function findSettledHours(database: LedgerDatabase, window: TimeWindow): Promise<DueHour[]> {
  const rows = await sql<DueHour>`
    select ${HOUR_COLUMNS} from settlements s
    where s.status = 'settled' and s.window_start >= ${window.start} and s.window_start < ${window.end}
    order by s.window_start`.execute(database);
  return rows.rows;
}

/** Notes that hours were looked at, and opens those again that differ, unless they changed meanwhile. */
export async function markHoursReconciled(
  database: LedgerDatabase,
  hours: readonly DueHour[],
  differing: ReadonlySet<number>,
  now: Date,
): Promise<number> {
  if (hours.length === 0) return 0;
  const reopened = await sql<{ is_open: boolean }>`
    update settlements s set reconciled_at = ${now},
      status = case when seen.differs then 'open' else s.status end,
      event_version = s.event_version + case when seen.differs then 1 else 0 end,
      attempt_count = 0, next_attempt_at = null
    from unnest(${hours.map((hour) => hour.windowStart.toISOString())}::timestamptz[],
      ${hours.map((hour) => String(hour.eventVersion))}::bigint[],
      ${hours.map((hour) => differing.has(hour.windowStart.getTime()))}::boolean[])
      as seen(window_start, event_version, differs)
    where s.window_start = seen.window_start and s.event_version = seen.event_version and s.status = 'settled'
    returning seen.differs as is_open`.execute(database);
  return reopened.rows.filter((row) => row.is_open).length;
}

/** A key whose source items and usage events do not add up to the same, which nothing due explains. */
export interface SourceDifference {
  windowStart: Date;
  subject: string;
  sourceTokenCount: bigint;
  eventTokenCount: bigint;
}

/** Holds what was collected for these hours against the events made of it. */
export async function findSourceDifferences(
  database: LedgerDatabase,
  hours: readonly Date[],
): Promise<SourceDifference[]> {
  if (hours.length === 0) return [];
  const starts = hours.map((hour) => hour.toISOString());
  const days = [...new Set(starts.map((start) => start.slice(0, 10)))];
  const rows = await sql<SourceDifference>`
    with hours as (select * from unnest(${starts}::timestamptz[]) as hours(window_start)),
    source as (
      select window_start, subject, model, sum(tokens)::bigint as tokens, sum(parts)::bigint as parts from (
        select date_trunc('hour', event_time, 'UTC') as window_start, subject, ${countedColumn('model')} as model,
          case when ${IS_COUNTED_ITEM} then token_count else 0 end as tokens,
          case when ${IS_PART_ITEM} then token_count else 0 end as parts
        from source_items
        where event_day = any(${days}::date[]) and usage_event_id is not null
          and date_trunc('hour', event_time, 'UTC') in (select window_start from hours)
        union all
        select window_start, subject, ${countedColumn('model')}, ${countedTokens()}, ${partTokens()}
        from dropped_item_sums where window_start in (select window_start from hours)) known
      group by 1, 2, 3),
    events as (
      select window_start, subject, ${countedColumn('model')} as model, sum(${countedTokens()})::bigint as tokens,
        sum(${partTokens()})::bigint as parts
      from usage_events where window_start in (select window_start from hours) and kind = 'usage'
      group by 1, 2, 3)
    select window_start as "windowStart", subject, coalesce(source.tokens, 0)::bigint as "sourceTokenCount",
      coalesce(events.tokens, 0)::bigint as "eventTokenCount"
    from source full join events using (window_start, subject, model)
    where coalesce(source.tokens, 0) <> coalesce(events.tokens, 0)
      or coalesce(source.parts, 0) <> coalesce(events.parts, 0)
    order by 1, 2 limit 100`.execute(database);
  return rows.rows;
}
