import { findDueCostDay, notePassedCapacity, spreadSubjectNotes } from '../src/costs/notes.ts';
import { rateCostDay } from '../src/costs/rate-cost-day.ts';
import { finishReratingRequests, noteReratingRequests } from '../src/costs/rerating.ts';
import { rateRevenues } from '../src/costs/revenues/rate-revenues.ts';
import { floorToHour } from '../src/platform/clock.ts';
import { readPriceBook } from '../src/prices/book.ts';
import type { JobDependencies } from './dependencies.ts';

export interface RateOutcome {
  ratedDayCount: number;
  /** In the days that were rated: tokens that no price is known for. Kept, and rated when it comes. */
  unknownTokenCount: bigint;
  reratedChangeCount: number;
  /** Months of customers whose usage, or whose rates, changed. */
  ratedMonthCount: number;
}

/**
 * Keeps the cost of every day what usage, prices and capacity say, and what its month brings what tokens and rates say.
 * Whoever changes one of them leaves a note of the day; a run rates the noted days, each in a transaction of its own, and
 * does nothing when there is none. A day is rated whole: a run that is killed, repeated or late ends in the same rows.
 */
export async function rateUsage(
  deps: Pick<JobDependencies, 'database' | 'clock' | 'log'>,
  signal?: AbortSignal,
): Promise<RateOutcome> {
  const { database, clock } = deps;
  const outcome: RateOutcome = {
    ratedDayCount: 0,
    unknownTokenCount: 0n,
    reratedChangeCount: 0,
    ratedMonthCount: 0,
  };
  await notePassedCapacity(database, floorToHour(clock.now()));
  await spreadSubjectNotes(database);
  await noteReratingRequests(database, clock.now());
  // Each day at most once a run: usage that settles meanwhile waits for the next.
  for (let day: string | null = null; ; ) {
    day = await findDueCostDay(database, day);
    if (day === null) break;
    signal?.throwIfAborted();
    // Asked for again each time, which is cheap: a price that came meanwhile noted days that this run still meets.
    const rated = await rateCostDay(database, day, await readPriceBook(database), clock.now());
    if (rated === null) continue;
    outcome.ratedDayCount += 1;
    outcome.unknownTokenCount += rated.unknownTokenCount;
  }
  if (outcome.unknownTokenCount > 0n) {
    deps.log.warn(
      { unknownTokenCount: String(outcome.unknownTokenCount) },
      'Usage without a known price: its cost is unknown, see /v1/costs',
    );
  }
  outcome.ratedMonthCount = await rateRevenues(database, signal);
  outcome.reratedChangeCount = await finishReratingRequests(database, clock.now());
  return outcome;
}
