import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/**
 * How far the catalog has caught up. `whole_listing`: when the last complete listing of Stripe's catalog began.
 * `event_list`: up to when Stripe's own list of events was read.
 */
export type CatalogProgress = 'whole_listing' | 'event_list';

/** Null: never. */
export async function readCatalogProgress(
  database: LedgerDatabase,
  name: CatalogProgress,
): Promise<{ position: Date; updatedAt: Date } | null> {
  const row = await database
    .selectFrom('catalog_progress')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst();
  return row === undefined ? null : { position: row.position, updatedAt: row.updated_at };
}

/** Moves on, never back: of two that ran at a time, the one that began later knows more. */
export async function moveCatalogProgress(
  database: LedgerDatabase | LedgerTransaction,
  name: CatalogProgress,
  progress: { position: Date; now: Date },
): Promise<void> {
  await sql`
    insert into catalog_progress as known (name, position, updated_at) values (${name}, ${progress.position}, ${progress.now})
    on conflict (name) do update set position = greatest(known.position, excluded.position), updated_at = excluded.updated_at`.execute(
    database,
  );
}
