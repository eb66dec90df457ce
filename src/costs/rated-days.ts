import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { daysOf } from './notes.ts';

/** A day whose costs are kept. */
export interface RatedDay {
  /** UTC, `YYYY-MM-DD`. */
  day: string;
  /** How often it was rated: another number, other rows. */
  revision: bigint;
  priceBookVersion: string;
  ratedAt: Date;
}

/** The days that have costs, the oldest first. @param window whole UTC days; null: all */
export async function readRatedDays(
  database: LedgerDatabase,
  window: TimeWindow | null,
): Promise<RatedDay[]> {
  const result = await sql<RatedDay>`
    select day::text as day, revision, price_book_version as "priceBookVersion", rated_at as "ratedAt"
    from cost_days where revision > 0 and ${window === null ? sql`true` : daysOf(window)} order by day`.execute(
    database,
  );
  return result.rows;
}
