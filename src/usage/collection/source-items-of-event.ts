import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readStoredItem, type SourceItem, type StoredItem, storedItemColumns } from './source-items.ts';

/**
 * The source items that a usage event was made from. Looks through every day, because nothing that the event's own row
 * says can be believed when this is asked; that is rare enough to need no index.
 */
export async function readItemsOfEvent(
  database: LedgerDatabase,
  usageEventId: string,
): Promise<SourceItem[]> {
  const found = await sql<StoredItem>`
    select ${storedItemColumns('s')} from source_items s where usage_event_id = ${usageEventId}`.execute(
    database,
  );
  return found.rows.map((row) => readStoredItem(row, usageEventId));
}
