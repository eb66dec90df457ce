import type { QueryRecipe, SourceQuery, SourceRow } from '../../src/azure/source.ts';
import type { TimeWindow } from '../../src/platform/clock.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Below this width time no longer divides a crowd that was ingested together; ids do. */
const NARROWEST_WINDOW_MS = 1_000;
const PARTITION_COUNT_LIMIT = 1_024;

/** A part of the source that was read whole. */
export interface SourceSlice {
  query: SourceQuery;
  recipe: QueryRecipe;
  rows: readonly SourceRow[];
  /** False for partitions with others of the same time behind them: the time is not passed yet. */
  isLastOfItsTime: boolean;
}

export interface WindowRequest {
  window: TimeWindow;
  by: 'ingestion' | 'event';
  signal?: AbortSignal | undefined;
}

/**
 * Reads one window whole, splitting it as often as the source demands. Slices come in the order of time.
 * @throws UpstreamError; TallystickError PARTIAL_RESULT when even the smallest slice is refused
 */
export async function* readSlices(
  deps: Pick<JobDependencies, 'source' | 'settings'>,
  request: WindowRequest,
): AsyncGenerator<SourceSlice> {
  const waiting: Pick<SourceQuery, 'window' | 'partition'>[] = [{ window: request.window }];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    request.signal?.throwIfAborted();
    const query: SourceQuery = { ...part, by: request.by, rowLimit: deps.settings.collectRowLimit };
    const answer = await deps.source.queryRows(query, request.signal);
    if (answer.kind === 'split') {
      waiting.push(...split(part));
      continue;
    }
    const { partition } = part;
    const isLastOfItsTime = partition === undefined || partition.index === partition.count - 1;
    yield { query, recipe: answer.recipe, rows: answer.rows, isLastOfItsTime };
  }
}

/** Later halves first, because parts are taken from the end. */
function split(part: Pick<SourceQuery, 'window' | 'partition'>) {
  const { window } = part;
  const widthMs = window.end.getTime() - window.start.getTime();
  if (part.partition === undefined && widthMs > NARROWEST_WINDOW_MS) {
    const middle = new Date(window.start.getTime() + Math.ceil(widthMs / 2));
    return [{ window: { start: middle, end: window.end } }, { window: { start: window.start, end: middle } }];
  }
  const { count, index } = part.partition ?? { count: 1, index: 0 };
  const parts = count * 4;
  if (parts > PARTITION_COUNT_LIMIT) {
    throw new TallystickError('The source will not answer even for the smallest slice.', {
      code: 'PARTIAL_RESULT',
      retry: true,
      context: { windowStart: window.start, windowEnd: window.end },
      fix: 'Look at the health of the workspace; the watermark stays where it is.',
    });
  }
  // hash % (4n) refines hash % n: the parts of part i are i, i+n, i+2n, i+3n. Ordered so that the last index ends last.
  return [3, 2, 1, 0].map((step) => ({ window, partition: { count: parts, index: index + step * count } }));
}
