import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/**
 * Drops windows of each chain from its beginning, up to the first one that was collected since an instant, that a close
 * under way rests on, or whose items may still be there. The digest of the last one stays as the checkpoint that the
 * rest is proven from.
 * @returns how many, at most `limit` of each chain
 */
export async function dropOldWindows(
  database: LedgerDatabase,
  { collectedBefore, limit }: { collectedBefore: Date; limit: number },
): Promise<number> {
  const chains = await database.selectFrom('collection_chains').select(['source', 'cursor_kind']).execute();
  let droppedCount = 0;
  for (const { source, cursor_kind } of chains) {
    const dropped = await sql<{ count: bigint }>`
      with bound as (
        select least(${collectedBefore}::timestamptz, (
          -- A day's items were collected on that day or later, but for clocks that are ahead.
          select min(day)::timestamp at time zone 'UTC' - interval '2 days' from (
            select min(to_date(right(c.relname, 8), 'YYYYMMDD')) as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
              where i.inhparent = 'source_items'::regclass and c.relname ~ '_items_[0-9]{8}$'
                and not exists (select 1 from dropped_item_days d where d.event_day = to_date(right(c.relname, 8), 'YYYYMMDD'))
            union all select min(event_day) from source_items_default where usage_event_id is not null) days)) as collected_before,
          (select min(period_start) from closes where ended_at is null) as reached_until),
      oldest as (
        select * from collection_windows where source = ${source} and cursor_kind = ${cursor_kind}
        order by source, cursor_kind, chain_position limit ${limit}),
      kept as (
        select min(chain_position) as position from oldest, bound
        where oldest.collected_at >= bound.collected_before or oldest.reached_until > bound.reached_until),
      gone as (
        select chain_position, digest, reached_until from oldest
        where chain_position < coalesce((select position from kept), chain_position + 1)),
      checkpoint as (
        update collection_chains chain set dropped_count = last.chain_position, dropped_digest = last.digest,
          dropped_until = last.reached_until
        from (select * from gone order by chain_position desc limit 1) last
        where chain.source = ${source} and chain.cursor_kind = ${cursor_kind} and chain.dropped_count < last.chain_position
        returning chain.dropped_count),
      deleted as (
        delete from collection_windows w using checkpoint
        where w.source = ${source} and w.cursor_kind = ${cursor_kind} and w.chain_position <= checkpoint.dropped_count
        returning 1)
      select count(*) as count from deleted`.execute(database);
    droppedCount += Number(dropped.rows[0]?.count ?? 0n);
  }
  return droppedCount;
}
