import { sql } from 'kysely';
import type { UsedPart } from '../../pricing/budgets/amounts.ts';
import type { StandingStep } from '../../pricing/budgets/judge.ts';
import type { BudgetHolder } from '../../pricing/budgets/standing.ts';
import type { BudgetWindow } from '../../pricing/budgets/windows.ts';
import { HOUR_MS } from '../platform/clock.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import {
  fieldOf,
  instantField,
  type RowFields,
  textField,
  unnestRows,
} from '../platform/database/unnest-rows.ts';

/** A holder in a window, to be judged. */
export interface HolderWindow extends BudgetHolder {
  budgetId: string;
  window: BudgetWindow;
}

/** As it was judged the last time. */
interface KnownStanding {
  used: bigint;
  effectiveLimit: bigint;
  forecast: bigint | null;
  forecastReason: string | null;
  judgedAt: Date;
}

/** What the ledger knows of a holder in a window. */
export interface HolderFacts {
  parts: UsedPart[];
  /** The same since `rateSince`. */
  lateParts: UsedPart[];
  unpricedTokenCount: bigint;
  /** Null: it was not judged in this window before. */
  before: KnownStanding | null;
  open: StandingStep[];
}

const PLACED: RowFields<HolderWindow & { place: number }> = {
  place: fieldOf('int', ({ place }) => place),
  budget_id: textField(({ budgetId }) => budgetId),
  customer_id: textField(({ customerId }) => customerId),
  subject: textField(({ subject }) => subject),
  starts_at: instantField(({ window }) => window.start),
  ends_at: instantField(({ window }) => window.end),
};

/**
 * Facts of holders, in their order.
 * @param rateSince from when on usage counts as of late
 */
export async function readHolderFacts(
  transaction: LedgerTransaction,
  holders: readonly HolderWindow[],
  rateSince: Date,
): Promise<HolderFacts[]> {
  const facts = holders.map(
    (): HolderFacts => ({ parts: [], lateParts: [], unpricedTokenCount: 0n, before: null, open: [] }),
  );
  const placed = holders.map((holder, place) => ({ ...holder, place }));
  const asked = unnestRows('holder', placed, PLACED);
  const sums = await sql<{
    place: number;
    currency: string | null;
    amount: string;
    late: string;
    unpriced: string;
  }>`
    select place, revenue.currency,
      coalesce(sum(case when payer_id = '' then amount else amount * unit_pico_minor end), 0)::text as amount,
      coalesce(sum(case when payer_id = '' then amount else amount * unit_pico_minor end)
        filter (where hour.window_start >= ${rateSince}), 0)::text as late,
      coalesce(sum(case when payer_id <> '' and unit_pico_minor is null then amount else unpriced_token_count end), 0)::text
        as unpriced
    from ${asked}
    join budget_hours as hour using (budget_id, customer_id, subject)
    left join monthly_revenues as revenue on payer_id <> '' and revenue.customer_id = payer_id
      and revenue.month = date_trunc('month', hour.window_start at time zone 'UTC')::date and revenue.model = hour.model
      and revenue.feature = hour.feature and revenue.token_type = hour.token_type
    where hour.window_start >= starts_at and hour.window_start < ends_at
    group by 1, 2 order by 1, 2`.execute(transaction);
  for (const { place, currency, amount, late, unpriced } of sums.rows) {
    const fact = facts[place];
    if (fact === undefined) continue;
    fact.parts.push({ currency, amount: BigInt(amount) });
    fact.lateParts.push({ currency, amount: BigInt(late) });
    fact.unpricedTokenCount += BigInt(unpriced);
  }
  const windows = await sql<{
    place: number;
    used: string;
    effective_limit: string;
    forecast: string | null;
    forecast_reason: string | null;
    judged_at: Date;
  }>`
    select place, used::text, effective_limit::text, forecast::text, forecast_reason, judged_at from ${asked}
    join budget_windows as known using (budget_id, customer_id, subject)
    where known.window_start = starts_at`.execute(transaction);
  for (const row of windows.rows) {
    const fact = facts[row.place];
    if (fact === undefined) continue;
    fact.before = {
      used: BigInt(row.used),
      effectiveLimit: BigInt(row.effective_limit),
      forecast: row.forecast === null ? null : BigInt(row.forecast),
      forecastReason: row.forecast_reason,
      judgedAt: row.judged_at,
    };
  }
  // What rolls carries its open steps along: any that overlaps.
  const open = await sql<{ place: number; id: bigint; step_key: string; effective_limit: string }>`
    select place, budget_step_event_id as id, step_key, effective_limit::text from ${asked}
    join budget_step_events as event using (budget_id, customer_id, subject)
    where withdrawn_at is null and window_end > starts_at and window_start < ends_at order by 2`.execute(
    transaction,
  );
  for (const { place, id, step_key: stepKey, effective_limit: effectiveLimit } of open.rows) {
    facts[place]?.open.push({ stepEventId: id, stepKey, effectiveLimit: BigInt(effectiveLimit) });
  }
  return facts;
}

/** From when on usage counts as of late: the hour that is known in part, and the one before. */
export function rateSinceOf(knownUntil: Date): Date {
  return new Date(Math.floor(knownUntil.getTime() / HOUR_MS) * HOUR_MS - HOUR_MS);
}

/** Those whose sums changed, of budgets that are not ended. */
export async function readDueHolders(
  transaction: LedgerTransaction,
  budgetIds: readonly string[],
): Promise<(BudgetHolder & { budgetId: string })[]> {
  const result = await sql<BudgetHolder & { budgetId: string }>`
    select budget_id as "budgetId", customer_id as "customerId", subject from budget_holders_due
    where budget_id = any(${[...budgetIds]}::text[]) order by 1, 2, 3`.execute(transaction);
  return result.rows;
}

/** Every user of a budget with usage in its window, or a step that stands. */
export async function readUsersOf(
  transaction: LedgerTransaction,
  budgetId: string,
  window: BudgetWindow,
): Promise<BudgetHolder[]> {
  const result = await sql<BudgetHolder>`
    select customer_id as "customerId", subject from budget_hours
    where budget_id = ${budgetId} and window_start >= ${window.start} and window_start < ${window.end}
    union select customer_id, subject from budget_step_events
    where budget_id = ${budgetId} and withdrawn_at is null and window_end > ${window.start}
    order by 1, 2`.execute(transaction);
  return result.rows;
}
