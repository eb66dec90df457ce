import { sql } from 'kysely';
import { RULES } from '../../pricing/anomalies/rules.ts';
import { addMs, DAY_MS, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** A day whose hours changed again is not judged again at once: late rows come in many small parts. */
const JUDGED_AGAIN_MS = HOUR_MS;

export const startOfDay = (day: string): Date => new Date(`${day}T00:00:00Z`);
/** The day so many days before; after, where the count is negative. */
export const dayBefore = (day: string, dayCount: number): string =>
  addMs(startOfDay(day), -dayCount * DAY_MS)
    .toISOString()
    .slice(0, 10);

/**
 * The newest day that is over and whose usage is there, where it was not judged yet, or where its hours were summed again since.
 * Null: nothing is due.
 */
export async function readDueDay(
  database: LedgerDatabase,
  now: Date,
): Promise<{ day: string; summedAt: Date } | null> {
  const result = await sql<{ day: string; summed_at: Date }>`
    with newest as (
      select ((max(window_start) - ${`${RULES.lateHours} hours`}::interval) at time zone 'UTC')::date - 1 as day
      from anomaly_summed_hours),
    whole as (
      select day, max(summed_at) as summed_at from newest join anomaly_summed_hours
        on window_start >= day::timestamp at time zone 'UTC' and window_start < (day + 1)::timestamp at time zone 'UTC'
      group by 1)
    select day::text, whole.summed_at from whole left join anomaly_judged_days as judged using (day)
    where judged.day is null
      or (judged.summed_at <> whole.summed_at and judged.judged_at <= ${addMs(now, -JUDGED_AGAIN_MS)})`.execute(
    database,
  );
  const [row] = result.rows;
  return row === undefined ? null : { day: row.day, summedAt: row.summed_at };
}
