import { readBudgetsDue } from '../src/budgets/due.ts';
import { placeBudgets, spreadMovedSubjects, sumDueHours } from '../src/budgets/hours.ts';
import { type JudgedBudgets, judgeDueBudgets } from '../src/budgets/judge.ts';
import { dropOldWindows } from '../src/budgets/past/windows.ts';
import { readPriceBookState, readPriceBookVersion } from '../src/prices/book.ts';
import type { JobDependencies } from './dependencies.ts';

/**
 * Sums what counts towards budgets in the hours whose events or prices changed, settled or not, and judges the holders whose sums
 * are others, and budgets whose window turned. Without anything new it is one statement.
 */
export async function judgeBudgets(
  deps: Pick<JobDependencies, 'database' | 'clock' | 'log'>,
  signal?: AbortSignal,
): Promise<JudgedBudgets & { summedHourCount: number }> {
  const { database, clock, log } = deps;
  const now = clock.now();
  const due = await readBudgetsDue(database, now);
  if (due.hasDueBudget) {
    await placeBudgets(database, now);
    await dropOldWindows(database, now);
  }
  if (due.hasMovedSubjects) await spreadMovedSubjects(database);
  const mayHaveDueHours = due.hasDueHours || due.hasDueBudget || due.hasMovedSubjects;
  let summedHourCount = 0;
  if (mayHaveDueHours) {
    const version = await readPriceBookVersion(database);
    const book = await readPriceBookState(database, version);
    summedHourCount = await sumDueHours(database, { book, changeId: version.changeId }, signal);
  }
  const isDue = due.hasDueBudget || due.hasDueHolders || summedHourCount > 0;
  const judged = isDue
    ? await judgeDueBudgets(database, now, signal)
    : { judgedHolderCount: 0, reachedCount: 0, withdrawnCount: 0 };
  if (judged.reachedCount > 0) log.warn(judged, 'Steps of budgets are reached, see /v1/budgets');
  return { summedHourCount, ...judged };
}
