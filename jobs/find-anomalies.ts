import { type EvaluatedHours, evaluateHours } from '../src/anomalies/evaluate.ts';
import { evaluateDay } from '../src/anomalies/evaluate-days.ts';
import { sumDueHours } from '../src/anomalies/hours.ts';
import { readPriceBook } from '../src/prices/book.ts';
import type { JobDependencies } from './dependencies.ts';

/**
 * Keeps sums of what each customer used by hour, from collected events, and judges the hours whose sums changed: the hour that
 * is running, and those that later data reached; then the newest whole day, by what no single hour shows. Without anything new it reads the price book and what is due, and no usage.
 */
export async function findAnomalies(
  deps: Pick<JobDependencies, 'database' | 'clock' | 'log'>,
  signal?: AbortSignal,
): Promise<EvaluatedHours & { summedHourCount: number; judgedDayCount: number }> {
  const { database, clock, log } = deps;
  const now = clock.now();
  const book = await readPriceBook(database);
  const summedHourCount = await sumDueHours(database, { book, now }, signal);
  const hours = await evaluateHours(database, { book, now }, signal);
  const day = hours.judgedHourCount === 0 ? null : await evaluateDay(database, now, signal);
  const evaluated = {
    judgedHourCount: hours.judgedHourCount,
    judgedDayCount: (day?.judgedDay ?? null) === null ? 0 : 1,
    raisedCount: hours.raisedCount + (day?.raisedCount ?? 0),
    withdrawnCount: hours.withdrawnCount + (day?.withdrawnCount ?? 0),
  };
  if (evaluated.raisedCount > 0) log.warn(evaluated, 'Usage stands out, see /v1/anomalies');
  return { summedHourCount, ...evaluated };
}
