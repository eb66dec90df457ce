import { addMs, DAY_MS, HOUR_MS, type TimeWindow } from '../src/clock.ts';
import { ValidationError } from '../src/errors.ts';
import { readWatermark } from '../src/ledger/watermarks.ts';
import { collectWindow, type WindowOutcome } from './collect/collect-window.ts';
import type { JobDependencies } from './dependencies.ts';

/** How far back a new ledger begins when nobody said where. */
const FIRST_START_MS = 2 * DAY_MS;
const WIDEST_WINDOW_MS = 6 * HOUR_MS;
/** App Insights keeps 90 days unless told otherwise; the logs API refuses nothing older, it just has nothing. */
const WIDEST_BACKFILL_MS = 400 * DAY_MS;

/**
 * Step 1: brings the watermark of the source up to now minus the collect lag, window by window.
 * @throws UpstreamError when the source cannot be asked; what was committed stays
 */
export async function collectUsage(deps: JobDependencies, signal?: AbortSignal): Promise<WindowOutcome> {
  const target = addMs(deps.clock.now(), -deps.settings.collectLagMs);
  const outcome: WindowOutcome = { rowCount: 0, newRowCount: 0, usageEventCount: 0, quarantinedRowCount: 0 };
  let watermark = await readWatermark(deps.database, deps.source.name);
  let start = watermark ?? deps.settings.collectStart ?? addMs(target, -FIRST_START_MS);
  let widthMs = WIDEST_WINDOW_MS;
  while (start < target) {
    const end = new Date(Math.min(start.getTime() + widthMs, target.getTime()));
    const window = { start, end };
    const got = await collectWindow(deps, {
      window,
      by: 'ingestion',
      watermarkFrom: watermark,
      ...(signal ? { signal } : {}),
    });
    add(outcome, got);
    // Dense usage: narrower windows next, so that less is asked for twice.
    widthMs =
      got.rowCount > deps.settings.collectRowLimit
        ? Math.max(widthMs / 2, 60_000)
        : Math.min(widthMs * 2, WIDEST_WINDOW_MS);
    watermark = end;
    start = end;
  }
  return outcome;
}

/**
 * Collects everything whose event time lies in `window`, whatever its ingestion time. Rows already known
 * are left alone; the watermark does not move. `onProgress` hears the end of each finished part.
 * @throws ValidationError when the window is no window, empty, in the future or absurdly long
 */
export async function backfillUsage(
  deps: JobDependencies,
  window: TimeWindow,
  options: { onProgress?: (doneUntil: Date, outcome: WindowOutcome) => void; signal?: AbortSignal } = {},
): Promise<WindowOutcome> {
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
  const outcome: WindowOutcome = { rowCount: 0, newRowCount: 0, usageEventCount: 0, quarantinedRowCount: 0 };
  const end = new Date(Math.min(window.end.getTime(), now.getTime()));
  for (let start = window.start; start < end; start = addMs(start, HOUR_MS)) {
    const part = { start, end: new Date(Math.min(start.getTime() + HOUR_MS, end.getTime())) };
    const got = await collectWindow(deps, {
      window: part,
      by: 'event',
      ...(options.signal ? { signal: options.signal } : {}),
    });
    add(outcome, got);
    options.onProgress?.(part.end, outcome);
  }
  return outcome;
}

function add(total: WindowOutcome, part: WindowOutcome): void {
  total.rowCount += part.rowCount;
  total.newRowCount += part.newRowCount;
  total.usageEventCount += part.usageEventCount;
  total.quarantinedRowCount += part.quarantinedRowCount;
}
