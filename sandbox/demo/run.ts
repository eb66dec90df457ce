import { nudgeNextStep } from '../../jobs/queue/nudge.ts';
import { enqueueStep, openStepQueue, openStepWorker, type StepQueue } from '../../jobs/queue/queues.ts';
import { scheduleSteps, unscheduleSteps, watchSchedules } from '../../jobs/queue/schedule.ts';
import { runStep, stepNames } from '../../jobs/queue/steps.ts';
import { readCloseTotals } from '../../src/closing/totals.ts';
import { createApiKey, listApiKeys, revokeApiKey } from '../../src/identity/api-keys.ts';
import { type Config, loadConfig } from '../../src/platform/config.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { type AskableStep, readApiSettings } from '../../src/platform/http/dependencies.ts';
import { createLogger, type Logger } from '../../src/platform/log.ts';
import { createStopSignal, untilStopped } from '../../src/platform/terminal/stop-signal.ts';
import { createWebhooks, startHttpServer } from '../../src/service/http-server.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { driveDemo } from './drive.ts';
import { renderMonths, runMonths } from './months.ts';
import { createDemoProgress } from './progress.ts';
import { buildReport, renderReport } from './report.ts';
import { type DemoSettings, readDemoSettings } from './settings.ts';
import { type DemoWorld, openDemoWorld } from './world.ts';

/** Plays the demo, prints its report and serves the result, unless told otherwise. */
export async function runDemo(options: Record<string, unknown>): Promise<void> {
  const settings = readDemoSettings(options);
  const config = loadConfig(process.env);
  const log = createLogger(process.env.LOG_LEVEL === undefined ? 'warn' : config.LOG_LEVEL);
  const stop = createStopSignal();
  const startedMs = performance.now();
  const world = await openDemoWorld(config, settings, log);
  try {
    if (settings.monthCount !== null) {
      await playMonths(world, settings, stop);
      return;
    }
    const progress = createDemoProgress(settings.dayCount);
    try {
      await driveDemo({
        deps: world.deps,
        queueConfig: world.stores.queue,
        sandbox: world.sandbox,
        clock: world.clock,
        startMs: settings.startMs,
        trafficEndMs: world.trafficEndMs,
        onProgress: (now) => progress.show(now),
        signal: stop,
      });
    } finally {
      progress.stop();
    }
    const [sandboxTotals, ledgerTotals, closeTotals] = await Promise.all([
      world.sandbox.readTotals(),
      readTokenTotals(world.deps.database),
      readCloseTotals(world.deps.database),
    ]);
    const report = buildReport(
      settings,
      sandboxTotals,
      ledgerTotals,
      closeTotals,
      (performance.now() - startedMs) / 1_000,
    );
    if (!settings.json)
      process.stdout.write(
        `\n${renderReport(report, sandboxTotals, ledgerTotals)}\n\ntook ${report.seconds} s\n`,
      );
    if (report.driftTokens !== '0') process.exitCode = 1;
    if (settings.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    if (!settings.once) await serveDemo(world, config, log, stop);
  } catch (error) {
    if (!stop.aborted) throw error;
    process.stderr.write('\nStopped; the next start goes on from here.\n');
    process.exitCode = 130;
  } finally {
    await world.close();
  }
}

/** Half a year in minutes: prints what became of each month, and ends. */
async function playMonths(world: DemoWorld, settings: DemoSettings, signal: AbortSignal): Promise<void> {
  const note = (text: string) => void process.stderr.write(`${text}\n`);
  const report = await runMonths(world, settings, { note, signal });
  if (report.problems.length > 0) process.exitCode = 1;
  process.stdout.write(
    settings.json ? `${JSON.stringify(report)}\n` : `\n${renderMonths(report)}\n\ntook ${report.seconds} s\n`,
  );
}

/** Serves API and jobs; virtual time goes on from where the demo ended, as fast as real time. */
async function serveDemo(world: DemoWorld, config: Config, log: Logger, stop: AbortSignal): Promise<void> {
  const { database } = world.deps;
  await world.sandbox.runWithRealTime();
  world.clock.runWithRealTime();
  for (const key of await listApiKeys(database)) {
    if (key.name === 'demo' && key.revokedAt === null)
      await revokeApiKey(database, key.apiKeyId, { actor: 'demo', now: world.clock.now() });
  }
  const { plainKey } = await createApiKey(database, {
    name: 'demo',
    scopes: ['admin'],
    actor: 'demo',
    now: world.clock.now(),
  });
  const queue = openStepQueue(world.stores.queue, log);
  const server = await startOnFreePort(world, config, log, queue);
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
  const customer = 'fabrikam';
  process.stdout.write(`
API         ${server.url}
reference   ${server.url}/docs
demo key    ${plainKey}

Try it:
  curl -s -H 'Authorization: Bearer ${plainKey}' ${server.url}/v1/customers/${customer}/invoice-preview
  curl -s -H 'Authorization: Bearer ${plainKey}' '${server.url}/v1/usage?from=2026-10-01&to=2026-10-08&granularity=day&groupBy=model'
  curl -s -H 'Authorization: Bearer ${plainKey}' -H 'Content-Type: application/json' ${server.url}/v1/quotes \\
    -d '{"usage":[{"model":"gpt-4o","promptTokenCount":"1000000","completionTokenCount":"200000"}]}'

Ctrl-C stops it cleanly.
`);
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
    settings: readApiSettings(config),
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
