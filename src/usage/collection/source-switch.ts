import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/** Sources other than `source` that this ledger was billed from, by name; other watermarks have a prefix. */
export async function findOtherSources(database: LedgerDatabase, source: string): Promise<string[]> {
  const found = await database
    .selectFrom('watermarks')
    .select('source')
    .where('source', '<>', source)
    .where('source', 'not like', '%:%')
    .orderBy('source')
    .execute();
  return found.map((row) => row.source);
}

/** The last event time, at `since` or later, of usage that another source than `source` told; null for none. */
export async function findLastUsageOfOthers(
  database: LedgerDatabase,
  query: { source: string; since: Date },
): Promise<Date | null> {
  const found = await sql<{ last: Date | null }>`
    select max(s.event_time) as last from source_items s
    join collection_windows w on w.collection_window_id = s.collection_window_id
    where s.event_day >= (${query.since}::timestamptz at time zone 'UTC')::date
      and s.event_time >= ${query.since} and w.source <> ${query.source}`.execute(database);
  return found.rows[0]?.last ?? null;
}
