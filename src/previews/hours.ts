import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { IS_COLLECTION } from '../usage/collection/watermarks.ts';

export interface PreviewHours {
  /** Hours with events that are not settled, oldest first, of the whole window. */
  openHours: Date[];
  /** Settled hours of the period. */
  settledHourCount: number;
  /** Up to which ingestion time every source has been collected; null before the first collection. */
  collectedThrough: Date | null;
}

/** How far the hours since `since` are known. An hour in which nobody used anything is in neither count. */
export async function readPreviewHours(
  database: LedgerDatabase,
  read: { since: Date; period: TimeWindow },
): Promise<PreviewHours> {
  const { since, period } = read;
  const result = await sql<{
    open_hours: Date[];
    settled_hour_count: number;
    collected_through: Date | null;
  }>`
    select coalesce(array_agg(window_start order by window_start) filter (where status = 'open'), '{}') as open_hours,
           (count(*) filter (where status = 'settled' and window_start >= ${period.start}))::int as settled_hour_count,
           (select min(position) from watermarks where ${IS_COLLECTION}) as collected_through
      from settlements
     where window_start >= least(${since}::timestamptz, ${period.start}::timestamptz) and window_start < ${period.end}`.execute(
    database,
  );
  const row = result.rows[0];
  return {
    openHours: row?.open_hours ?? [],
    settledHourCount: row?.settled_hour_count ?? 0,
    collectedThrough: row?.collected_through ?? null,
  };
}
