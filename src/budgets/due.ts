import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** What there is to do. */
export interface BudgetsDue {
  /** Budgets that are new or changed, or to be judged although nothing new was collected. */
  hasDueBudget: boolean;
  /** Usage that moved to another customer. */
  hasMovedSubjects: boolean;
  /** Hours whose events or prices changed since they were summed. */
  hasDueHours: boolean;
  /** Holders whose sums changed, and who are not judged yet. */
  hasDueHolders: boolean;
}

/** Hours that are to be summed: their events or prices changed since. */
export const DUE_HOURS = sql`
  settlements as hour left join budget_summed_hours as summed using (window_start)
  where hour.window_start >= (select min(summed_from) from budgets where ended_at is null)
    and (summed.event_version is distinct from hour.event_version or summed.price_change_id is distinct from
      coalesce((select change_id from price_book_changes order by change_id desc limit 1), 0))`;

/**
 * Of `budgets`: whether one is judged although nothing is new. What is due later than any is was judged by a clock that had jumped
 * ahead.
 */
export const isDue = (now: Date) =>
  sql<boolean>`(judge_at <= ${now} or judge_at > ${now}::timestamptz + interval '1 day')`;

/** In one statement, which is all that a run without news costs. */
export async function readBudgetsDue(database: LedgerDatabase, now: Date): Promise<BudgetsDue> {
  const result = await sql<BudgetsDue>`
    select exists (select from budgets where ended_at is null and ${isDue(now)}) as "hasDueBudget",
      exists (select from budget_subjects_due) as "hasMovedSubjects",
      exists (select from ${DUE_HOURS}) as "hasDueHours",
      exists (select from budget_holders_due) as "hasDueHolders"`.execute(database);
  return (
    result.rows[0] ?? {
      hasDueBudget: false,
      hasMovedSubjects: false,
      hasDueHours: false,
      hasDueHolders: false,
    }
  );
}
