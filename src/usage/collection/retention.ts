import { type RawBuilder, sql } from 'kysely';
import { FIGURES, TYPED_FIGURES } from '../../../pricing/usage/shape.ts';
import { windowOfDay } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { IS_COUNTED_ITEM, keyColumns, sumItemTokens, typedColumns } from '../columns.ts';
import { isItemCountedFormerly } from '../events/counted-formerly.ts';
import { countedKeyColumns, countedKeyValues } from '../name-keys.ts';
import { type ItemTable, lockPartitionMaking, partitionName } from './partitions.ts';

/** How long the collectors may be kept waiting for a partition to go. */
const LOCK_TIMEOUT = '2s';
/** Postgres' codes of a lock that did not come in time, and of two that wait for each other. */
const BUSY_CODES = new Set(['55P03', '40P01']);

/** Days before `before` with items that could go, oldest first: those of partitions, and of the default one. */
export async function findOldItemDays(database: LedgerDatabase, before: string): Promise<string[]> {
  const rows = await sql<{ day: string }>`
    select to_char(day, 'YYYY-MM-DD') as day from (
      select to_date(right(c.relname, 8), 'YYYYMMDD') as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('source_items'::regclass, 'control_items'::regclass) and c.relname ~ '_items_[0-9]{8}$'
          -- A partition with nothing but quarantine in it has been dealt with.
          and not exists (select 1 from dropped_item_days d where d.event_day = to_date(right(c.relname, 8), 'YYYYMMDD'))
      union select event_day from source_items_default where usage_event_id is not null
      union select event_day from control_items_default) days
    where day < ${before}::date order by day`.execute(database);
  return rows.rows.map((row) => row.day);
}

export type DropResult =
  | { dropped: true; itemCount: number; controlItemCount: number }
  /** `pending`: not everything of the day is billed and final; `busy`: somebody is writing to it. */
  | { dropped: false; reason: 'pending' | 'busy' };

/**
 * Drops the single items of one day, in one transaction with what they add up to, if everything of that day has
 * reached an invoice that is final. Items in quarantine stay where they are, however old.
 */
export async function dropItemDay(database: LedgerDatabase, day: string, now: Date): Promise<DropResult> {
  try {
    return await database.transaction().execute(async (transaction) => {
      await sql.raw(`set local lock_timeout = '${LOCK_TIMEOUT}'`).execute(transaction);
      const partitions = await lockPartitions(transaction, day);
      if (await isPending(transaction, day)) return { dropped: false, reason: 'pending' } as const;
      const sums = await keepSums(transaction, day, now);
      await removeSourceItems(transaction, day, partitions.includes('source_items'));
      const controlItemCount = await removeControlItems(
        transaction,
        day,
        partitions.includes('control_items'),
      );
      return { dropped: true, itemCount: sums, controlItemCount };
    });
  } catch (error) {
    if (BUSY_CODES.has(String((error as { code?: unknown }).code))) return { dropped: false, reason: 'busy' };
    throw error;
  }
}

/**
 * Keeps writers out of where the day's items lie, its partitions or the default one, until the end of the transaction:
 * what is deleted must be what was summed.
 * @returns which tables have a partition of the day
 */
async function lockPartitions(transaction: LedgerTransaction, day: string): Promise<ItemTable[]> {
  const found: ItemTable[] = [];
  for (const table of ['source_items', 'control_items'] as const) {
    // While we look and after, nobody moves the day out of the default partition.
    await lockPartitionMaking(transaction, table);
    const name = partitionName(table, day);
    const exists = await sql<{
      present: boolean;
    }>`select to_regclass(${name}) is not null as present`.execute(transaction);
    const isPartitioned = exists.rows[0]?.present === true;
    await sql`lock table ${sql.id(isPartitioned ? name : `${table}_default`)} in share mode`.execute(
      transaction,
    );
    if (isPartitioned) found.push(table);
  }
  return found;
}

