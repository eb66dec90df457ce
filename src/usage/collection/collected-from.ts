import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { IS_COLLECTION } from './watermarks.ts';

/**
 * Since when usage is collected without a gap: where collection began, or earlier, where a backfill or a rescan reaches up to
 * there. Null: nothing was collected yet.
 */
export async function readCollectedFrom(database: LedgerDatabase): Promise<Date | null> {
  const { rows } = await sql<{ begun_from: Date | null }>`
    select min(case when filled.reached_until >= begun.begun_from then least(filled.begun_from, begun.begun_from)
      else begun.begun_from end) as begun_from
    from collection_chains begun
    left join collection_chains filled on filled.source = begun.source and filled.cursor_kind = 'event'
    where begun.cursor_kind = 'ingestion' and begun.source in (select source from watermarks where ${IS_COLLECTION})`.execute(
    database,
  );
  return rows[0]?.begun_from ?? null;
}
