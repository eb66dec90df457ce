import { addMs, DAY_MS, HOUR_MS, MINUTE_MS, type TimeWindow } from '../../src/platform/clock.ts';
import { ValidationError } from '../../src/platform/errors.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import type { JobDependencies } from '../dependencies.ts';
import { refuseSecondSource } from './check-source.ts';
import { type CollectOutcome, commitSlices } from './commit-slices.ts';
import { readSlices, type SourceSlice } from './read-slices.ts';

/** How far back a new ledger begins when nobody said where. */
export const FIRST_START_MS = 2 * DAY_MS;
const WIDEST_WINDOW_MS = 6 * HOUR_MS;
const NARROWEST_WINDOW_MS = MINUTE_MS;
/** App Insights keeps 90 days unless told otherwise; the logs API refuses nothing older, it just has nothing. */
const WIDEST_BACKFILL_MS = 400 * DAY_MS;

/**
 * Step 1: brings the watermark of the source up to now minus the collect lag, window by window.
 * @throws UpstreamError when the source cannot be asked; what was committed stays
 * @throws TallystickError CONFIG when another source has billed this ledger and the hour of the switch is unknown
 */
export async function collectUsage(deps: JobDependencies, signal?: AbortSignal): Promise<CollectOutcome> {
  await refuseSecondSource(deps);
  const end = addMs(deps.clock.now(), -deps.settings.collectLagMs);
  const watermark = await readWatermark(deps.database, deps.source.name);
  const start = watermark ?? deps.settings.collectStart ?? addMs(end, -FIRST_START_MS);
  return commitSlices(deps, readBacklog(deps, { start, end }, signal), { watermarkFrom: watermark });
}

/** Everything ingested in `backlog`, in windows as wide as the density of usage allows. */
export async function* readBacklog(
  deps: Pick<JobDependencies, 'source' | 'settings'>,
  backlog: TimeWindow,
  signal: AbortSignal | undefined,
): AsyncGenerator<SourceSlice> {
  let widthMs = WIDEST_WINDOW_MS;
  for (let start = backlog.start; start < backlog.end; ) {
    const end = new Date(Math.min(start.getTime() + widthMs, backlog.end.getTime()));
    let rowCount = 0;
    for await (const slice of readSlices(deps, { window: { start, end }, by: 'ingestion', signal })) {
      rowCount += slice.rows.length;
      yield slice;
    }
    // Dense usage: narrower windows next, so that less is asked for twice.
    widthMs =
      rowCount > deps.settings.collectRowLimit
        ? Math.max(widthMs / 2, NARROWEST_WINDOW_MS)
        : Math.min(widthMs * 2, WIDEST_WINDOW_MS);
    start = end;
  }
}

/**
 * Collects everything whose event time lies in `window`, whatever its ingestion time. Rows already known
 * are left alone; the watermark does not move. `onProgress` hears the end of each finished part.
 * @throws ValidationError when the window is no window, empty, in the future or absurdly long
 */
export async function backfillUsage(
  deps: JobDependencies,
  window: TimeWindow,
  options: { onProgress?: (doneUntil: Date, outcome: CollectOutcome) => void; signal?: AbortSignal } = {},
): Promise<CollectOutcome> {
  const now = deps.clock.now();
  for (const [field, instant] of [
    ['from', window.start],
    ['to', window.end],
  ] as const) {
    if (Number.isNaN(instant.getTime())) throw new ValidationError(field, 'is not an instant');
  }
  if (window.start >= window.end) throw new ValidationError('to', 'must be later than from');
  if (window.start > now)
    throw new ValidationError('from', 'lies in the future', `It is ${now.toISOString()} now.`);
  if (window.end.getTime() - window.start.getTime() > WIDEST_BACKFILL_MS) {
    throw new ValidationError('from', 'is more than 400 days before to', 'Backfill in parts.');
  }
  await refuseSecondSource(deps);
  const { start } = window;
  const end = new Date(Math.min(window.end.getTime(), now.getTime()));
  return commitSlices(deps, readByHour(deps, { start, end }, options.signal), {
    onCommitted: ({ query, isLastOfItsTime }, outcome) => {
      const doneUntil = query.window.end;
      const endsHour = (doneUntil.getTime() - start.getTime()) % HOUR_MS === 0;
      if (isLastOfItsTime && (endsHour || doneUntil >= end)) options.onProgress?.(doneUntil, outcome);
    },
  });
}

async function* readByHour(
  deps: JobDependencies,
  { start, end }: TimeWindow,
  signal: AbortSignal | undefined,
): AsyncGenerator<SourceSlice> {
  for (let hour = start; hour < end; hour = addMs(hour, HOUR_MS)) {
    const window = { start: hour, end: new Date(Math.min(hour.getTime() + HOUR_MS, end.getTime())) };
    yield* readSlices(deps, { window, by: 'event', signal });
  }
}