/** Whether anything of the day is still on its way, in doubt, or on an invoice that may change. */
async function isPending(transaction: LedgerTransaction, day: string): Promise<boolean> {
  const inDay = (column: string): RawBuilder<boolean> =>
    sql`${sql.ref(column)} >= ${day}::date::timestamp at time zone 'UTC'
      and ${sql.ref(column)} < (${day}::date + 1)::timestamp at time zone 'UTC'`;
  const result = await sql<{ pending: boolean }>`select
    exists (select 1 from usage_events e where ${inDay('e.window_start')}
      and e.status <> 'confirmed' and e.written_off_at is null)
    or exists (select 1 from settlements s where ${inDay('s.window_start')} and s.status <> 'settled')
    or exists (select 1 from hourly_usage h where ${inDay('h.window_start')}
      and h.meter_push_id is null and h.written_off_at is null
      and not exists (select 1 from late_items l where l.late_item_id = h.late_item_id and l.state = 'invoiced')
      and not exists (select 1 from credit_proposals c where c.credit_proposal_id = h.credit_proposal_id
        and c.state in ('created', 'rejected')))
    or exists (select 1 from drifts d where ${inDay('d.window_start')} and d.resolved_at is null)
    or exists (select 1 from billing_drifts b where ${inDay('b.window_start')} and b.resolved_at is null)
    or exists (select 1 from rescans r where r.status in ('queued', 'running')
      and r.window_start < (${day}::date + 1)::timestamp at time zone 'UTC'
      and r.window_end > ${day}::date::timestamp at time zone 'UTC')
    or exists (select 1 from meter_pushes p where ${inDay('p.window_start')} and p.written_off_at is null
      and (p.status in ('pending', 'refused')
        or (p.status = 'delivered' and (
          exists (select 1 from subscription_items i where i.customer_id = p.customer_id
            and i.stripe_meter_id = p.stripe_meter_id and i.active and p.event_timestamp >= i.current_period_start)
          or exists (select 1 from invoices v where v.customer_id = p.customer_id and v.status = 'draft'
            and p.event_timestamp >= v.period_start and p.event_timestamp < v.period_end))))) as pending`.execute(
    transaction,
  );
  return result.rows[0]?.pending === true;
}

/** Adds the sums that could not be inserted to those there are, as `known` and `excluded`. */
export const ADDED_TOKENS = sql.raw(
  TYPED_FIGURES.map((name) => FIGURES[name].column)
    .map((column) => `${column} = known.${column} + excluded.${column}`)
    .join(', '),
);

/** Adds the day's items to its sums. @returns how many there were */
async function keepSums(transaction: LedgerTransaction, day: string, now: Date): Promise<number> {
  await sql`
    insert into dropped_item_sums as known (window_start, ${keyColumns()}, counted_formerly, ${typedColumns()}, first_ingested_at)
    select date_trunc('hour', event_time, 'UTC') as hour, ${countedKeyColumns()}, ${isItemCountedFormerly('source_items', windowOfDay(day))} as is_formerly,
      ${sumItemTokens()}, min(ingested_at)
    from source_items where event_day = ${day}::date and usage_event_id is not null
    group by hour, ${countedKeyValues()}, is_formerly order by hour, ${countedKeyValues()}, is_formerly
    on conflict (window_start, ${keyColumns()}, counted_formerly) do update
      set ${ADDED_TOKENS},
          first_ingested_at = least(known.first_ingested_at, excluded.first_ingested_at)`.execute(
    transaction,
  );
  const kept = await sql<{ item_count: bigint }>`
    insert into dropped_item_days as known (event_day, item_count, token_count, dropped_at)
    select ${day}::date, count(*), coalesce(sum(token_count) filter (where ${IS_COUNTED_ITEM}), 0), ${now}
    from source_items where event_day = ${day}::date and usage_event_id is not null
    on conflict (event_day) do update set item_count = known.item_count + excluded.item_count,
      token_count = known.token_count + excluded.token_count, dropped_at = excluded.dropped_at
    returning (select count(*) from source_items where event_day = ${day}::date and usage_event_id is not null) as item_count`.execute(
    transaction,
  );
  return Number(kept.rows[0]?.item_count ?? 0n);
}

/** The whole partition where nothing of it waits in quarantine; else all but that. */
async function removeSourceItems(
  transaction: LedgerTransaction,
  day: string,
  isPartitioned: boolean,
): Promise<void> {
  if (isPartitioned) {
    const name = sql.id(partitionName('source_items', day));
    const waiting = await sql`select 1 from ${name} where quarantine_reason is not null limit 1`.execute(
      transaction,
    );
    if (waiting.rows.length === 0) {
      await sql`drop table ${name}`.execute(transaction);
      return;
    }
  }
  await sql`delete from source_items where event_day = ${day}::date and usage_event_id is not null`.execute(
    transaction,
  );
}

async function removeControlItems(
  transaction: LedgerTransaction,
  day: string,
  isPartitioned: boolean,
): Promise<number> {
  if (!isPartitioned) {
    const deleted = await sql`delete from control_items where event_day = ${day}::date`.execute(transaction);
    return Number(deleted.numAffectedRows ?? 0n);
  }
  const name = sql.id(partitionName('control_items', day));
  const counted = await sql<{ count: bigint }>`select count(*) as count from ${name}`.execute(transaction);
  await sql`drop table ${name}`.execute(transaction);
  return Number(counted.rows[0]?.count ?? 0n);
}

/** Which of these days have lost their single items: nobody can tell any more whether a row of them is known. */
export async function findDroppedDays(
  database: LedgerDatabase,
  days: readonly string[],
): Promise<Set<string>> {
  if (days.length === 0) return new Set();
  const rows = await sql<{ day: string }>`
    select to_char(event_day, 'YYYY-MM-DD') as day from dropped_item_days
    where event_day = any(${days}::date[])`.execute(database);
  return new Set(rows.rows.map((row) => row.day));
}
