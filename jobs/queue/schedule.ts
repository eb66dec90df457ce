import { JUDGE_INTERVAL_MS } from '../../pricing/budgets/overshoot.ts';
import type { Logger } from '../../src/platform/log.ts';
import type { StepQueue } from './queues.ts';
import { STEP_NAMES, type StepName } from './steps.ts';

/** How often each step looks at its watermark. Ticks may come late or twice; neither matters. */
const STEP_INTERVALS_MS: Record<StepName, number> = {
  // The whole catalog; refresh-catalog follows single changes, and lists it too when a day has passed without.
  'sync-catalog': 24 * 60 * 60_000,
  'fetch-missed-events': 10 * 60_000,
  'refresh-catalog': 60_000,
  'collect-usage': 60_000,
  // The night's work, once; the other looks are for rescans asked for, and for nights that were missed.
  'rescan-usage': 60 * 60_000,
  'judge-budgets': JUDGE_INTERVAL_MS,
  'ingest-events': 30_000,
  'aggregate-usage': 2 * 60_000,
  'repair-usage': 5 * 60_000,
  'push-usage': 60_000,
  'bill-early': 60_000,
  'close-invoices': 60_000,
  'rate-usage': 5 * 60_000,
  // Of the hour that is running, too: what loops is seen within the hour.
  'find-anomalies': 5 * 60_000,
  reconcile: 10 * 60_000,
  'send-alerts': 60_000,
  'drop-old-items': 60 * 60_000,
  'collect-control': 5 * 60_000,
  // The day's synchronization, once; the other looks are for those asked for, and for one that failed.
  'sync-prices': 60 * 60_000,
  // Today's day is rated every few minutes; nobody's warehouse wants each of them.
  'export-warehouse': 60 * 60_000,
};

const WATCH_EVERY_MS = 30_000;

/** Puts every step's scheduler in place; existing ones with the same interval keep their rhythm. */
export async function scheduleSteps(
  queue: StepQueue,
  names: readonly StepName[] = STEP_NAMES,
): Promise<void> {
  for (const name of names) {
    await queue.upsertJobScheduler(
      name,
      { every: STEP_INTERVALS_MS[name] },
      { name, data: { reason: 'schedule' } },
    );
  }
}

/** Takes the schedulers away again; jobs already waiting stay. */
export async function unscheduleSteps(queue: StepQueue): Promise<void> {
  for (const name of Object.keys(STEP_INTERVALS_MS)) await queue.removeJobScheduler(name);
}

/**
 * Which schedulers are missing, or should have fired more than two intervals ago: BullMQ makes the next job
 * only when the last one starts, so a lost job ends the series silently.
 */
export async function findStoppedSchedules(
  queue: StepQueue,
  nowMs: number,
  names: readonly StepName[] = STEP_NAMES,
): Promise<StepName[]> {
  const schedulers = await queue.getJobSchedulers(0, 100, true);
  const nextByName = new Map(schedulers.map((scheduler) => [scheduler.key, scheduler.next ?? 0]));
  return names.filter((name) => {
    const next = nextByName.get(name);
    return next === undefined || next < nowMs - 2 * STEP_INTERVALS_MS[name];
  });
}

/** Looks at the schedules by a timer of its own and restores those that stopped. Returns the way to end it. */
export function watchSchedules(
  queue: StepQueue,
  log: Logger,
  everyMs = WATCH_EVERY_MS,
  names: readonly StepName[] = STEP_NAMES,
): () => void {
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    try {
      const stopped = await findStoppedSchedules(queue, Date.now(), names);
      if (stopped.length > 0) {
        log.error({ stopped }, 'Schedules had stopped firing; they are restored');
        for (const name of stopped) await queue.removeJobScheduler(name);
        await scheduleSteps(queue, stopped);
      }
    } catch (error) {
      log.error({ err: error }, 'The schedule watchdog could not look');
    } finally {
      busy = false;
    }
  }, everyMs);
  return () => clearInterval(timer);
}
