import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';

/** Tables that are partitioned by the day of the event. */
export type ItemTable = 'source_items' | 'control_items';

/** Days further from today than this share the default partition. */
const PARTITIONED_DAYS = 400;
const DAY_MS = 86_400_000;

const knownPartitions = new WeakMap<LedgerDatabase, Map<ItemTable, Set<string>>>();

export function partitionName(table: ItemTable, day: string): string {
  return `${table}_${day.replaceAll('-', '')}`;
}

/** Makers of a table's partitions and who drops its days wait for each other, until the end of the transaction. */
export async function lockPartitionMaking(transaction: LedgerTransaction, table: ItemTable): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext(${`${table} partitions`}))`.execute(transaction);
}

/**
 * Makes the day partitions that are missing. Days far from today share the default partition, and so do days that
 * were dropped: what still comes for them is little, and must find the same place from every process. What lies in
 * the default partition of a day that was far from today, or looked so to a wrong clock, moves into its own.
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
    await database.transaction().execute(async (transaction) => {
      // One maker at a time: two collectors would otherwise both find the partition missing.
      await lockPartitionMaking(transaction, table);
      if (!(await isPartitionMissing(transaction, table, day))) return;
      await makePartition(transaction, table, day);
    });
    known.add(day);
  }
}

async function isPartitionMissing(
  transaction: LedgerTransaction,
  table: ItemTable,
  day: string,
): Promise<boolean> {
  const found = await sql<{ is_missing: boolean }>`
    select to_regclass(${partitionName(table, day)}) is null
      and not exists (select 1 from dropped_item_days where event_day = ${day}::date) as is_missing`.execute(
    transaction,
  );
  return found.rows[0]?.is_missing === true;
}

/**
 * The rows move before the partition joins the table: Postgres lets no partition join whose rows the default one holds.
 * All in one transaction. A writer that was on its way to the default partition is refused by Postgres, and comes again.
 */
async function makePartition(transaction: LedgerTransaction, table: ItemTable, day: string): Promise<void> {
  const [parent, name, rest] = [sql.id(table), sql.id(partitionName(table, day)), sql.id(`${table}_default`)];
  // Joining takes these locks as well; taken first and in this order, no row comes to the default partition behind
  // our back, and nobody who drops a partition waits for us while we wait for him.
  await sql`lock table only ${parent} in share update exclusive mode`.execute(transaction);
  await sql`lock table ${rest} in access exclusive mode`.execute(transaction);
  await sql`create table ${name} (like ${parent} including all)`.execute(transaction);
  await sql`
    with moved as (delete from ${rest} where event_day = ${day}::date returning *)
    insert into ${name} select * from moved`.execute(transaction);
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
  await sql`alter table ${parent} attach partition ${name}
            for values from (${sql.lit(day)}) to (${sql.lit(next)})`.execute(transaction);
}
