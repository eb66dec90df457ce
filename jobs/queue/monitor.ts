import type { Clock } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { Logger } from '../../src/platform/log.ts';
import { type QueueCounts, type QueueError, recordQueueState } from '../../src/status/queue-states.ts';
import {
  enqueueAllSteps,
  PROBE_TIMEOUT_MS,
  probeRedis,
  QUEUE_NAME,
  type QueueConfig,
  type StepQueue,
} from './queues.ts';
import type { StepName } from './steps.ts';

/** Two looks fit into Prometheus' usual scrape of a minute. */
const LOOK_EVERY_MS = 15_000;

export interface QueueMonitorParts {
  queue: StepQueue;
  config: QueueConfig;
  database: LedgerDatabase;
  clock: Clock;
  log: Logger;
  /** The steps to ask for when the queue takes work again. */
  names: readonly StepName[];
}

/**
 * Looks at the queue by a timer of its own and writes what it sees into the ledger, for status and metrics of any
 * process: how much waits and for how long, what failed for good, and whether the store takes work at all. When it
 * does again after it did not, every step is asked for once: schedules may have stopped meanwhile.
 * @returns the way to end it; resolves when no look is under way any more
 */
export function watchQueue(parts: QueueMonitorParts, everyMs = LOOK_EVERY_MS): () => Promise<void> {
  let error: QueueError | null = null;
  let looking: Promise<void> | null = null;
  const look = async () => {
    const seen = await lookAtQueue(parts);
    await recordQueueState(parts.database, {
      queue: QUEUE_NAME,
      backend: parts.config.redisUrl === undefined ? 'postgres' : 'redis',
      ...seen,
      now: parts.clock.now(),
    });
    if (seen.error !== error) await tell(parts, error, seen.error);
    error = seen.error;
  };
  const start = () => {
    looking ??= look()
      .catch((err) => parts.log.error({ err }, 'The state of the queue could not be recorded'))
      .finally(() => {
        looking = null;
      });
  };
  start();
  const timer = setInterval(start, everyMs);
  return async () => {
    clearInterval(timer);
    await looking;
  };
}

async function tell(parts: QueueMonitorParts, before: QueueError | null, after: QueueError | null) {
  if (after !== null) {
    parts.log.error({ code: after }, 'The queue takes no work; what is due waits in the ledger');
    return;
  }
  parts.log.warn({ code: before }, 'The queue takes work again');
  await enqueueAllSteps(parts.queue, parts.names, 'the queue takes work again');
}

async function lookAtQueue(
  parts: QueueMonitorParts,
): Promise<{ counts: QueueCounts | null; error: QueueError | null }> {
  const { redisUrl } = parts.config;
  const error = redisUrl === undefined ? null : await probeRedis(redisUrl);
  try {
    return { counts: error === 'QUEUE_UNREACHABLE' ? null : await readCountsInTime(parts), error };
  } catch (cause) {
    parts.log.warn({ err: cause }, 'The counts of the queue cannot be read');
    return { counts: null, error: error ?? 'QUEUE_UNREACHABLE' };
  }
}

/** A Redis may fall silent between the probe and the counts, and the queue's own connection would wait for it for ever. */
async function readCountsInTime({ queue, config }: QueueMonitorParts): Promise<QueueCounts> {
  const counts = readCounts(queue);
  if (config.redisUrl === undefined) return await counts;
  const silence = Promise.withResolvers<never>();
  const timer = setTimeout(() => silence.reject(new Error('Redis fell silent')), PROBE_TIMEOUT_MS);
  try {
    return await Promise.race([counts, silence.promise]);
  } finally {
    clearTimeout(timer);
    counts.catch(() => {});
  }
}

async function readCounts(queue: StepQueue): Promise<QueueCounts> {
  const counts = await queue.getJobCounts('wait', 'prioritized', 'active', 'delayed', 'failed');
  // A damaged job cannot be read; the counts are known all the same.
  const [oldest] = await queue.getJobs(['wait'], 0, 0, true).catch(() => []);
  const waitingCount = (counts.wait ?? 0) + (counts.prioritized ?? 0);
  return {
    waitingCount,
    activeCount: counts.active ?? 0,
    delayedCount: counts.delayed ?? 0,
    failedCount: counts.failed ?? 0,
    // A delayed job is one that waits only from the end of its delay.
    oldestWaitingAt: oldest === undefined ? null : new Date(oldest.timestamp + (oldest.opts.delay ?? 0)),
  };
}
