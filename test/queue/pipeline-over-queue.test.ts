import { afterEach, describe, expect, it } from 'vitest';
import { enqueueStep, openStepQueue, openStepWorker } from '../../jobs/queue/queues.ts';
import { runStep, STEP_NAMES, type StepName } from '../../jobs/queue/steps.ts';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';
import { backends, until } from './backends.ts';

/** `unknown`: it was one with a job that has run already. */
const SETTLED = ['completed', 'failed', 'unknown'];

describe.each(backends)('the pipeline with its queue in $name', (backend) => {
  let close = async () => {};
  afterEach(() => close());

  /** The real steps behind a real queue; `tick` asks for all of them, each by two who know nothing of each other. */
  async function open() {
    const pipeline: Pipeline = await openPipeline();
    const running = await backend.start();
    const { log } = pipeline.deps;
    const queue = openStepQueue(running.config, log);
    let worker = openStepWorker(running.config, (name, signal) => runStep(pipeline.deps, name, signal), log);
    close = async () => {
      await worker.close();
      await queue.close();
      await running.stop();
      await pipeline.close();
    };
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
    const ask = async (name: StepName) => {
      const jobs = await Promise.all([enqueueStep(queue, name, 'one'), enqueueStep(queue, name, 'two')]);
      // The jobs' own state: a notification that is missed says nothing of whether a step ran.
      for (const job of jobs) {
        await until(async () => SETTLED.includes(await job.getState()), `${name} has run`);
        expect(await job.getState(), `${name}: ${job.failedReason}`).not.toBe('failed');
      }
    };
    return {
      pipeline,
      tick: async (hours: number) => {
        pipeline.advance(hours);
        for (const name of STEP_NAMES) await ask(name);
      },
      forgetEverything: () => running.forgetEverything(queue),
      restartWorker: async () => {
        await worker.close();
        worker = openStepWorker(running.config, (name, signal) => runStep(pipeline.deps, name, signal), log);
        await worker.waitUntilReady();
      },
    };
  }

  it('bills every token once, though the queue forgot everything and the worker was replaced on the way', async () => {
    const { pipeline, tick, forgetEverything, restartWorker } = await open();
    pipeline.traffic.inject([0, 2, 4, 6].flatMap((hour) => makeCall({ hour })));
    await tick(2);
    await forgetEverything();
    await tick(2);
    await restartWorker();
    await tick(2);
    await forgetEverything();
    await tick(2);
    await tick(2);
    expect(await balance(pipeline)).toMatchObject({
      source: 480n,
      metered: 480n,
      billed: 480n,
      due: 0n,
      quarantined: 0n,
      drift: 0n,
    });
  });
});
