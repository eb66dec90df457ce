import { addMs, HOUR_MS, type TimeWindow } from '../../src/platform/clock.ts';
import { type TallystickError, toTallystickError } from '../../src/platform/errors.ts';
import { commitSettlement, readSettledTypes } from '../../src/usage/hours/hourly-usage.ts';
import { type DueHour, findDueHours, sumSentEvents } from '../../src/usage/hours/settlements.ts';
import type { JobDependencies } from '../dependencies.ts';
import { compareHours } from './compare-hours.ts';
import { divideAtBoundaries } from './divide-hours.ts';
import { readMeters } from './read-meters.ts';

/** Hours looked up at once; the rest waits for the next round of the same run. */
const DUE_LIMIT = 240;
/** A run of due hours may bridge this gap: one wider question costs less than two. */
const GAP_LIMIT_MS = 3 * HOUR_MS;
const WIDEST_RUN_MS = 24 * HOUR_MS;
const DRIFT_RETRY_MS = 15 * 60_000;

export interface AggregateOutcome {
  settledCount: number;
  driftedCount: number;
  revisionCount: number;
}

/**
 * Step 3: reads closed hours back from OpenMeter and settles those whose totals equal the ledger's own.
 * Late events have reopened their hour; it settles again under a new revision that holds the difference.
 * @throws UpstreamError when OpenMeter cannot be asked, or has no exact answer for some hour; all hours that
 *   it answers for are settled first
 */
export async function aggregateUsage(deps: JobDependencies, signal?: AbortSignal): Promise<AggregateOutcome> {
  const outcome: AggregateOutcome = { settledCount: 0, driftedCount: 0, revisionCount: 0 };
  let refusal: TallystickError | null = null;
  for (;;) {
    const now = deps.clock.now();
    const due = await findDueHours(deps.database, {
      closedBefore: addMs(now, -deps.settings.hourCloseLagMs),
      sentBefore: addMs(now, -deps.settings.settleLagMs),
      now,
      limit: DUE_LIMIT,
    });
    const settledBefore = outcome.settledCount;
    const runs = groupIntoRuns(due, deps.settings.settleRowLimit).reverse();
    for (let run = runs.pop(); run !== undefined; run = runs.pop()) {
      signal?.throwIfAborted();
      try {
        const result = await settleRun(deps, run, signal);
        outcome.settledCount += result.settledCount;
        outcome.driftedCount += result.driftedCount;
        outcome.revisionCount += result.revisionCount;
      } catch (error) {
        const known = toTallystickError(error);
        // A refusal with a status is about us or the meter, not about what some hour holds.
        if (known.code !== 'UPSTREAM_REJECTED' || known.context.statusCode !== undefined) throw error;
        // One hour without an exact answer spoils its whole run: the others settle without it.
        if (run.hours.length > 1) runs.push(...halve(run).reverse());
        else refusal ??= known;
      }
    }
    if (due.length < DUE_LIMIT || outcome.settledCount === settledBefore) break;
  }
  if (refusal !== null) throw refusal;
  return outcome;
}

interface Run {
  window: TimeWindow;
  hours: DueHour[];
}

/** Neighbouring hours share a question, as long as the answer (which has no pages) stays bounded. */
export function groupIntoRuns(due: readonly DueHour[], rowLimit: number): Run[] {
  const runs: Run[] = [];
  let rowCount = 0;
  for (const hour of due) {
    const end = addMs(hour.windowStart, HOUR_MS);
    const last = runs.at(-1);
    const joins =
      last !== undefined &&
      hour.windowStart.getTime() - last.window.end.getTime() <= GAP_LIMIT_MS &&
      end.getTime() - last.window.start.getTime() <= WIDEST_RUN_MS &&
      rowCount + hour.keyCount <= rowLimit;
    if (joins) {
      last.window.end = end;
      last.hours.push(hour);
      rowCount += hour.keyCount;
    } else {
      runs.push({ window: { start: hour.windowStart, end }, hours: [hour] });
      rowCount = hour.keyCount;
    }
  }
  return runs;
}

function halve({ hours }: Run): Run[] {
  const middle = Math.ceil(hours.length / 2);
  return [hours.slice(0, middle), hours.slice(middle)].flatMap((half) => {
    const [first, last] = [half[0], half.at(-1)];
    if (first === undefined || last === undefined) return [];
    return [{ window: { start: first.windowStart, end: addMs(last.windowStart, HOUR_MS) }, hours: half }];
  });
}

async function settleRun(deps: JobDependencies, run: Run, signal: AbortSignal | undefined) {
  const hours = run.hours.map((hour) => hour.windowStart);
  const [ledger, settledTypes] = await Promise.all([
    sumSentEvents(deps.database, hours),
    readSettledTypes(deps.database, hours),
  ]);
  const metered = await readMeters(deps.metering, { ledger, window: run.window, hours }, signal);
  const comparison = compareHours(ledger, metered, settledTypes);
  const divided = await divideAtBoundaries(deps.database, comparison.usage);
  const drifts = [...comparison.drifts, ...divided.drifts];
  if (drifts.length > 0) {
    deps.log.warn(
      { driftCount: drifts.length, first: drifts[0] },
      drifts.every(({ driftClass }) => driftClass === 'counts_disagree')
        ? 'Figures of usage contradict each other; it waits'
        : 'OpenMeter and the ledger differ',
    );
  }
  return await commitSettlement(
    deps.database,
    { hours: run.hours, activity: comparison.activity, usage: divided.usage, drifts },
    { now: deps.clock.now(), retryDriftAfterMs: DRIFT_RETRY_MS },
  );
}
