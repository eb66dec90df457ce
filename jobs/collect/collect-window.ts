import type { SourceQuery, SourceRow } from '../../src/azure/source.ts';
import type { TimeWindow } from '../../src/clock.ts';
import { TallystickError } from '../../src/errors.ts';
import {
  type CollectedSlice,
  commitSlice,
  KnownItemsError,
  readSubjectTenants,
} from '../../src/ledger/collection.ts';
import { findKnownItems, itemKey } from '../../src/ledger/source-items.ts';
import type { JobDependencies } from '../dependencies.ts';
import { buildUsageEvents } from './build-events.ts';
import { isStorableText, judgeRows } from './judge-rows.ts';

/** Below this width time no longer divides a crowd that was ingested together; ids do. */
const NARROWEST_WINDOW_MS = 1_000;
const PARTITION_COUNT_LIMIT = 1_024;
const COMMIT_ATTEMPT_LIMIT = 5;

export interface WindowOutcome {
  rowCount: number;
  newRowCount: number;
  usageEventCount: number;
  quarantinedRowCount: number;
}

export interface WindowRequest {
  window: TimeWindow;
  by: 'ingestion' | 'event';
  /** Given: the watermark moves along with every slice, from this position. */
  watermarkFrom?: Date | null;
  signal?: AbortSignal;
}

/**
 * Collects one window whole, splitting it as often as the source demands. Slices commit in the order of
 * time, each with its rows, events and watermark together, so a kill loses at most the slice in hand.
 */
export async function collectWindow(deps: JobDependencies, request: WindowRequest): Promise<WindowOutcome> {
  const outcome: WindowOutcome = { rowCount: 0, newRowCount: 0, usageEventCount: 0, quarantinedRowCount: 0 };
  const slices: { window: TimeWindow; partition?: { count: number; index: number } }[] = [
    { window: request.window },
  ];
  let position = request.watermarkFrom;
  while (slices.length > 0) {
    request.signal?.throwIfAborted();
    const slice = slices.pop();
    if (slice === undefined) break;
    const query: SourceQuery = { ...slice, by: request.by, rowLimit: deps.settings.collectRowLimit };
    const answer = await deps.source.queryRows(query, request.signal);
    if (answer.kind === 'split') {
      slices.push(...split(slice));
      continue;
    }
    const isLastOfItsTime =
      slice.partition === undefined || slice.partition.index === slice.partition.count - 1;
    const moves = request.watermarkFrom !== undefined && isLastOfItsTime;
    await commitRows(
      deps,
      query,
      answer.rows,
      answer.queryText,
      outcome,
      moves ? { from: position ?? null, to: slice.window.end } : undefined,
    );
    if (moves) position = slice.window.end;
  }
  return outcome;
}

/** Later halves first, because slices are taken from the end. */
function split(slice: { window: TimeWindow; partition?: { count: number; index: number } }) {
  const widthMs = slice.window.end.getTime() - slice.window.start.getTime();
  if (slice.partition === undefined && widthMs > NARROWEST_WINDOW_MS) {
    const middle = new Date(slice.window.start.getTime() + Math.ceil(widthMs / 2));
    return [
      { window: { start: middle, end: slice.window.end } },
      { window: { start: slice.window.start, end: middle } },
    ];
  }
  const { count, index } = slice.partition ?? { count: 1, index: 0 };
  const parts = count * 4;
  if (parts > PARTITION_COUNT_LIMIT) {
    throw new TallystickError('The source will not answer even for the smallest slice.', {
      code: 'PARTIAL_RESULT',
      retry: true,
      context: { windowStart: slice.window.start, windowEnd: slice.window.end },
      fix: 'Look at the health of the workspace; the watermark stays where it is.',
    });
  }
  // hash % (4n) refines hash % n: the parts of part i are i, i+n, i+2n, i+3n. Ordered so that the last index ends last.
  return [3, 2, 1, 0].map((step) => ({
    window: slice.window,
    partition: { count: parts, index: index + step * count },
  }));
}

async function commitRows(
  deps: JobDependencies,
  query: SourceQuery,
  rows: readonly SourceRow[],
  queryText: string,
  outcome: WindowOutcome,
  watermark: CollectedSlice['watermark'],
): Promise<void> {
  const now = deps.clock.now();
  const subjects = [...new Set(rows.map((row) => row.subject))].filter(isStorableText);
  const tenants = await readSubjectTenants(deps.database, subjects);
  let items = judgeRows(rows, tenants);
  // A backfill mostly meets rows it knows; the collector's cursor hardly ever does.
  let mayKnowSome = query.by === 'event';
  for (let attempt = 1; ; attempt += 1) {
    if (mayKnowSome) {
      const known = await findKnownItems(deps.database, items);
      items = items.filter(
        (item) => !known.has(itemKey(item.eventDay, item.row.sourceItemId, item.row.metricName)),
      );
    }
    const events = buildUsageEvents(items);
    const slice: CollectedSlice = {
      source: deps.source.name,
      cursorKind: query.by,
      window: query.window,
      queryText,
      rowCount: rows.length,
      items,
      events,
      ...(watermark === undefined ? {} : { watermark }),
    };
    try {
      await commitSlice(deps.database, slice, now);
    } catch (error) {
      // Another collector may add some between our look and our commit, though hardly ever twice.
      if (!(error instanceof KnownItemsError) || attempt >= COMMIT_ATTEMPT_LIMIT) throw error;
      mayKnowSome = true;
      continue;
    }
    outcome.rowCount += rows.length;
    outcome.newRowCount += items.length;
    outcome.usageEventCount += events.length;
    outcome.quarantinedRowCount += items.filter((item) => item.quarantineReason !== null).length;
    return;
  }
}
