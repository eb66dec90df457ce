import { sql } from 'kysely';
import { type BudgetStep, stepKey } from '../../../pricing/budgets/budget.ts';
import type { ConversionMiss } from '../../../pricing/exchange/rates.ts';
import { addMs, DAY_MS } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { Budget } from '../budgets.ts';
import { readKnownUntil } from '../judge.ts';
import { readWindows } from '../periods.ts';

/** Of one window no more holders, and no more steps, are counted than these: what it costs has an end. */
export const MOST_COUNTED = 1_000;
/** How long where holders stood is kept after its window, and so many rows are dropped at once. */
const KEPT_DAYS = 400;
const DROPPED_AT_ONCE = 10_000;

/** How a window of a budget ended; amounts as in `BudgetTerms`. Late data is in it while its hours are summed. */
export interface PastWindow {
  windowStart: Date;
  windowEnd: Date;
  /** Of the holder that used most; both empty where the budget has one holder. */
  customerId: string;
  subject: string;
  used: bigint;
  effectiveLimit: bigint;
  unpricedTokenCount: bigint;
  unknownReason: ConversionMiss | null;
  /** Holders that used all of it or more, of the `MOST_COUNTED` that used most. */
  overCount: bigint;
  /** Which were reached in it, in the order of the ladder, by how many holders; of those, how many were withdrawn. */
  steps: { step: BudgetStep; reachedCount: number; withdrawnCount: number }[];
}

interface Row extends Omit<PastWindow, 'used' | 'effectiveLimit' | 'steps'> {
  used: string;
  effectiveLimit: string;
  steps: PastWindow['steps'] | null;
}

/** Windows before the one that runs, the newest first. */
export async function listPastWindows(
  database: LedgerDatabase | LedgerTransaction,
  budget: Budget,
  { now, before, limit }: { now: Date; before: Date | null; limit: number },
): Promise<PastWindow[]> {
  const { budgetId } = budget;
  const running = (await readWindows(database, [budget], now)).get(budgetId);
  const first = before ?? running?.start ?? now;
  const next = (than: unknown) => sql`
    select window_start from budget_windows where budget_id = ${budgetId} and window_start < ${than} order by window_start desc limit 1`;
  const { rows } = await sql<Row>`
    with recursive past as (
      (${next(first)})
      union all
      select earlier.window_start from past cross join lateral (${next(sql.ref('past.window_start'))}) as earlier),
    starts as materialized (select window_start from past limit ${limit})
    select chief.window_start as "windowStart", chief.window_end as "windowEnd", chief.customer_id as "customerId", chief.subject,
      chief.used::text, chief.effective_limit::text as "effectiveLimit", chief.unpriced_token_count as "unpricedTokenCount",
      chief.unknown_reason as "unknownReason", holders.over as "overCount", reached.steps
    from starts
    cross join lateral (
      select * from budget_windows as kept where kept.budget_id = ${budgetId} and kept.window_start = starts.window_start
      order by used desc limit 1) as chief
    cross join lateral (
      select count(*) filter (where used >= effective_limit) as over from (
        select used, effective_limit from budget_windows as kept
        where kept.budget_id = ${budgetId} and kept.window_start = starts.window_start order by used desc limit ${MOST_COUNTED})
        as most) as holders
    cross join lateral (
      select jsonb_agg(jsonb_build_object('step', step, 'reachedCount', reached, 'withdrawnCount', withdrawn)) as steps
      from (
        select step_key, (array_agg(step))[1] as step, count(distinct (customer_id, subject)) as reached,
          count(distinct (customer_id, subject)) filter (where is_withdrawn) as withdrawn
        from (
          -- Withdrawn and reached again, a step stands.
          select step_key, step, customer_id, subject, bool_and(withdrawn_at is not null)
            over (partition by step_key, customer_id, subject) as is_withdrawn
          from (
            select * from budget_step_events as event
            where event.budget_id = ${budgetId} and event.window_start = starts.window_start
            order by budget_step_event_id limit ${MOST_COUNTED}) as told) as events
        group by step_key) as by_step) as reached
    order by 1 desc`.execute(database);
  return rows.map(({ used, effectiveLimit, steps, ...row }) => ({
    ...row,
    used: BigInt(used),
    effectiveLimit: BigInt(effectiveLimit),
    steps: (steps ?? []).sort(
      (one, other) =>
        one.step.sharePermille - other.step.sharePermille ||
        (stepKey(one.step) < stepKey(other.step) ? -1 : 1),
    ),
  }));
}

/**
 * Forgets where holders stood long ago, some of them at once; what was reached stays. It goes by what is collected: by a clock that
 * jumped ahead nothing is dropped.
 */
export async function dropOldWindows(database: LedgerDatabase, now: Date): Promise<void> {
  const knownUntil = await readKnownUntil(database, now);
  if (knownUntil === null) return;
  await sql`
    delete from budget_windows where ctid = any(array(
      select ctid from budget_windows where window_end < ${addMs(knownUntil, -KEPT_DAYS * DAY_MS)}
      order by window_end limit ${DROPPED_AT_ONCE}))`.execute(database);
}
