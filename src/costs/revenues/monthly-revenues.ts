import { sql } from 'kysely';
import type { LedgerTransaction } from '../../platform/database/database.ts';

/** The first day of a day's calendar month. */
const MONTH_OF_DAY = sql<string>`date_trunc('month', day::timestamp)::date`;
const KIND = sql.raw('customer_id, month, model, feature, token_type');

/** Others may rate another day of the month, or the month itself; to be called before a day's costs are replaced. */
export async function lockMonthlyRevenues(transaction: LedgerTransaction): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('monthly_revenues'))`.execute(transaction);
}

/** Removes a day's costs, and its tokens from the sums of their month. */
export async function takeDayAway(transaction: LedgerTransaction, day: string): Promise<void> {
  await sql`
    with gone as (delete from daily_costs where day = ${day}
      returning customer_id, day, model, feature, token_type, token_count)
    update monthly_revenues as known set token_count = known.token_count - former.token_count,
      last_day = nullif(known.last_day, ${day}::date)
    from (select customer_id, ${MONTH_OF_DAY} as month, model, feature, token_type, sum(token_count)::bigint as token_count
          from gone where customer_id is not null and token_type is not null group by 1, 2, 3, 4, 5) as former
    where (known.customer_id, known.month, known.model, known.feature, known.token_type)
      = (former.customer_id, former.month, former.model, former.feature, former.token_type)`.execute(
    transaction,
  );
}

/** Adds a day's tokens to the sums of their month. */
export async function addDay(transaction: LedgerTransaction, day: string): Promise<void> {
  await sql`
    insert into monthly_revenues as known (${KIND}, token_count, last_day)
    select customer_id, ${MONTH_OF_DAY}, model, feature, token_type, sum(token_count)::bigint, ${day}::date
    from daily_costs where day = ${day} and customer_id is not null and token_type is not null
    group by 1, 2, 3, 4, 5
    on conflict (${KIND}) do update set token_count = known.token_count + excluded.token_count,
      last_day = greatest(known.last_day, excluded.last_day)`.execute(transaction);
}
