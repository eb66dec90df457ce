import type { Worker } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchQueue } from '../../jobs/queue/monitor.ts';
import { nudgeNextStep } from '../../jobs/queue/nudge.ts';
import {
  enqueueStep,
  openStepQueue,
  openStepWorker,
  QUEUE_NAME,
  type QueueConfig,
  type StepQueue,
} from '../../jobs/queue/queues.ts';
import { runStep, type StepName, UNKNOWN_STEP } from '../../jobs/queue/steps.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { readPipelineStatus } from '../../src/status/status.ts';
import { openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { type Backend, backends, until } from './backends.ts';

describe.each(backends)('trouble in the queue over $name', (backend) => {
  let pipeline: Pipeline;
  let running: Awaited<ReturnType<Backend['start']>>;
  let config: QueueConfig;
  let queue: StepQueue;
  const workers: Worker[] = [];
  let stopWatching: (() => Promise<void>) | undefined;

  beforeEach(async () => {
    pipeline = await openPipeline();
    running = await backend.start();
    config = running.config;
    queue = openStepQueue(config, pipeline.deps.log);
    await queue.waitUntilReady();
  });
  afterEach(async () => {
    await stopWatching?.();
    stopWatching = undefined;
    await Promise.all(workers.splice(0).map((worker) => worker.close()));
    await queue.close();
    await running.stop();
    await pipeline.close();
  });

  /** The real steps behind the queue, as the service runs them. */
  async function work(): Promise<void> {
    const { deps } = pipeline;
    const worker = openStepWorker(
      config,
      async (name, signal) => {
        const result = await runStep(deps, name, signal);
        await nudgeNextStep(queue, name, result, deps.settings, deps.log);
        return result;
      },
      deps.log,
    );
    workers.push(worker);
    await worker.waitUntilReady();
  }

  function watch(): void {
    const { database, clock, log } = pipeline.deps;
    stopWatching = watchQueue({ queue, config, database, clock, log, names: ['collect-usage'] }, 50);
  }

  const status = () => readPipelineStatus(pipeline.deps.database);
  const stepRun = async (step: string) => (await status()).steps.find((run) => run.step === step);
  const queueState = async () => (await status()).queues.find((state) => state.queue === QUEUE_NAME);

  it('a step that always fails ends as a failed run after its attempts, with its code, and blocks no other', async () => {
    pipeline.advance(2);
    pipeline.deps.source = {
      ...pipeline.deps.source,
      queryRows: () => Promise.reject(new Error('a bug of ours')),
    };
    watch();
    await queue.add(
      'collect-usage',
      { reason: 'test' },
      { attempts: 3, backoff: { type: 'fixed', delay: 10 } },
    );
    await enqueueStep(queue, 'ingest-events', 'test');
    await work();
    await until(async () => (await queueState())?.failedCount === 1n, 'it has failed for good');
    expect(await stepRun('collect-usage')).toMatchObject({
      lastError: 'INTERNAL',
      failedCount: 3n,
      runCount: 3n,
      lastSucceededAt: null,
    });
    expect(await stepRun('ingest-events')).toMatchObject({ lastError: null, failedCount: 0n });
    // And the step itself runs again as soon as it is asked for.
    await enqueueStep(queue, 'collect-usage', 'again');
    await until(async () => ((await stepRun('collect-usage'))?.runCount ?? 0n) > 3n, 'it runs again');
  });

  it('a job of no known step ends at once as a recorded failure, and blocks no other', async () => {
    watch();
    const poison = ['drop table users', '__proto__', 'constructor', ''] as string[] as StepName[];
    for (const name of poison) await queue.add(name, { reason: 'poison' });
    await queue.add('ingest-events', 'no object' as never);
    await work();
    await until(async () => (await queueState())?.failedCount === 4n, 'all of them have ended');
    expect(await stepRun(UNKNOWN_STEP)).toMatchObject({
      lastError: 'UNKNOWN_STEP',
      failedCount: 4n,
      runCount: 4n,
    });
    await until(async () => (await stepRun('ingest-events'))?.lastSucceededAt != null, 'the other one ran');
    expect((await status()).steps.map((run) => run.step).sort()).toEqual(['ingest-events', UNKNOWN_STEP]);
  });

  it('a backlog shows, with how long its head waits', async () => {
    watch();
    const askedMs = Date.now();
    for (let index = 0; index < 7; index += 1) await queue.add('push-usage', { reason: `backlog ${index}` });
    await enqueueStep(queue, 'push-usage', 'later', 3_600_000);
    // A look may fall between the seventh and the one that is for later.
    await until(async () => {
      const state = await queueState();
      return state?.waitingCount === 7n && state.delayedCount > 0n;
    }, 'seven wait, and one is for later');
    const state = await queueState();
    expect(state).toMatchObject({
      backend: config.redisUrl === undefined ? 'postgres' : 'redis',
      delayedCount: 1n,
      activeCount: 0n,
      error: null,
    });
    expect(state?.oldestWaitingAt?.getTime()).toBeGreaterThanOrEqual(askedMs - 1_000);
    expect(state?.oldestWaitingAt?.getTime()).toBeLessThanOrEqual(Date.now() + 1_000);
  });

  it('a step whose holder died shows as abandoned, with its age, and is taken over', async () => {
    const { database } = pipeline.deps;
    await database
      .insertInto('step_leases')
      .values({
        step: 'ingest-events',
        lease_token: 'of the dead',
        holder: 'gone-host:4711',
        acquired_at: new Date(Date.now() - 120_000),
        expires_at: new Date(Date.now() + 3_600_000),
      })
      .execute();
    await work();
    await enqueueStep(queue, 'ingest-events', 'too early');
    await until(async () => (await queue.getDelayedCount()) > 0, 'a later look is planned');
    expect((await status()).leases).toMatchObject([{ step: 'ingest-events', isAbandoned: false }]);
    expect(await stepRun('ingest-events')).toBeUndefined();
    await database
      .updateTable('step_leases')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .execute();
    const [lease] = (await status()).leases;
    expect(lease).toMatchObject({ holder: 'gone-host:4711', isAbandoned: true });
    expect(lease?.ageSeconds).toBeGreaterThan(115);
    await until(async () => (await stepRun('ingest-events'))?.lastSucceededAt != null, 'it is taken over');
    expect((await status()).leases).toEqual([]);
  });

  it('a running step shows who runs it, and for how long', async () => {
    await withStepLease(pipeline.deps.database, 'push-usage', async () => {
      const [lease] = (await status()).leases;
      expect(lease).toMatchObject({ step: 'push-usage', isAbandoned: false });
      expect(lease?.holder).toContain(`:${process.pid}`);
      expect(lease?.ageSeconds).toBeLessThan(60);
    });
  });

  it('a job whose worker died is run again by another', async () => {
    const dead = openStepWorker(config, () => new Promise(() => {}), pipeline.deps.log);
    await dead.waitUntilReady();
    await enqueueStep(queue, 'ingest-events', 'test');
    await until(async () => (await queue.getActiveCount()) === 1, 'the first worker has it');
    // Nothing of it is heard any more: no renewal, no end, as after a kill. Its lock lapses after 15 seconds.
    await dead.close(true);
    await work();
    await until(async () => (await stepRun('ingest-events'))?.lastSucceededAt != null, 'it ran');
    await until(async () => (await queue.getActiveCount()) === 0, 'nothing hangs');
  });
});
