import { sql } from 'kysely';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';

/** What some work made Postgres do with tables and indexes of ours. */
export interface Touched {
  /** Blocks of 8 kB, found in memory or not; trees deepen as tables grow. */
  blockCount: number;
  /** Rows read, written and removed. */
  rowCount: number;
  milliseconds: number;
}

/**
 * Runs something and counts what it touched, by Postgres' own statistics: on another machine, and beside other work, they are the
 * same. Nothing else may use the database meanwhile.
 */
export async function countTouched(database: LedgerDatabase, work: () => Promise<void>): Promise<Touched> {
  const before = await readCounts(database);
  const startedMs = performance.now();
  await work();
  const milliseconds = performance.now() - startedMs;
  const after = await readCounts(database);
  return {
    blockCount: after.blocks - before.blocks,
    rowCount: after.rows - before.rows,
    milliseconds,
  };
}

async function readCounts(database: LedgerDatabase): Promise<{ blocks: number; rows: number }> {
  await sql`select pg_stat_force_next_flush()`.execute(database);
  const result = await sql<{ blocks: number; rows: number }>`
    select (select sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0)
        + coalesce(toast_blks_hit, 0) + coalesce(toast_blks_read, 0)) from pg_statio_user_tables)::float8 as blocks,
      (select sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del)
       from pg_stat_user_tables)::float8 as rows`.execute(database);
  return result.rows[0] ?? { blocks: 0, rows: 0 };
}
