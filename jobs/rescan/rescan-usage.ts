import { addMs, DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { toTallystickError } from '../../src/platform/errors.ts';
import { retryAllRefused } from '../../src/quarantine/retry.ts';
import {
  type Rescan,
  type RescanCounts,
  readCollectionStart,
  recordRescanEnd,
  recordRescanProgress,
  startNextRescan,
} from '../../src/usage/collection/rescans.ts';
import { moveWatermark, readWatermark, rescanWatermarkOf } from '../../src/usage/collection/watermarks.ts';
import { readBacklog } from '../collect/collect-usage.ts';
import { commitSlices } from '../collect/commit-slices.ts';
import { readSlices } from '../collect/read-slices.ts';
import type { JobDependencies } from '../dependencies.ts';
import { recountUsage } from '../recount/recount-usage.ts';
import { takeUpItems } from './take-up-items.ts';

/**
 * How far back by ingestion time a night looks. Azure names two days as the bound of what it still indexes late;
 * a day is added.
 */
export const LOOK_BACK_MS = 3 * DAY_MS;

export interface RescanOutcome extends RescanCounts {
  /** Rescans that were asked for and are done now. */
  finishedRescanCount: number;
  /** Whether the nightly rescan was due and is done. */
  nightDone: boolean;
  takenUpTokenCount: bigint;
  retriedCount: number;
}

/**
 * Looks again at what was collected already, and adds only what the ledger does not know: first every rescan that was
 * asked for, then, once a night, everything ingested in the last 72 hours. Rows that were indexed out of order, or
 * that a source showed late, are found here. The night also takes up quarantine whose cause may be gone.
 * @throws UpstreamError when the source cannot be asked; what was committed stays, and the next run goes on
 */
export async function rescanUsage(deps: JobDependencies, signal?: AbortSignal): Promise<RescanOutcome> {
  const outcome: RescanOutcome = {
    rowCount: 0,
    newRowCount: 0,
    usageEventCount: 0,
    quarantinedRowCount: 0,
    finishedRescanCount: 0,
    nightDone: false,
    takenUpTokenCount: 0n,
    retriedCount: 0,
  };
  for (;;) {
    const rescan = await startNextRescan(deps.database, deps.clock.now());
    if (rescan === null) break;
    const { counts } = await runRescan(deps, rescan, { signal });
    add(outcome, counts);
    outcome.finishedRescanCount += 1;
  }
  await rescanNight(deps, outcome, signal);
  return outcome;
}

/**
 * Looks at one window by event time, hour by hour, from where it was left. A refusal that repeating cannot cure ends
 * it as failed; anything else leaves it to the next run.
 * @throws UpstreamError when the source does not answer
 */
export async function runRescan(
  deps: JobDependencies,
  rescan: Rescan,
  options: {
    signal?: AbortSignal | undefined;
    onProgress?: (doneUntil: Date, counts: RescanCounts) => void;
  } = {},
): Promise<{ rescan: Rescan; counts: RescanCounts }> {
  const { rescanId, window } = rescan;
  const total: RescanCounts = { rowCount: 0, newRowCount: 0, usageEventCount: 0, quarantinedRowCount: 0 };
  const { signal } = options;
  try {
    for (let start = rescan.doneUntil; start < window.end; start = addMs(start, HOUR_MS)) {
      const doneUntil = new Date(Math.min(start.getTime() + HOUR_MS, window.end.getTime()));
      const slices = readSlices(deps, { window: { start, end: doneUntil }, by: 'event', signal });
      const counts = await commitSlices(deps, slices, { expectsKnown: true });
      await recordRescanProgress(deps.database, rescanId, { doneUntil, counts });
      add(total, counts);
      options.onProgress?.(doneUntil, total);
    }
  } catch (error) {
    const known = toTallystickError(error);
    const status = known.retry || signal?.aborted === true ? 'running' : 'failed';
    const end = { status, error: known.code, now: deps.clock.now() } as const;
    const ended = await recordRescanEnd(deps.database, rescanId, end);
    if (status === 'failed') return { rescan: ended, counts: total };
    throw error;
  }
  const end = { status: 'done', error: null, now: deps.clock.now() } as const;
  return { rescan: await recordRescanEnd(deps.database, rescanId, end), counts: total };
}

/** The nightly rescan, if this night's is not done. A night that was missed is made up for by the next. */
async function rescanNight(
  deps: JobDependencies,
  outcome: RescanOutcome,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, source, clock } = deps;
  const night = floorToDay(clock.now());
  const [collectedUntil, begun, done] = await Promise.all([
    readWatermark(database, source.name),
    readCollectionStart(database, source.name),
    readWatermark(database, rescanWatermarkOf(source.name)),
  ]);
  if (collectedUntil === null || begun === null) return;
  const lastNight = done ?? floorToDay(begun.startedAt);
  if (night <= lastNight) return;
  // From three days before the night that should have been, so that missed nights leave no gap.
  const lookBackFrom = addMs(lastNight, DAY_MS - LOOK_BACK_MS);
  const start = new Date(
    Math.max(
      Math.min(lookBackFrom.getTime(), collectedUntil.getTime() - LOOK_BACK_MS),
      // What came before the collector's first window was left out on purpose.
      begun.position.getTime(),
    ),
  );
  const slices = readBacklog(deps, { start, end: collectedUntil }, signal);
  add(outcome, await commitSlices(deps, slices, { expectsKnown: true }));
  await recountUsage(deps, signal);
  outcome.takenUpTokenCount = (await takeUpItems(deps, { all: true, signal })).tokenCount;
  outcome.retriedCount = await retryAllRefused(database, { actor: 'job:rescan-usage', now: clock.now() });
  await database.transaction().execute((transaction) =>
    moveWatermark(transaction, {
      source: rescanWatermarkOf(source.name),
      from: done,
      to: night,
      now: clock.now(),
    }),
  );
  outcome.nightDone = true;
}

function floorToDay(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / DAY_MS) * DAY_MS);
}

function add(total: RescanCounts, part: RescanCounts): void {
  total.rowCount += part.rowCount;
  total.newRowCount += part.newRowCount;
  total.usageEventCount += part.usageEventCount;
  total.quarantinedRowCount += part.quarantinedRowCount;
}
