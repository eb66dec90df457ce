import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchQueue } from '../../jobs/queue/monitor.ts';
import { nudgeNextStep } from '../../jobs/queue/nudge.ts';
import { enqueueStep, openStepQueue, openStepWorker, type StepQueue } from '../../jobs/queue/queues.ts';
import { scheduleSteps, watchSchedules } from '../../jobs/queue/schedule.ts';
import { runStep, STEP_NAMES } from '../../jobs/queue/steps.ts';
import { readPipelineStatus } from '../../src/status/status.ts';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../setup/redis.ts';
import { makeCall } from '../setup/rows.ts';
import { until } from './backends.ts';

describe.runIf(hasRedisServer())('a Redis in trouble', () => {
  let pipeline: Pipeline;
  let redis: TestRedis;
  let queue: StepQueue;
  let worker: Worker | undefined;
  const ends: (() => unknown)[] = [];

  beforeEach(async () => {
    pipeline = await openPipeline();
    redis = await startTestRedis();
    queue = openStepQueue({ redisUrl: redis.url, databaseUrl: 'postgres://nobody' }, pipeline.deps.log);
    await queue.waitUntilReady();
  });
  afterEach(async () => {
    redis.resume();
    await makeRoom();
    for (const end of ends.splice(0)) await end();
    await worker?.close();
    worker = undefined;
    await queue.close();
    await redis.stop();
    await pipeline.close();
  });

  /** Less than the server itself takes: `noeviction` refuses every write from now on. */
  const fill = () => redis.client.config('SET', 'maxmemory', '1mb');
  const makeRoom = () => redis.client.config('SET', 'maxmemory', '0');

  async function work(): Promise<void> {
    const { deps } = pipeline;
    const config = { redisUrl: redis.url, databaseUrl: 'postgres://nobody' };
    worker = openStepWorker(
      config,
      async (name, signal) => {
        const result = await runStep(deps, name, signal);
        await nudgeNextStep(queue, name, result, deps.settings, deps.log);
        return result;
      },
      deps.log,
    );
    await worker.waitUntilReady();
  }

  /** As the service does: steps run, and schedules and queue are watched. */
  async function serve(): Promise<void> {
    await work();
    const config = { redisUrl: redis.url, databaseUrl: 'postgres://nobody' };
    const { database, clock, log } = pipeline.deps;
    ends.push(watchSchedules(queue, log, 100));
    ends.push(watchQueue({ queue, config, database, clock, log, names: STEP_NAMES }, 100));
  }

  const state = async () => (await readPipelineStatus(pipeline.deps.database)).queues[0];
  const runCount = async (step: string) =>
    (await readPipelineStatus(pipeline.deps.database)).steps.find((run) => run.step === step)?.runCount ?? 0n;

  it('that is full shows as such, with since when, and the pipeline goes on once there is room', async () => {
    await serve();
    await scheduleSteps(queue);
    await until(async () => (await runCount('reconcile')) > 0n, 'all is well at first');
    await until(async () => (await state())?.error === null, 'the queue takes work');

    await fill();
    await until(async () => (await state())?.error === 'QUEUE_FULL', 'that it is full shows');
    const since = (await state())?.failingSince;
    await expect(enqueueStep(queue, 'push-usage', 'by hand')).rejects.toThrow('OOM');
    pipeline.traffic.inject(makeCall({}));
    await sleep(500);
    expect((await state())?.failingSince).toEqual(since);
    expect((await state())?.observedAt).not.toBeNull();

    await makeRoom();
    // Nobody asks: the steps are asked for because there is room again.
    for (let hours = 0; hours < 8; hours += 2) {
      pipeline.advance(2);
      const before = await runCount('push-usage');
      if (hours > 0) for (const name of STEP_NAMES) await enqueueStep(queue, name, 'the next tick');
      await until(async () => (await runCount('push-usage')) > before, 'steps run again');
      await until(async () => (await queue.getActiveCount()) === 0, 'they have ended');
    }
    expect(await state()).toMatchObject({ error: null, failingSince: null });
    expect(await balance(pipeline)).toMatchObject({ source: 120n, billed: 120n, due: 0n, drift: 0n });
  });

  it('that fills up while a step runs does not make it fail, and its job is not lost', async () => {
    await serve();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { source } = pipeline.deps;
    pipeline.advance(2);
    pipeline.traffic.inject(makeCall({}));
    let began = false;
    pipeline.deps.source = {
      ...source,
      queryRows: async (query, signal) => {
        began = true;
        await held;
        return await source.queryRows(query, signal);
      },
    };
    await enqueueStep(queue, 'collect-usage', 'test');
    await until(() => began, 'it runs');
    await fill();
    release();
    const collected = async () => {
      const { steps } = await readPipelineStatus(pipeline.deps.database);
      return steps.find((run) => run.step === 'collect-usage');
    };
    await until(async () => (await collected())?.lastSucceededAt != null, 'the step has done its work');
    expect(await collected()).toMatchObject({ failedCount: 0n, lastError: null });
    await makeRoom();
    await until(async () => (await queue.getActiveCount()) === 0, 'its job ends');
    expect(await queue.getFailedCount()).toBe(0);
  });

  it('that is full at the start is waited for', async () => {
    await fill();
    await serve();
    await until(async () => (await state())?.error === 'QUEUE_FULL', 'that it is full shows');
    expect(await runCount('collect-usage')).toBe(0n);
    await makeRoom();
    await until(async () => (await runCount('collect-usage')) > 0n, 'it works');
    await until(
      async () => (await queue.getJobSchedulersCount()) === STEP_NAMES.length,
      'schedules are there',
    );
  });

  it('that answers nobody shows as such, too, and keeps the counts of the last look', async () => {
    await serve();
    await until(async () => (await state())?.error === null, 'the queue takes work');
    redis.pause();
    let before = await state();
    await until(async () => {
      const now = await state();
      if (now?.error === null) before = now;
      return now?.error === 'QUEUE_UNREACHABLE';
    }, 'that it is away shows');
    expect((await state())?.waitingCount).toEqual(before?.waitingCount);
    redis.resume();
    await until(async () => (await state())?.error === null, 'it takes work again');
  });

  it('with a job whose stored data is damaged blocks no other, and hides no counts', async () => {
    const damaged = await queue.add('collect-usage', { reason: 'test' });
    await redis.client.hset(queue.toKey(damaged.id ?? ''), 'data', '{no json');
    const { database, clock, log } = pipeline.deps;
    const config = { redisUrl: redis.url, databaseUrl: 'postgres://nobody' };
    ends.push(watchQueue({ queue, config, database, clock, log, names: STEP_NAMES }, 100));
    await until(async () => (await state())?.waitingCount === 1n, 'it is counted');
    expect(await state()).toMatchObject({ error: null });
    await work();
    await enqueueStep(queue, 'ingest-events', 'test');
    await until(async () => (await runCount('ingest-events')) > 0n, 'the other one runs');
    expect(await runCount('collect-usage')).toBe(0n);
  });
});
