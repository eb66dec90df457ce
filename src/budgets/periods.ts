import { sql } from 'kysely';
import { type BudgetWindow, windowAt } from '../../pricing/budgets/windows.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { Budget } from './budgets.ts';

/**
 * The billing period of each customer that holds an instant, or the one that begins where the last known one ended: news of it may
 * still be on their way, and it is taken to be as long.
 */
export async function readBillingPeriods(
  database: LedgerDatabase | LedgerTransaction,
  customerIds: readonly string[],
  now: Date,
): Promise<Map<string, BudgetWindow>> {
  if (customerIds.length === 0) return new Map();
  const result = await sql<{ customer_id: string; starts_at: Date; ends_at: Date }>`
    select distinct on (customer_id) customer_id, current_period_start as starts_at, current_period_end as ends_at
    from subscription_items
    where customer_id = any(${[...customerIds]}::text[]) and active and current_period_start <= ${now}
      and current_period_end > current_period_start
    order by customer_id, current_period_end > ${now} desc, current_period_end desc, current_period_start, subscription_item_id`.execute(
    database,
  );
  return new Map(result.rows.map((row) => [row.customer_id, holding(row.starts_at, row.ends_at, now)]));
}

function holding(start: Date, end: Date, now: Date): BudgetWindow {
  const length = end.getTime() - start.getTime();
  const passed = Math.max(0, Math.floor((now.getTime() - start.getTime()) / length));
  const move = (instant: Date) => new Date(instant.getTime() + passed * length);
  return { start: move(start), end: move(end) };
}

/** The window of each budget that holds an instant; none for one whose customer has no billing period. */
export async function readWindows(
  database: LedgerDatabase | LedgerTransaction,
  budgets: readonly Budget[],
  now: Date,
): Promise<Map<string, BudgetWindow>> {
  const billed = budgets.flatMap(({ period, customerId }) =>
    period === 'billing_period' && customerId !== null ? [customerId] : [],
  );
  const periods = await readBillingPeriods(database, billed, now);
  return new Map(
    budgets.flatMap((budget) => {
      const window = windowAt(budget, now, periods.get(budget.customerId ?? '') ?? null);
      return window === null ? [] : [[budget.budgetId, window] as const];
    }),
  );
}
