import type { JobDependencies } from '../../jobs/dependencies.ts';
import {
  enqueueStep,
  openStepEvents,
  openStepQueue,
  openStepWorker,
  type QueueConfig,
} from '../../jobs/queue/queues.ts';
import { runStep, stepNames } from '../../jobs/queue/steps.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import type { SandboxHandle } from '../start-thread.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Experimenters } from './experiments.ts';

/** Virtual time between two looks at the watermarks; the work is the same, only in larger portions. */
const TICK_MS = 6 * HOUR_MS;
/**
 * What looks back over days. The demo lets them run every third virtual day, so that the rescan, which goes back 72
 * hours, reads each row once more and not three times; in service they run nightly and every ten minutes.
 */
const LOOKING_BACK: ReadonlySet<string> = new Set(['rescan-usage', 'reconcile']);
const LOOK_BACK_EVERY_MS = 3 * DAY_MS;
/** Longer than all lags together: what came last is settled and pushed, too. */
const DRAIN_MS = 2 * TICK_MS;
const STEP_TIMEOUT_MS = 10 * 60_000;

export interface DriveProgress {
  /** Virtual days passed, of all. */
  dayCount: number;
  collectedRowCount: number;
  sentEventCount: number;
  settledHourCount: number;
  deliveredPushCount: number;
}

/**
 * Plays virtual time: moves the sandbox's clock on by ticks, and after each lets the pipeline's steps run
 * through the real queue, in the order in which usage travels. Starts where the clock was left.
 */
export async function driveDemo(parts: {
  deps: JobDependencies;
  queueConfig: QueueConfig;
  sandbox: SandboxHandle;
  clock: VirtualClock;
  /** Null: nobody of the house tries anything. */
  experimenters: Experimenters | null;
  startMs: number;
  trafficEndMs: number;
  onProgress: (progress: DriveProgress) => void;
  signal: AbortSignal;
}): Promise<void> {
  const { deps, sandbox, clock, signal } = parts;
  const queue = openStepQueue(parts.queueConfig, deps.log);
  const events = openStepEvents(parts.queueConfig, deps.log);
  const worker = openStepWorker(parts.queueConfig, (name, stop) => runStep(deps, name, stop), deps.log);
  try {
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
    const { lastIngestionMs } = await sandbox.readClock();
    const endMs = Math.max(parts.trafficEndMs, lastIngestionMs) + DRAIN_MS;
    const progress: DriveProgress = {
      dayCount: 0,
      collectedRowCount: 0,
      sentEventCount: 0,
      settledHourCount: 0,
      deliveredPushCount: 0,
    };
    const nextTick = (nowMs: number) => Math.min(nowMs + TICK_MS, endMs);
    for (let nowMs = clock.nowMs(); ; nowMs = nextTick(nowMs)) {
      await sandbox.advanceTo(nowMs);
      clock.advanceTo(nowMs);
      const looksBack = nowMs % LOOK_BACK_EVERY_MS === 0 || nowMs >= endMs;
      for (const name of stepNames(deps).filter((step) => looksBack || !LOOKING_BACK.has(step))) {
        signal.throwIfAborted();
        const job = await enqueueStep(queue, name, 'demo');
        const result = await job.waitUntilFinished(events, STEP_TIMEOUT_MS).catch((error: unknown) => {
          signal.throwIfAborted();
          throw new TallystickError(
            `The step ${name} failed: ${error instanceof Error ? error.message : error}`,
            { code: 'INTERNAL', retry: true },
          );
        });
        const count = (field: string) => Number((result as Record<string, unknown>)[field] ?? 0);
        progress.collectedRowCount += count('newRowCount');
        progress.sentEventCount += count('sentCount');
        progress.settledHourCount += count('settledCount');
        progress.deliveredPushCount += count('deliveredCount');
      }
      progress.dayCount = Math.min(nowMs - parts.startMs, parts.trafficEndMs - parts.startMs) / DAY_MS;
      parts.onProgress(progress);
      if (nowMs >= endMs) return;
      await parts.experimenters?.play(nowMs, nextTick(nowMs));
    }
  } finally {
    await worker.close();
    await Promise.all([queue.close(), events.close()]);
  }
}
