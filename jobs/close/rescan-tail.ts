import { readDueCloses } from '../../src/closing/closes.ts';
import { commitCloseRescan, readRescannedUntil, shareCloseRescan } from '../../src/closing/rescans.ts';
import { addMs, DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { readCollectionStart } from '../../src/usage/collection/rescans.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import { readBacklog } from '../collect/collect-usage.ts';
import { commitSlices } from '../collect/commit-slices.ts';
import type { JobDependencies } from '../dependencies.ts';

/** No further back by ingestion time: the bound that Azure names for what it indexes late, and a day. */
const FURTHEST_BACK_MS = 3 * DAY_MS;
/** Looked at twice before, it is looked at once more only so far back: what shows later is found at night. */
const OVERLAP_MS = 6 * HOUR_MS;
/** Closes of the same hour share a rescan. */
const SHARED_FOR_MS = HOUR_MS;
/** More closes than that are taken on by the next run. */
const BATCH_LIMIT = 100_000;

/**
 * One more look at what the source has told lately, for all collected closes together: rows that were indexed out of
 * order are found before the invoice is final, and not the night after.
 * @returns rows that were new
 * @throws UpstreamError when the source does not answer; the closes wait
 */
export async function rescanTail(deps: JobDependencies, signal: AbortSignal | undefined): Promise<number> {
  const { database, source, settings, clock } = deps;
  const now = clock.now();
  await shareCloseRescan(database, {
    source: source.name,
    notBefore: addMs(now, -SHARED_FOR_MS),
    sourceWaitMs: settings.closeSourceWaitMs,
    now,
  });
  const waiting = await readDueCloses(database, { states: ['collected'], now, limit: BATCH_LIMIT });
  if (waiting.length === 0) return 0;
  const [collectedUntil, begun, rescannedUntil] = await Promise.all([
    readWatermark(database, source.name),
    readCollectionStart(database, source.name),
    readRescannedUntil(database, source.name),
  ]);
  if (collectedUntil === null || begun === null) return 0;
  const start = new Date(
    Math.min(
      collectedUntil.getTime(),
      Math.max(
        addMs(collectedUntil, -FURTHEST_BACK_MS).getTime(),
        begun.position.getTime(),
        rescannedUntil === null ? 0 : addMs(rescannedUntil, -OVERLAP_MS).getTime(),
      ),
    ),
  );
  const window = { start, end: collectedUntil };
  const counts = await commitSlices(deps, readBacklog(deps, window, signal), { expectsKnown: true });
  await commitCloseRescan(database, {
    source: source.name,
    window,
    rowCount: counts.rowCount,
    newRowCount: counts.newRowCount,
    invoiceIds: waiting.map((close) => close.invoiceId),
    now: clock.now(),
  });
  return counts.newRowCount;
}
