import { sql } from 'kysely';
import type { BudgetStep } from '../../pricing/budgets/budget.ts';
import { readEarlyBills, type ToldEarlyBill } from '../billing/early/told.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/**
 * Why a step is reached no longer: less is used than was known before, limit or ladder are others, there is more for a time, a
 * narrower budget took its place, or the budget is ended.
 */
export type WithdrawnReason = 'less_used' | 'changed' | 'grace' | 'overridden' | 'ended';

/** A step that a holder of a budget reached. It is open until it is withdrawn, or its window is over. */
export interface StepEvent {
  stepEventId: bigint;
  budgetId: string;
  /** Whose; both empty where the budget has one holder. */
  customerId: string;
  subject: string;
  windowStart: Date;
  windowEnd: Date;
  stepKey: string;
  step: BudgetStep;
  reachedAt: Date;
  /** Of then, as are forecast and limit: pico of the budget's currency, or a count. */
  used: bigint;
  forecast: bigint | null;
  effectiveLimit: bigint;
  knownUntil: Date | null;
  withdrawnAt: Date | null;
  withdrawnReason: WithdrawnReason | null;
  liftedUntil: Date | null;
  liftedBy: string | null;
  /** Of a step that bills, by subscription. */
  earlyBills: ToldEarlyBill[];
}

type Row = Omit<StepEvent, 'used' | 'forecast' | 'effectiveLimit' | 'earlyBills'> & {
  used: string;
  forecast: string | null;
  effectiveLimit: string;
};

const COLUMNS = sql`budget_step_event_id as "stepEventId", budget_id as "budgetId", customer_id as "customerId", subject,
  window_start as "windowStart", window_end as "windowEnd", step_key as "stepKey", step, reached_at as "reachedAt", used::text,
  forecast::text, effective_limit::text as "effectiveLimit", known_until as "knownUntil", withdrawn_at as "withdrawnAt",
  withdrawn_reason as "withdrawnReason", lifted_until as "liftedUntil", lifted_by as "liftedBy"`;

/**
 * Until when an open `event` of `budget` stands. Of a window that rolls the usage of most days is in the next one, too: it stands
 * until that is judged, which is in the minute after midnight; a quarter of an hour at most, should nothing judge.
 */
export const STANDS_UNTIL = sql<Date>`(event.window_end + case when budget.period = 'rolling_days' and budget.rolling_day_count > 1
  then interval '15 minutes' else interval '0' end)`;

/** What happened to a budget, the newest first. */
export async function listStepEvents(
  database: LedgerDatabase | LedgerTransaction,
  { budgetId, limit }: { budgetId: string; limit: number },
): Promise<StepEvent[]> {
  const result = await sql<Row>`
    select ${COLUMNS} from budget_step_events where budget_id = ${budgetId}
    order by budget_step_event_id desc limit ${limit}`.execute(database);
  return await toStepEvents(database, result.rows);
}

/** What is reached now, of all budgets or of these: not withdrawn, and of a window that runs. */
export async function readOpenStepEvents(
  database: LedgerDatabase | LedgerTransaction,
  { now, budgetIds = null }: { now: Date; budgetIds?: readonly string[] | null },
): Promise<StepEvent[]> {
  const result = await sql<Row>`
    select ${COLUMNS} from (
      select event.*, ${STANDS_UNTIL} as stands_until from budget_step_events as event join budgets as budget using (budget_id)
      where withdrawn_at is null and event.window_end > ${now}::timestamptz - interval '1 day') as event
    where stands_until > ${now} and window_start <= ${now}
      and ${budgetIds === null ? sql`true` : sql`budget_id = any(${[...budgetIds]}::text[])`}
    order by budget_step_event_id`.execute(database);
  return await toStepEvents(database, result.rows);
}

async function toStepEvents(
  database: LedgerDatabase | LedgerTransaction,
  rows: readonly Row[],
): Promise<StepEvent[]> {
  const billing = rows.filter(({ step }) => step.action === 'bill').map(({ stepEventId }) => stepEventId);
  const earlyBills = await readEarlyBills(database, billing);
  return rows.map(({ used, forecast, effectiveLimit, ...row }) => ({
    ...row,
    used: BigInt(used),
    forecast: forecast === null ? null : BigInt(forecast),
    effectiveLimit: BigInt(effectiveLimit),
    earlyBills: earlyBills.get(row.stepEventId) ?? [],
  }));
}

/** Withdraws whatever of a budget's windows that run or are to come still stands. @returns how many */
export async function withdrawAll(
  transaction: LedgerTransaction,
  { budgetId, reason, now }: { budgetId: string; reason: WithdrawnReason; now: Date },
): Promise<bigint> {
  const withdrawn = await sql`
    update budget_step_events as event set withdrawn_at = ${now}, withdrawn_reason = ${reason}
    from budgets as budget
    where event.budget_id = ${budgetId} and budget.budget_id = event.budget_id and withdrawn_at is null
      and ${STANDS_UNTIL} > ${now}`.execute(transaction);
  return withdrawn.numAffectedRows ?? 0n;
}
