import { type RawBuilder, sql } from 'kysely';
import type { UsedPart } from '../../pricing/budgets/amounts.ts';
import type { BudgetHolder } from '../../pricing/budgets/standing.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { Budget } from './budgets.ts';

/** Parts by UTC day (its first millisecond). */
export type DailyParts = Map<number, UsedPart[]>;

/**
 * What a holder used each day: of days that the budget's own hours have, from these, so that nothing waits to be settled; of days
 * before, from rated days.
 */
export async function readDailyParts(
  database: LedgerDatabase | LedgerTransaction,
  budget: Budget,
  holder: BudgetHolder,
  { from, ownFrom, until }: { from: Date; ownFrom: Date; until: Date },
): Promise<DailyParts> {
  const days: DailyParts = new Map();
  const add = (day: string, part: UsedPart) => {
    const key = Date.parse(day);
    days.set(key, [...(days.get(key) ?? []), part]);
  };
  const own = await sql<{ day: string; currency: string | null; amount: string }>`
    select (hour.window_start at time zone 'UTC')::date::text as day, revenue.currency,
      coalesce(sum(case when payer_id = '' then amount else amount * unit_pico_minor end), 0)::text as amount
    from budget_hours as hour
    left join monthly_revenues as revenue on payer_id <> '' and revenue.customer_id = payer_id
      and revenue.month = date_trunc('month', hour.window_start at time zone 'UTC')::date and revenue.model = hour.model
      and revenue.feature = hour.feature and revenue.token_type = hour.token_type
    where hour.budget_id = ${budget.budgetId} and hour.customer_id = ${holder.customerId} and hour.subject = ${holder.subject}
      and hour.window_start >= ${ownFrom} and hour.window_start < ${until}
    group by 1, 2`.execute(database);
  for (const row of own.rows) add(row.day, { currency: row.currency, amount: BigInt(row.amount) });
  if (from >= ownFrom) return days;
  const [first, last] = [from, ownFrom].map((at) => at.toISOString().slice(0, 10));
  const rated = await sql<{ day: string; currency: string | null; amount: string }>`
    with told as (${ratedRows(budget, holder, sql`day >= ${first}::date and day < ${last}::date`)})
    select day::text, currency, coalesce(sum(amount), 0)::text as amount from told group by 1, 2`.execute(
    database,
  );
  for (const row of rated.rows) add(row.day, { currency: row.currency, amount: BigInt(row.amount) });
  return days;
}

function ratedRows(
  { scope, customerId, feature, subject, perUser, measure }: Budget,
  holder: BudgetHolder,
  within: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const user = perUser ? holder.subject : subject;
  const owner = perUser ? holder.customerId : customerId;
  const where = sql`${within}
    and ${owner === null ? sql`true` : sql`daily.customer_id = ${owner}`}
    and ${scope === 'feature' ? sql`daily.feature = ${feature}` : sql`true`}
    and ${user === null ? sql`true` : sql`daily.subject = ${user}`}`;
  const isOfUser = user !== null;
  const table = isOfUser ? sql`daily_users` : sql`daily_costs`;
  const counted = isOfUser ? sql`true` : sql`daily.kind <> 'idle'`;
  if (measure !== 'revenue') {
    const column = { cost: 'cost_pico_usd', tokens: 'token_count', calls: 'request_count' }[measure];
    return sql`select day, null::text as currency, ${sql.ref(`daily.${column}`)} as amount from ${table} as daily
      where ${counted} and ${where}`;
  }
  const kinds = isOfUser
    ? sql`daily_users as daily cross join lateral unnest(token_types, token_counts) as part(token_type, tokens)`
    : sql`daily_costs as daily cross join lateral (select daily.token_type, daily.token_count as tokens) as part`;
  return sql`
    select day, revenue.currency, part.tokens * unit_pico_minor as amount
    from ${kinds}
    join monthly_revenues as revenue on revenue.customer_id = daily.customer_id
      and revenue.month = date_trunc('month', day::timestamp)::date and revenue.model = daily.model
      and revenue.feature = daily.feature and revenue.token_type = part.token_type
    where ${counted} and ${where}`;
}

/** Days (first millisecond) of a span that are not wholly settled and rated: they stand for no other. */
export async function readOpenDays(
  database: LedgerDatabase | LedgerTransaction,
  from: Date,
  until: Date,
): Promise<Set<number>> {
  const result = await sql<{ day: string }>`
    select distinct (window_start at time zone 'UTC')::date::text as day from settlements
    where status = 'open' and window_start >= ${from} and window_start < ${until}
    union select day::text from cost_days_due where day >= ${from.toISOString().slice(0, 10)}::date
      and day < ${until.toISOString().slice(0, 10)}::date`.execute(database);
  return new Set(result.rows.map(({ day }) => Date.parse(day)));
}
