import { type RawBuilder, sql } from 'kysely';
import type { LedgerTransaction } from '../../platform/database/database.ts';

/** Others may rate another day of the month, or the month itself; to be called before a day's costs are replaced. */
export async function lockMonthlyRevenues(transaction: LedgerTransaction): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('monthly_revenues'))`.execute(transaction);
}

/**
 * Part of the statement that writes a day, after `gone`, its former costs, and `costs`, its new ones: what differs moves the
 * sums of its month, whose revenue is then noted as due.
 */
export function moveMonth(day: string): RawBuilder<unknown> {
  return sql`
    moved as (
      select customer_id, model, feature, token_type, sum(token_count)::bigint as token_count,
        case when bool_or(is_new) then ${day}::date end as last_day
      from (select customer_id, model, feature, token_type, -token_count as token_count, false as is_new from gone
            union all select customer_id, model, feature, token_type, token_count, true from costs) as rows
      where customer_id is not null and token_type is not null group by 1, 2, 3, 4),
    changed as (
      insert into monthly_revenues as known (customer_id, month, model, feature, token_type, token_count, last_day)
      select customer_id, date_trunc('month', ${day}::timestamp)::date, model, feature, token_type, token_count, last_day
      from moved where true
      on conflict (customer_id, month, model, feature, token_type) do update
        set token_count = known.token_count + excluded.token_count,
          last_day = case when excluded.last_day is null then nullif(known.last_day, ${day}::date)
            else greatest(known.last_day, excluded.last_day) end
        where excluded.token_count <> 0
          or case when excluded.last_day is null then known.last_day = ${day}::date
            else known.last_day is null or known.last_day < excluded.last_day end
      returning customer_id, month),
    noted as (
      insert into monthly_revenues_due (customer_id, month) select distinct customer_id, month from changed
      on conflict do nothing)`;
}
