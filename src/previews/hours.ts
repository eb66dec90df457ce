import { sql } from 'kysely';
import { knownOfDays, knownThroughDay, projectionHistoryStart } from '../../pricing/previews/days.ts';
import { addMs, DAY_MS, type TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { IS_COLLECTION } from '../usage/collection/watermarks.ts';

interface PreviewHours {
  /** Hours with events that are not settled, oldest first, of the whole window. */
  openHours: Date[];
  /** Settled hours of the period. */
  settledHourCount: number;
  /** Settled hours of the whole window by UTC day (its first millisecond). */
  settledByDay: ReadonlyMap<number, number>;
  /** Up to which ingestion time every source has been collected; null before the first collection. */
  collectedThrough: Date | null;
}

/** How far the hours since `since` are known. An hour in which nobody used anything is in neither count. */
async function readPreviewHours(
  database: LedgerDatabase,
  read: { since: Date; period: TimeWindow },
): Promise<PreviewHours> {
  const { since, period } = read;
  const result = await sql<{
    open_hours: Date[];
    settled_hour_count: number;
    settled_by_day: [dayMs: number, count: number][];
    collected_through: Date | null;
  }>`
    with hour as materialized (
      select window_start, status from settlements
       where window_start >= least(${since}::timestamptz, ${period.start}::timestamptz) and window_start < ${period.end}
    )
    select coalesce(array_agg(window_start order by window_start) filter (where status = 'open'), '{}') as open_hours,
           (count(*) filter (where status = 'settled' and window_start >= ${period.start}))::int as settled_hour_count,
           (select coalesce(json_agg(json_build_array(extract(epoch from day) * 1000, count)), '[]')
              from (select date_trunc('day', window_start, 'UTC') as day, count(*) as count
                      from hour where status = 'settled' group by 1) as days) as settled_by_day,
           (select min(position) from watermarks where ${IS_COLLECTION}) as collected_through
      from hour`.execute(database);
  const row = result.rows[0];
  return {
    openHours: row?.open_hours ?? [],
    settledHourCount: row?.settled_hour_count ?? 0,
    settledByDay: new Map(row?.settled_by_day ?? []),
    collectedThrough: row?.collected_through ?? null,
  };
}

/** Days before today whose open hours may hold back what counts as known, beyond the eight weeks of history. */
const OPEN_DAYS_BACK = 90;

/** How far the days of a period are known, as a projection of it needs. */
export interface KnownDays {
  hours: PreviewHours;
  /** First millisecond of the UTC days that have open hours. */
  openDays: ReadonlySet<number>;
  /** Midnight UTC: days from it on are not known, or not wholly. */
  knownThrough: Date;
  /** How many milliseconds of days from then on are known. */
  knownMs: ReadonlyMap<number, number>;
  historyStart: Date;
}

export async function readKnownDays(
  database: LedgerDatabase,
  period: TimeWindow,
  now: Date,
): Promise<KnownDays> {
  const hours = await readPreviewHours(database, { since: addMs(now, -OPEN_DAYS_BACK * DAY_MS), period });
  const collectedThrough = hours.collectedThrough ?? now;
  const readThrough = collectedThrough < now ? collectedThrough : now;
  const openByDay = Map.groupBy(hours.openHours, dayOf);
  const openDays = new Set(openByDay.keys());
  const knownThrough = knownThroughDay(readThrough, openDays);
  const hoursOf = (day: number) => ({
    settled: hours.settledByDay.get(day) ?? 0,
    open: openByDay.get(day)?.length ?? 0,
  });
  const knownMs = knownOfDays(knownThrough, readThrough, hoursOf);
  const historyStart = projectionHistoryStart(knownThrough, period.start);
  return { hours, openDays, knownThrough, knownMs, historyStart };
}

function dayOf(instant: Date): number {
  return Math.floor(instant.getTime() / DAY_MS) * DAY_MS;
}
