import { enqueueStep, openStepQueue } from '../../../jobs/queue/queues.ts';
import type { StepName } from '../../../jobs/queue/steps.ts';
import type { Logger } from '../../platform/log.ts';
import { workerLog } from './log.ts';

/**
 * Puts one run of a step into the pipeline's queue: Redis when `REDIS_URL` is set, else the ledger's own
 * database. Opened and closed within the request, because a Worker's sockets end with it.
 * @throws whatever the queue throws; the event is recorded by then, so nothing is lost
 */
export async function enqueueOnce(
  config: { REDIS_URL?: string | undefined; DATABASE_URL: string },
  step: StepName,
  reason: string,
): Promise<void> {
  // Only these three levels are used by a producer.
  const log = workerLog as unknown as Logger;
  const queue = openStepQueue({ redisUrl: config.REDIS_URL, databaseUrl: config.DATABASE_URL }, log);
  try {
    await enqueueStep(queue, step, reason);
  } finally {
    await queue.close();
  }
}
