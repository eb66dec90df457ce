import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { IS_COLLECTION, rescanWatermarkOf } from '../usage/collection/watermarks.ts';

/** The last night for which each source was rescanned. */
export async function readRescannedThrough(
  database: LedgerDatabase,
): Promise<{ source: string; position: Date }[]> {
  const rows = await database
    .selectFrom('watermarks')
    .select(['source', 'position'])
    .where(sql<boolean>`not ${IS_COLLECTION}`)
    .orderBy('source')
    .execute();
  const prefix = rescanWatermarkOf('');
  return rows.map(({ source, position }) => ({ source: source.slice(prefix.length), position }));
}

/** Pushes that hold usage of two periods, because their meter keeps one value an hour. */
export async function countUndividedPushes(database: LedgerDatabase): Promise<bigint> {
  const row = await database
    .selectFrom('meter_pushes')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('is_undivided', '=', true)
    .where('status', '<>', 'withdrawn')
    .executeTakeFirstOrThrow();
  return row.count;
}
