import { dropSpentKeys } from '../src/billing/call-keys.ts';
import { addMs, DAY_MS } from '../src/platform/clock.ts';
import { dropItemDay, findOldItemDays } from '../src/usage/collection/retention.ts';
import { readWatermark, rescanWatermarkOf } from '../src/usage/collection/watermarks.ts';
import { dropOldWindows } from '../src/usage/collection/window-retention.ts';
import { dropOldWebhookEvents } from '../src/webhook-events/retention.ts';
import type { JobDependencies } from './dependencies.ts';
import { LOOK_BACK_MS } from './rescan/rescan-usage.ts';

/** A ledger that was never cleared catches up within days, and no run takes long. Days that must stay do not count. */
const DROPPED_DAYS_PER_RUN = 100;
const WEBHOOK_EVENTS_PER_RUN = 20_000;
const WINDOWS_PER_STEP = 10_000;
const WINDOW_STEPS_PER_RUN = 10;

export interface RetentionOutcome {
  droppedDayCount: number;
  droppedItemCount: number;
  droppedControlItemCount: number;
  /** Old days that stay: something of them is not settled, not billed, or its invoice is not final. */
  pendingDayCount: number;
  /** Days that somebody was writing to; the next run tries again. */
  busyDayCount: number;
  droppedWebhookEventCount: number;
  droppedWindowCount: number;
}

/**
 * Drops single source and control items of days older than the retention, once everything of the day is on a final
 * invoice and no night looks back at it any more. Their sums by hour and key stay, and so does every item in quarantine.
 * Recorded webhook events of that age go once their work is done; windows of the source once their items are gone and no
 * close under way rests on them.
 */
export async function dropOldItems(deps: JobDependencies, signal?: AbortSignal): Promise<RetentionOutcome> {
  const outcome: RetentionOutcome = {
    droppedDayCount: 0,
    droppedItemCount: 0,
    droppedControlItemCount: 0,
    pendingDayCount: 0,
    busyDayCount: 0,
    droppedWebhookEventCount: 0,
    droppedWindowCount: 0,
  };
  const now = deps.clock.now();
  const retentionStart = addMs(now, -deps.settings.itemRetentionDays * DAY_MS);
  outcome.droppedWebhookEventCount = await dropOldWebhookEvents(deps.database, {
    receivedBefore: retentionStart,
    limit: WEBHOOK_EVENTS_PER_RUN,
  });
  await dropSpentKeys(deps.database, retentionStart);
  const rescanned = await readWatermark(deps.database, rescanWatermarkOf(deps.source.name));
  // What the next night still looks at must be known, however long the nights were missed.
  if (rescanned === null) return outcome;
  const oldestKept = Math.min(retentionStart.getTime(), rescanned.getTime() - LOOK_BACK_MS);
  const before = new Date(oldestKept).toISOString().slice(0, 10);
  for (const day of await findOldItemDays(deps.database, before)) {
    if (outcome.droppedDayCount >= DROPPED_DAYS_PER_RUN) break;
    signal?.throwIfAborted();
    const result = await dropItemDay(deps.database, day, now);
    if (result.dropped) {
      outcome.droppedDayCount += 1;
      outcome.droppedItemCount += result.itemCount;
      outcome.droppedControlItemCount += result.controlItemCount;
    } else if (result.reason === 'pending') outcome.pendingDayCount += 1;
    else outcome.busyDayCount += 1;
  }
  for (let step = 0; step < WINDOW_STEPS_PER_RUN; step += 1) {
    signal?.throwIfAborted();
    const droppedCount = await dropOldWindows(deps.database, {
      collectedBefore: new Date(oldestKept),
      limit: WINDOWS_PER_STEP,
    });
    outcome.droppedWindowCount += droppedCount;
    if (droppedCount === 0) break;
  }
  if (outcome.pendingDayCount > 0) {
    deps.log.warn({ ...outcome }, 'Old days keep their items: something of them is not billed and final');
  }
  return outcome;
}
