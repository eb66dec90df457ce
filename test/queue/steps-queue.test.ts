import { setTimeout as sleep } from 'node:timers/promises';
import type { QueueEvents, Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  enqueueStep,
  openStepEvents,
  openStepQueue,
  openStepWorker,
  type StepQueue,
} from '../../jobs/queue/queues.ts';
import {
  findStoppedSchedules,
  scheduleSteps,
  unscheduleSteps,
  watchSchedules,
} from '../../jobs/queue/schedule.ts';
import { STEP_NAMES, type StepName, type StepResult } from '../../jobs/queue/steps.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { createLogger } from '../../src/platform/log.ts';
import { type Backend, backends, until, WAIT_MS } from './backends.ts';

const LOG = createLogger('silent');
describe.each(backends)('the queue of steps over $name', (backend) => {
  let running: Awaited<ReturnType<Backend['start']>>;
  let queue: StepQueue;
  let events: QueueEvents;
  let worker: Worker | undefined;
  let runs: StepName[];

  beforeAll(async () => {
    running = await backend.start();
    queue = openStepQueue(running.config, LOG);
    events = openStepEvents(running.config, LOG);
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  });
  beforeEach(() => {
    runs = [];
  });
  afterEach(async () => {
    await worker?.close();
    worker = undefined;
    await unscheduleSteps(queue);
    await queue.obliterate({ force: true });
  });
  afterAll(async () => {
    await Promise.all([queue.close(), events.close()]);
    await running.stop();
  });

  /** A worker whose steps do what the test says. */
  async function work(
    step: (name: StepName, signal: AbortSignal) => Promise<StepResult> | StepResult = () => ({ ran: true }),
  ): Promise<void> {
    worker = openStepWorker(
      running.config,
      async (name, signal) => {
        runs.push(name);
        return await step(name, signal);
      },
      LOG,
    );
    await worker.waitUntilReady();
  }

  it('runs a step and hands its result on', async () => {
    await work((name) => ({ ran: true, step: name, releasedTokenCount: '12' }));
    const job = await enqueueStep(queue, 'push-usage', 'test');
    expect(await job.waitUntilFinished(events, WAIT_MS)).toEqual({
      ran: true,
      step: 'push-usage',
      releasedTokenCount: '12',
    });
  });

  it('runs every step by its schedule, without anybody asking', async () => {
    await work();
    await scheduleSteps(queue);
    await until(() => new Set(runs).size === STEP_NAMES.length, 'all steps ran');
    expect(await findStoppedSchedules(queue, Date.now())).toEqual([]);
  });

  it('keeps the rhythm of schedules that are put in place again', async () => {
    await scheduleSteps(queue);
    const before = await queue.getJobSchedulers(0, 100, true);
    await scheduleSteps(queue);
    expect((await queue.getJobSchedulers(0, 100, true)).map(({ key, every }) => [key, every])).toEqual(
      before.map(({ key, every }) => [key, every]),
    );
    expect(before.length).toBe(STEP_NAMES.length);
  });

  it('runs a step once that was asked for twice before it began', async () => {
    await enqueueStep(queue, 'ingest-events', 'one');
    await enqueueStep(queue, 'ingest-events', 'two');
    await enqueueStep(queue, 'collect-usage', 'other');
    await work();
    await until(() => runs.length >= 2, 'both steps ran');
    await sleep(200);
    expect(runs.sort()).toEqual(['collect-usage', 'ingest-events']);
  });

  it('runs a step once more that was asked for while it ran, however often', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await work(async () => {
      if (runs.length === 1) await held;
      return { ran: true };
    });
    await enqueueStep(queue, 'ingest-events', 'one');
    await until(() => runs.length === 1, 'the step runs');
    for (const reason of ['two', 'three', 'four']) await enqueueStep(queue, 'ingest-events', reason);
    release();
    await until(() => runs.length === 2, 'the step ran again');
    await sleep(300);
    expect(runs).toEqual(['ingest-events', 'ingest-events']);
  });

  it('runs a step again that was asked for after it had ended', async () => {
    await work();
    for (const reason of ['one', 'two']) {
      const runCount = runs.length;
      // Asked for just as the one before ends, the job is kept and added under another id than the one told here.
      await enqueueStep(queue, 'ingest-events', reason);
      await until(() => runs.length > runCount, `${reason} has run`);
    }
    expect(runs.length).toBe(2);
  });

  it('ends at once a step whose error is not worth a repetition, and says which', async () => {
    await work(() => {
      throw new TallystickError('The key is wrong.', { code: 'UPSTREAM_REJECTED', retry: false });
    });
    const job = await enqueueStep(queue, 'push-usage', 'test');
    await expect(job.waitUntilFinished(events, WAIT_MS)).rejects.toThrow(
      'UPSTREAM_REJECTED: The key is wrong.',
    );
    await sleep(300);
    expect(runs.length).toBe(1);
    expect(await queue.getFailedCount()).toBe(1);
    // A failed run is not in the way of the next.
    const next = await enqueueStep(queue, 'push-usage', 'again');
    await expect(next.waitUntilFinished(events, WAIT_MS)).rejects.toThrow('The key is wrong.');
    expect(runs.length).toBe(2);
  });

  it('repeats a step whose error may pass', async () => {
    await work(() => {
      if (runs.length === 1) throw new TallystickError('Busy.', { code: 'UPSTREAM_THROTTLED', retry: true });
      return { ran: true };
    });
    const job = await enqueueStep(queue, 'push-usage', 'test');
    expect(await job.waitUntilFinished(events, WAIT_MS)).toEqual({ ran: true });
    expect(runs.length).toBe(2);
  });

  it('lets a running step end when the worker closes, and tells it to hurry', async () => {
    let ended = false;
    let told: unknown;
    await work(async (_name, signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      told = signal.reason;
      await sleep(150);
      ended = true;
      return { ran: true };
    });
    const job = await enqueueStep(queue, 'aggregate-usage', 'test');
    const finished = job.waitUntilFinished(events, WAIT_MS);
    await until(() => runs.length === 1, 'the step runs');
    await worker?.close();
    expect(ended).toBe(true);
    expect(told).toMatchObject({ code: 'STALE_LEASE', retry: true });
    expect(await finished).toEqual({ ran: true });
    expect(await queue.getActiveCount()).toBe(0);
    worker = undefined;
  });

  it('leaves a step that was cut short by the closing to the next worker', async () => {
    await work(async (_name, signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      signal.throwIfAborted();
      return { ran: true };
    });
    const job = await enqueueStep(queue, 'aggregate-usage', 'test');
    await until(() => runs.length === 1, 'the step runs');
    await worker?.close();
    await work();
    expect(await job.waitUntilFinished(events, WAIT_MS)).toEqual({ ran: true });
    expect(runs.length).toBe(2);
  });

  it('is put right by the watchdog when a schedule is gone', async () => {
    await scheduleSteps(queue);
    await queue.removeJobScheduler('collect-usage');
    await queue.removeJobScheduler('push-usage');
    expect(await findStoppedSchedules(queue, Date.now())).toEqual(['collect-usage', 'push-usage']);
    const stopWatching = watchSchedules(queue, LOG, 50);
    await until(
      async () => (await findStoppedSchedules(queue, Date.now())).length === 0,
      'schedules are back',
    );
    stopWatching();
    await work();
    await until(() => runs.includes('collect-usage') && runs.includes('push-usage'), 'they fire');
  });

  it('is put right by the watchdog when a schedule has stopped firing', async () => {
    await scheduleSteps(queue);
    const inThreeDays = Date.now() + 72 * 3_600_000;
    expect((await findStoppedSchedules(queue, inThreeDays)).sort()).toEqual([...STEP_NAMES].sort());
  });

  it('is rebuilt by the watchdog after the backend lost everything', async () => {
    await work();
    await scheduleSteps(queue);
    await until(() => new Set(runs).size === STEP_NAMES.length, 'all steps ran');
    const stopWatching = watchSchedules(queue, LOG, 50);
    await running.forgetEverything(queue);
    runs.splice(0);
    await until(() => new Set(runs).size === STEP_NAMES.length, 'all steps ran again');
    const job = await enqueueStep(queue, 'push-usage', 'by hand');
    expect(await job.waitUntilFinished(events, WAIT_MS)).toEqual({ ran: true });
    stopWatching();
  });
});
