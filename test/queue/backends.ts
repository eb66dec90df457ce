import { setTimeout as sleep } from 'node:timers/promises';
import type { QueueConfig, StepQueue } from '../../jobs/queue/queues.ts';
import { unscheduleSteps } from '../../jobs/queue/schedule.ts';
import { createTestLedger } from '../setup/ledger.ts';
import { hasRedisServer, startTestRedis } from '../setup/redis.ts';

/** Ends a wait for what never comes; a loaded machine is slow. */
export const WAIT_MS = 150_000;

/** One place in which the queue can live, started for a test file. */
export interface Backend {
  name: string;
  start(): Promise<{
    config: QueueConfig;
    /** What the queue would be after its store was emptied. */
    forgetEverything(queue: StepQueue): Promise<unknown>;
    stop(): Promise<void>;
  }>;
}

const postgres: Backend = {
  name: 'Postgres',
  async start() {
    const ledger = await createTestLedger();
    return {
      config: { redisUrl: undefined, databaseUrl: ledger.databaseUrl },
      async forgetEverything(queue) {
        await unscheduleSteps(queue);
        await queue.obliterate({ force: true });
      },
      stop: () => ledger.close(),
    };
  },
};

const redis: Backend = {
  name: 'Redis',
  async start() {
    const server = await startTestRedis();
    return {
      config: { redisUrl: server.url, databaseUrl: 'postgres://nobody@127.0.0.1:1/never-asked' },
      forgetEverything: () => server.client.flushall(),
      stop: () => server.stop(),
    };
  },
};

/** Postgres always; Redis where there is one. */
export const backends: Backend[] = [postgres, ...(hasRedisServer() ? [redis] : [])];

/** Resolves when `condition` holds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  waitMs = WAIT_MS,
): Promise<void> {
  const deadline = Date.now() + waitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Not within ${waitMs} ms: ${what}`);
    await sleep(20);
  }
}
