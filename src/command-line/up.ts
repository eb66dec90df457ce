import type { Command } from 'commander';
import type { JobDependencies } from '../../jobs/dependencies.ts';
import { watchQueue } from '../../jobs/queue/monitor.ts';
import { nudgeNextStep } from '../../jobs/queue/nudge.ts';
import {
  enqueueAllSteps,
  enqueueStep,
  openStepQueue,
  openStepWorker,
  type QueueConfig,
  type StepQueue,
} from '../../jobs/queue/queues.ts';
import { scheduleSteps, watchSchedules } from '../../jobs/queue/schedule.ts';
import { runStep, stepNames } from '../../jobs/queue/steps.ts';
import { ENFORCEMENT_CHANNEL } from '../enforcement/changes.ts';
import { createEnforcementState } from '../enforcement/state.ts';
import { describeConfig, loadConfig, requireOutside } from '../platform/config.ts';
import { openChangeFeed } from '../platform/database/change-feed.ts';
import { readApiSettings } from '../platform/http/dependencies.ts';
import { createLogger, type Logger } from '../platform/log.ts';
import { createStopSignal, untilStopped } from '../platform/terminal/stop-signal.ts';
import { createWebhooks, startHttpServer } from '../service/http-server.ts';
import { createJobDependencies, openStores } from '../service/services.ts';

/** A stop that takes longer than this is cut off; everything not committed is done again at the next start. */
const STOP_LIMIT_MS = 20_000;
/** What jobs, requests and the queue's connections have of it; the rest is for the ledger. */
const CLOSE_LIMIT_MS = 14_000;

interface Roles {
  api: boolean;
  jobs: boolean;
}

export function addServiceCommands(program: Command): void {
  const commands: [string, string, Roles][] = [
    ['up', 'serve the API and run the jobs, in one process', { api: true, jobs: true }],
    ['serve', 'serve the API and webhooks only', { api: true, jobs: false }],
    ['work', 'run the jobs only; start as many as you like', { api: false, jobs: true }],
  ];
  for (const [name, description, roles] of commands) {
    program
      .command(name)
      .description(description)
      .addHelpText(
        'after',
        '\nReads its settings from the environment (see README). "tallystick doctor" checks them first.\nSIGINT or SIGTERM stops it cleanly.',
      )
      .action(() => runService(roles));
  }
}

async function runService(roles: Roles): Promise<void> {
  const config = loadConfig(process.env);
  // Before any store is opened: what cannot start leaves no database behind.
  requireOutside(config);
  const log = createLogger(config.LOG_LEVEL);
  const stop = createStopSignal();
  const stores = await openStores(config, log);
  try {
    const deps = createJobDependencies(config, { database: stores.database, log });
    log.info({ config: describeConfig(config) }, 'starting');
    const queue = openStepQueue(stores.queue, log);
    const feed = openChangeFeed({ databaseUrl: stores.databaseUrl, channel: ENFORCEMENT_CHANNEL });
    const settings = readApiSettings(config);
    const server = roles.api
      ? await startHttpServer(
          {
            database: deps.database,
            billing: deps.billing,
            invoicing: deps.invoicing,
            clock: deps.clock,
            log,
            webhooks: createWebhooks(deps.database, deps.clock, config, queue, log),
            settings,
            enforcement: createEnforcementState({
              database: deps.database,
              clock: deps.clock,
              stopsUnknown: settings.stopsUnknownCallers,
              feed,
            }),
            enqueueStep: async (step, reason) => void (await enqueueStep(queue, step, reason)),
          },
          { host: config.HOST, port: config.PORT },
        )
      : null;
    const worker = roles.jobs
      ? openStepWorker(
          stores.queue,
          async (name, signal) => {
            const result = await runStep(deps, name, signal);
            await nudgeNextStep(queue, name, result, deps.settings, log);
            return result;
          },
          log,
        )
      : null;
    const stopWatching = roles.jobs ? await beginWork(queue, stores.queue, deps) : async () => {};
    log.info({ url: server?.url, jobs: roles.jobs }, 'ready');
    await untilStopped(stop);
    log.info('stopping');
    setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
    const closing = Promise.all([stopWatching(), server?.close(), worker?.close(), feed.close()]).then(() =>
      queue.close(),
    );
    await closeWithin(CLOSE_LIMIT_MS, closing, log);
  } finally {
    await stores.close();
  }
  log.info('stopped');
  // Calls that nobody waits for any more, to systems that hang, would keep the process alive.
  process.exit();
}

/** Waits for an orderly end; a queue whose server is gone has none. */
async function closeWithin(limitMs: number, closing: Promise<unknown>, log: Logger): Promise<void> {
  const late = Symbol('late');
  const limit = new Promise<symbol>((resolve) => setTimeout(() => resolve(late), limitMs).unref());
  if ((await Promise.race([closing, limit])) === late) {
    log.warn({ limitMs }, 'Not everything closed in time; what is not committed is done again');
  }
}

/** Puts the schedules in place and watches over them and the queue. Returns the way to end that. */
async function beginWork(
  queue: StepQueue,
  config: QueueConfig,
  deps: JobDependencies,
): Promise<() => Promise<void>> {
  const { database, clock, log } = deps;
  const names = stepNames(deps);
  try {
    await scheduleSteps(queue, names);
    // What a dead process left is looked at now, and not at the next tick.
    await enqueueAllSteps(queue, names, 'start');
  } catch (err) {
    // Full, or gone for a moment: the watchers put it right once there is room.
    log.error({ err }, 'The queue takes no work yet');
  }
  const stopWatchingSchedules = watchSchedules(queue, log, undefined, names);
  const stopWatchingQueue = watchQueue({ queue, config, database, clock, log, names });
  return async () => {
    stopWatchingSchedules();
    await stopWatchingQueue();
  };
}
