import { sql } from 'kysely';
import type { CloseChain } from '../../pricing/closing/collection.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/**
 * Of each chain the part that can hold usage from an instant on, for many instants in one statement. Each is found by its
 * first window and the chain's head alone, so that neither the period's length nor the history counts.
 * @returns by the instant in milliseconds, in the order of source and cursor
 */
export async function readCloseChains(
  database: LedgerDatabase,
  periodStarts: readonly Date[],
): Promise<Map<number, CloseChain[]>> {
  const asked = [...new Set(periodStarts.map((start) => start.getTime()))];
  const rows = await sql<
    Record<'firstPosition' | 'lastPosition' | 'rowCount' | 'newRowCount', bigint> & {
      asked: Date;
      source: string;
      by: 'ingestion' | 'event';
      firstDigest: string;
      lastDigest: string;
      from: Date;
      to: Date;
    }
  >`
    select asked.start as asked, chain.source, chain.cursor_kind as by, first.chain_position as "firstPosition",
      chain.window_count as "lastPosition", chain.row_count - first.total_row_count + first.row_count as "rowCount",
      chain.new_row_count - first.total_new_row_count + first.new_row_count as "newRowCount",
      encode(first.digest, 'hex') as "firstDigest", encode(chain.digest, 'hex') as "lastDigest",
      first.window_start as from, chain.reached_until as to
    from unnest(${asked.map((at) => new Date(at).toISOString())}::timestamptz[]) as asked(start)
    cross join collection_chains chain
    cross join lateral (
      select * from collection_windows w
      where w.source = chain.source and w.cursor_kind = chain.cursor_kind and w.reached_until > asked.start
      order by w.source, w.cursor_kind, w.reached_until, w.chain_position limit 1) as first
    order by asked.start, chain.source, chain.cursor_kind`.execute(database);
  const chains = new Map<number, CloseChain[]>(asked.map((at) => [at, []]));
  for (const { asked: at, source, by, firstDigest, lastDigest, from, to, ...row } of rows.rows) {
    chains.get(at.getTime())?.push({
      source,
      by,
      windowCount: String(row.lastPosition - row.firstPosition + 1n),
      rowCount: String(row.rowCount),
      newRowCount: String(row.newRowCount),
      firstPosition: String(row.firstPosition),
      lastPosition: String(row.lastPosition),
      firstDigest,
      lastDigest,
      from: from.toISOString(),
      to: to.toISOString(),
    });
  }
  return chains;
}
