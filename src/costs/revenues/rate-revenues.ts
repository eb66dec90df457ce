import { sql } from 'kysely';
import { allotLine, averageRevenue } from '../../../pricing/rating/allot-revenue.ts';
import { rateUsage } from '../../../pricing/rating/rate-usage.ts';
import type { SellRate } from '../../../pricing/rating/sell-rates.ts';
import type { TokenType } from '../../../pricing/usage/shape.ts';
import { CustomerRateReader } from '../../plans/customer-rates.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { fieldOf, type RowFields, textField, unnestRows } from '../../platform/database/unnest-rows.ts';
import { lockMonthlyRevenues } from './monthly-revenues.ts';

/** Months of customers that are rated in one transaction. */
const BATCH_SIZE = 200;

interface MonthUsage {
  customerId: string;
  month: string;
  model: string;
  feature: string;
  tokenType: TokenType;
  tokenCount: bigint;
}

interface RatedMonth extends MonthUsage {
  currency: string;
  unitPicoMinor: bigint | null;
  remainderPicoMinor: bigint | null;
}

const RATED_FIELDS: RowFields<RatedMonth> = {
  customer_id: textField((row) => row.customerId),
  month: fieldOf('date', (row) => row.month),
  model: textField((row) => row.model),
  feature: textField((row) => row.feature),
  token_type: textField((row) => row.tokenType),
  currency: textField((row) => row.currency),
  unit_pico_minor: fieldOf('numeric', (row) => row.unitPicoMinor?.toString() ?? null),
  remainder_pico_minor: fieldOf('numeric', (row) => row.remainderPicoMinor?.toString() ?? null),
};

/**
 * Keeps what each month's usage brings what its tokens and today's rates say: months whose tokens changed since, and all
 * months of customers whose rates did. Each batch is a transaction; a run that is killed or repeated ends in the same rows.
 * @returns how many months of customers were rated
 */
export async function rateRevenues(database: LedgerDatabase, signal?: AbortSignal): Promise<number> {
  await spreadCustomerNotes(database);
  let ratedCount = 0;
  for (;;) {
    signal?.throwIfAborted();
    const count = await database.transaction().execute(rateDueMonths);
    ratedCount += count;
    if (count < BATCH_SIZE) return ratedCount;
  }
}

/** How many months of customers wait, and how many customers whose every month does. */
export async function countDueRevenues(database: LedgerDatabase): Promise<bigint> {
  const result = await sql<{ count: bigint }>`
    select (select count(*) from monthly_revenues_due)
      + (select count(*) from revenue_customers_due) as count`.execute(database);
  return result.rows[0]?.count ?? 0n;
}

async function spreadCustomerNotes(database: LedgerDatabase): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await lockMonthlyRevenues(transaction);
    await sql`
      with noted as (delete from revenue_customers_due returning customer_id)
      insert into monthly_revenues_due (customer_id, month)
      select distinct customer_id, month from monthly_revenues join noted using (customer_id)
      on conflict do nothing`.execute(transaction);
  });
}

async function rateDueMonths(transaction: LedgerTransaction): Promise<number> {
  await lockMonthlyRevenues(transaction);
  // Of a small table Postgres would read every month there is; by the key it reads those that are due, however many there are.
  await sql`set local enable_seqscan = off`.execute(transaction);
  await sql`set local enable_hashjoin = off`.execute(transaction);
  await sql`set local enable_mergejoin = off`.execute(transaction);
  const due = await sql<{ customer_id: string; month: string }>`
    with due as (select customer_id, month from monthly_revenues_due order by 1, 2 limit ${BATCH_SIZE})
    delete from monthly_revenues_due using due
    where (monthly_revenues_due.customer_id, monthly_revenues_due.month) = (due.customer_id, due.month)
    returning due.customer_id, due.month::text`.execute(transaction);
  if (due.rows.length === 0) return 0;
  const months = sql`unnest(${due.rows.map((row) => row.customer_id)}::text[], ${due.rows.map((row) => row.month)}::date[])
    as due(customer_id, month)`;
  // Corrections took all of it back.
  await sql`delete from monthly_revenues as revenue using ${months}
    where (revenue.customer_id, revenue.month) = (due.customer_id, due.month) and revenue.token_count = 0`.execute(
    transaction,
  );
  // The day that was last has none of them any more.
  await sql`
    update monthly_revenues as revenue set last_day = coalesce(
      (select max(day) from daily_costs as cost
       where cost.customer_id = revenue.customer_id and cost.day >= revenue.month
         and cost.day < revenue.month + interval '1 month' and cost.model = revenue.model
         and cost.feature = revenue.feature and cost.token_type = revenue.token_type), revenue.month)
    from ${months}
    where (revenue.customer_id, revenue.month) = (due.customer_id, due.month) and revenue.last_day is null`.execute(
    transaction,
  );
  const usage = await sql<MonthUsage>`
    select revenue.customer_id as "customerId", revenue.month::text, model, feature, token_type as "tokenType",
      token_count as "tokenCount"
    from monthly_revenues as revenue join ${months} using (customer_id, month)
    order by 1, 2, 3, 4, 5`.execute(transaction);
  const rates = await new CustomerRateReader().read(transaction, [
    ...new Set(due.rows.map((row) => row.customer_id)),
  ]);
  const rated = [
    ...Map.groupBy(usage.rows, (row) => JSON.stringify([row.customerId, row.month])).values(),
  ].flatMap((month) => {
    const own = rates.get(month[0]?.customerId ?? '');
    return rateMonth(month, own?.currency ?? 'usd', own?.rates ?? []);
  });
  await sql`
    update monthly_revenues as revenue set currency = told.currency, unit_pico_minor = told.unit_pico_minor,
      remainder_pico_minor = told.remainder_pico_minor
    from ${unnestRows('told', rated, RATED_FIELDS)}
    where (revenue.customer_id, revenue.month, revenue.model, revenue.feature, revenue.token_type)
      = (told.customer_id, told.month, told.model, told.feature, told.token_type)
      and (revenue.currency, revenue.unit_pico_minor, revenue.remainder_pico_minor)
        is distinct from (told.currency, told.unit_pico_minor, told.remainder_pico_minor)`.execute(
    transaction,
  );
  return due.rows.length;
}

function rateMonth(usage: readonly MonthUsage[], currency: string, rates: readonly SellRate[]): RatedMonth[] {
  const { lines, unrated } = rateUsage(usage, rates);
  const unknown = { currency, unitPicoMinor: null, remainderPicoMinor: null };
  return [
    ...lines.flatMap((line) =>
      allotLine(line).map(({ usage: kind, amountPicoMinor }) =>
        amountPicoMinor === null
          ? { ...kind, ...unknown }
          : { ...kind, currency, ...averageRevenue(kind.tokenCount, amountPicoMinor) },
      ),
    ),
    ...unrated.map(({ usage: kind }) => ({ ...kind, ...unknown })),
  ];
}
