import {
  type ConnectionOptions,
  createPostgresBackend,
  Queue,
  QueueEvents,
  UnrecoverableError,
  Worker,
} from 'bullmq';
import { Redis } from 'ioredis';
import { ResilientClient } from '../../src/platform/database/resilient-client.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import type { Logger } from '../../src/platform/log.ts';
import type { QueueError } from '../../src/status/queue-states.ts';
import type { StepName, StepResult } from './steps.ts';

/** One queue carries every step; job names are step names. */
export const QUEUE_NAME = 'tallystick';

export interface QueueConfig {
  /** Redis through ioredis when given, else BullMQ's own Postgres backend in the ledger's database. */
  redisUrl: string | undefined;
  databaseUrl: string;
}

interface StepJobData {
  reason: string;
}

export type StepQueue = Queue<StepJobData, StepResult, StepName>;

/** Kept: enough to see the last hours at a glance; failures longer, for the person who looks. */
const JOB_OPTIONS = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 2_000, jitter: 0.5 },
  removeOnComplete: { count: 200 },
  removeOnFail: { count: 2_000 },
} as const;

type Role = 'queue' | 'blocking';

/** Connection options by backend. A producer fails fast; a worker waits for Redis for as long as it takes. */
function connectionFor(config: QueueConfig, role: Role): ConnectionOptions {
  if (config.redisUrl !== undefined) {
    const maxRetriesPerRequest = role === 'blocking' ? null : 3;
    return new Redis(config.redisUrl, { maxRetriesPerRequest }) as unknown as ConnectionOptions;
  }
  return {
    connectionString: config.databaseUrl,
    migrate: true,
    max: 5,
    Client: ResilientClient,
  } as unknown as ConnectionOptions;
}

function backendArguments(config: QueueConfig): [] | [typeof createPostgresBackend] {
  return config.redisUrl === undefined ? [createPostgresBackend] : [];
}

/** Whoever puts work in: the scheduler, webhooks, the command line. Close it when done. */
export function openStepQueue(config: QueueConfig, log: Logger): StepQueue {
  const connection = connectionFor(config, 'queue');
  const queue = new Queue(
    QUEUE_NAME,
    { connection, defaultJobOptions: JOB_OPTIONS } as never,
    ...(backendArguments(config) as [never]),
  );
  queue.on('error', (error: Error) => log.error({ err: error }, 'The queue reported an error'));
  return withConnectionClosed(queue as unknown as StepQueue, connection);
}

/** Whoever wants to hear of finished jobs. */
export function openStepEvents(config: QueueConfig, log: Logger): QueueEvents {
  const connection = connectionFor(config, 'blocking');
  const events = new QueueEvents(
    QUEUE_NAME,
    { connection } as never,
    ...(backendArguments(config) as [never]),
  );
  events.on('error', (error: Error) => log.error({ err: error }, 'Queue events reported an error'));
  return withConnectionClosed(events as unknown as QueueEvents, connection);
}

/** Runs steps as they come. `run` throws our errors; those not worth repeating end the job at once. */
export function openStepWorker(
  config: QueueConfig,
  run: (name: StepName, signal: AbortSignal) => Promise<StepResult>,
  log: Logger,
): Worker {
  const connection = connectionFor(config, 'blocking');
  const stop = new AbortController();
  const worker = new Worker(
    QUEUE_NAME,
    async (job: { name: string }) => {
      try {
        return await run(job.name as StepName, stop.signal);
      } catch (error) {
        if (error instanceof TallystickError && !error.retry)
          throw new UnrecoverableError(`${error.code}: ${error.message}`);
        throw error;
      }
    },
    {
      connection,
      concurrency: 5,
      lockDuration: 15_000,
      stalledInterval: 5_000,
      maxStalledCount: 10,
    } as never,
    ...(backendArguments(config) as [never]),
  );
  worker.on('error', (error: Error) => log.error({ err: error }, 'The worker reported an error'));
  worker.on('failed', (job, error) =>
    log.error({ step: job?.name, attempt: job?.attemptsMade, err: error }, 'A step failed'),
  );
  worker.on('stalled', (jobId) => log.warn({ jobId }, 'A job had lost its worker; it is run again'));
  const close = worker.close.bind(worker);
  worker.close = async (force?: boolean) => {
    // A step stops between two effects; what it has not done is done by the next run.
    stop.abort(new TallystickError('Shutting down.', { code: 'STALE_LEASE', retry: true }));
    await close(force);
  };
  return withConnectionClosed(worker as unknown as Worker, connection);
}

