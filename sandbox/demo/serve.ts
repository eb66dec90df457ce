import { nudgeNextStep } from '../../jobs/queue/nudge.ts';
import { enqueueStep, openStepQueue, openStepWorker, type StepQueue } from '../../jobs/queue/queues.ts';
import { scheduleSteps, unscheduleSteps, watchSchedules } from '../../jobs/queue/schedule.ts';
import { runStep, stepNames } from '../../jobs/queue/steps.ts';
import { createApiKey, listApiKeys, revokeApiKey } from '../../src/identity/api-keys.ts';
import { createSignInLink } from '../../src/identity/sessions/sign-in-links.ts';
import { type Config, describeConfig, loadConfig } from '../../src/platform/config.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { type AskableStep, readApiSettings } from '../../src/platform/http/dependencies.ts';
import type { Logger } from '../../src/platform/log.ts';
import { untilStopped } from '../../src/platform/terminal/stop-signal.ts';
import { createWebhooks, startHttpServer } from '../../src/service/http-server.ts';
import type { DemoWorld } from './world.ts';

export interface ServedDemo {
  url: string;
  /** Of this start only: the next one ends it and makes another. */
  plainKey: string;
  /** Signs one browser in to the console as that key, once. */
  signInUrl: string;
}

/** Serves API and jobs, says so, and waits for the end; virtual time goes on from where the demo ended, as fast as real time. */
export async function serveDemo(
  world: DemoWorld,
  config: Config,
  log: Logger,
  { stop, told }: { stop: AbortSignal; told(served: ServedDemo): Promise<void> },
): Promise<void> {
  const { database } = world.deps;
  await world.sandbox.runWithRealTime();
  world.clock.runWithRealTime();
  for (const earlier of await listApiKeys(database)) {
    if (earlier.name === 'demo' && earlier.revokedAt === null)
      await revokeApiKey(database, earlier.apiKeyId, { actor: 'demo', now: world.clock.now() });
  }
  const { plainKey, key } = await createApiKey(database, {
    name: 'demo',
    scopes: ['admin'],
    actor: 'demo',
    now: world.clock.now(),
  });
  const queue = openStepQueue(world.stores.queue, log);
  const server = await startOnFreePort(world, config, log, queue);
  // It may have become another port than its alerts were told.
  if (world.deps.alerts !== undefined) world.deps.alerts.publicUrl = config.PUBLIC_URL ?? server.url;
  world.tellCommands({ HOST: config.HOST, PORT: new URL(server.url).port });
  const worker = openStepWorker(
    world.stores.queue,
    async (name, signal) => {
      const result = await runStep(world.deps, name, signal);
      await nudgeNextStep(queue, name, result, world.deps.settings, log);
      return result;
    },
    log,
  );
  await scheduleSteps(queue, stepNames(world.deps));
  const stopWatching = watchSchedules(queue, log, undefined, stepNames(world.deps));
  const signInPath = await createSignInLink(database, key.apiKeyId);
  const browsersReach = (config.PUBLIC_URL ?? server.url).replace(/\/$/, '');
  await told({ url: server.url, plainKey, signInUrl: `${browsersReach}${signInPath}` });
  await untilStopped(stop);
  stopWatching();
  await server.close();
  await unscheduleSteps(queue);
  await worker.close();
  await queue.close();
}

async function startOnFreePort(world: DemoWorld, config: Config, log: Logger, queue: StepQueue) {
  const app = {
    database: world.deps.database,
    billing: world.deps.billing,
    invoicing: world.deps.invoicing,
    clock: world.clock,
    log,
    webhooks: createWebhooks(world.deps.database, world.clock, config, queue, log),
    // What the pipeline was pointed at, and not what the demo's own process was started with.
    settings: {
      ...readApiSettings(config),
      configuration: describeConfig(loadConfig({ ...process.env, ...world.environment })),
    },
    enqueueStep: async (step: AskableStep, reason: string) => void (await enqueueStep(queue, step, reason)),
  };
  try {
    return await startHttpServer(app, { host: config.HOST, port: config.PORT });
  } catch (error) {
    // Nobody asked for this very port: the demo takes another one rather than none.
    if (!(error instanceof TallystickError) || process.env.PORT !== undefined) throw error;
    return await startHttpServer(app, { host: config.HOST, port: 0 });
  }
}
