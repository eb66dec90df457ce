import { sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';

/** Tables that are partitioned by the day of the event. */
export type ItemTable = 'source_items' | 'control_items';

/** Days further from today than this share the default partition. */
const PARTITIONED_DAYS = 400;
const DAY_MS = 86_400_000;

const knownPartitions = new WeakMap<LedgerDatabase, Map<ItemTable, Set<string>>>();

export function partitionName(table: ItemTable, day: string): string {
  return `${table}_${day.replaceAll('-', '')}`;
}

/**
 * Makes the day partitions that are missing. Days far from today share the default partition, and so do days that
 * were dropped: what still comes for them is little, and must find the same place from every process.
 */
export async function ensurePartitions(
  database: LedgerDatabase,
  table: ItemTable,
  days: Iterable<string>,
  now: Date,
): Promise<void> {
  const tables = knownPartitions.get(database) ?? new Map<ItemTable, Set<string>>();
  knownPartitions.set(database, tables);
  const known = tables.get(table) ?? new Set<string>();
  tables.set(table, known);
  for (const day of days) {
    const startMs = Date.parse(`${day}T00:00:00Z`);
    if (known.has(day) || Math.abs(startMs - now.getTime()) > PARTITIONED_DAYS * DAY_MS) continue;
    const next = new Date(startMs + DAY_MS).toISOString().slice(0, 10);
    await database.transaction().execute(async (transaction) => {
      // One maker at a time: two collectors would otherwise both find the partition missing.
      await sql`select pg_advisory_xact_lock(hashtext(${`${table} partitions`}))`.execute(transaction);
      const dropped = await transaction
        .selectFrom('dropped_item_days')
        .select('event_day')
        .where('event_day', '=', day)
        .executeTakeFirst();
      if (dropped !== undefined) return;
      await sql`create table if not exists ${sql.id(partitionName(table, day))} partition of ${sql.id(table)}
                for values from (${sql.lit(day)}) to (${sql.lit(next)})`.execute(transaction);
    });
    known.add(day);
  }
}