/** BullMQ leaves a connection that it was handed open; here whoever closes the one closes the other. */
function withConnectionClosed<Closable extends { close(force?: boolean): Promise<void> }>(
  closable: Closable,
  connection: ConnectionOptions,
): Closable {
  if (!(connection instanceof Redis)) return closable;
  connection.on('error', () => {});
  const close = closable.close.bind(closable);
  closable.close = async (force?: boolean) => {
    await close(force);
    connection.disconnect();
  };
  return closable;
}

/**
 * Adds one run of a step, unless one is waiting already: a tick only says "look at the watermark". A delayed
 * run does not stand in the way of one that is wanted now.
 */
export async function enqueueStep(queue: StepQueue, name: StepName, reason: string, delayMs = 0) {
  if (delayMs > 0) {
    return await queue.add(name, { reason }, { delay: delayMs, deduplication: { id: `${name}-later` } });
  }
  return await queue.add(name, { reason }, { deduplication: { id: name, keepLastIfActive: true } });
}

/** Adds one run of each step, come what may: after a crash a dead process's runs still look alive. */
export async function enqueueAllSteps(queue: StepQueue, names: readonly StepName[], reason: string) {
  await queue.addBulk(names.map((name) => ({ name, data: { reason } })));
}

/**
 * Refuses a Redis that may throw work away, and warns of one that forgets at a restart.
 * @throws TallystickError CONFIG when `maxmemory-policy` is not `noeviction`
 */
export async function checkRedis(redisUrl: string, log: Logger): Promise<void> {
  const redis = new Redis(redisUrl, {
    maxRetriesPerRequest: 1,
    lazyConnect: true,
    retryStrategy: () => null,
  });
  redis.on('error', () => {});
  try {
    await redis.connect();
    const info = await redis.info();
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1];
    if (policy !== undefined && policy !== 'noeviction') {
      throw new TallystickError(
        `Redis evicts keys (maxmemory-policy ${policy}), and with them queued work.`,
        {
          code: 'CONFIG',
          retry: false,
          fix: 'Set maxmemory-policy to noeviction.',
        },
      );
    }
    if (/aof_enabled:0/.test(info)) {
      log.warn('Redis keeps no append-only file: queued work is rebuilt from the ledger after its restart.');
    }
  } catch (error) {
    if (error instanceof TallystickError) throw error;
    throw new TallystickError(`Redis at ${new URL(redisUrl).host} cannot be reached.`, {
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
      cause: error,
      fix: 'Check REDIS_URL and that the server runs, or unset it to use Postgres as the queue.',
    });
  } finally {
    redis.disconnect();
  }
}

/** The store answers in milliseconds, or is as good as away. */
export const PROBE_TIMEOUT_MS = 3_000;
const PROBE_KEY = 'tallystick:probe';

/** Whether Redis takes a write: under `noeviction` a full one still answers every read. */
export async function probeRedis(redisUrl: string): Promise<QueueError | null> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: PROBE_TIMEOUT_MS,
    commandTimeout: PROBE_TIMEOUT_MS,
  });
  redis.on('error', () => {});
  try {
    await redis.connect();
    await redis.set(PROBE_KEY, '1', 'EX', 60);
    return null;
  } catch (error) {
    return isQueueFull(error) ? 'QUEUE_FULL' : 'QUEUE_UNREACHABLE';
  } finally {
    redis.disconnect();
  }
}

/** Redis' refusal of any write beyond `maxmemory`. */
function isQueueFull(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}
