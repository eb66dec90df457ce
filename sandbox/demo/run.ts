import { readCloseTotals } from '../../src/closing/totals.ts';
import { type Config, loadConfig } from '../../src/platform/config.ts';
import { createStopSignal } from '../../src/platform/terminal/stop-signal.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { createDemoRoute } from './alerts.ts';
import { createDemoBudgets } from './budgets.ts';
import { type DemoLog, openDemoLog } from './demo-log.ts';
import { type DemoDirectory, prepareDemoDirectory } from './directory.ts';
import { driveDemo } from './drive.ts';
import { describeEnding, describeLog } from './ending.ts';
import { storeDemoRates } from './exchange.ts';
import { expectedSeconds, roughly } from './expected-length.ts';
import { openExperimenters } from './experiments.ts';
import { renderMonths, runMonths } from './months.ts';
import { createDemoProgress } from './progress.ts';
import { buildReport, renderReport } from './report.ts';
import { type ServedDemo, serveDemo } from './serve.ts';
import { type DemoSettings, demoDirectory, readDemoSettings } from './settings.ts';
import { checkStory } from './story.ts';
import { columnsOf, paintsFor, shownPath, wrapWords } from './terminal-text.ts';
import { type DemoWorld, openDemoWorld } from './world.ts';

/** Plays the demo, prints its report and serves the result, unless told otherwise. */
export async function runDemo(options: Record<string, unknown>): Promise<void> {
  const settings = readDemoSettings(options);
  const config = loadConfig(process.env);
  const directory = demoDirectory(config, settings);
  const prepared = prepareDemoDirectory(directory, settings);
  const log = openDemoLog(directory, process.env.LOG_LEVEL === undefined ? 'warn' : config.LOG_LEVEL);
  const stop = createStopSignal();
  const startedMs = performance.now();
  open(settings, log, prepared);
  const world = await openDemoWorld(config, settings, { ...prepared, directory, log: log.log });
  try {
    if (settings.monthCount === null) await playDays(world, { config, settings, log, startedMs, stop });
    else await playMonths(world, settings, log, stop);
  } catch (error) {
    if (!stop.aborted) throw error;
    process.stderr.write('\nStopped; the next start goes on from here.\n');
    process.exitCode = 130;
  } finally {
    await world.close();
  }
}

/** What is played, how long it takes and where it is logged, before anything happens. On standard error. */
function open(settings: DemoSettings, { file }: DemoLog, prepared: DemoDirectory): void {
  const { customerCount, userCount, dayCount, monthCount, seed } = settings;
  const { bold, dim } = paintsFor(process.stderr);
  const length = monthCount === null ? `${dayCount} days` : `${monthCount} months`;
  const indent = '                 ';
  const say = (text: string) => wrapWords(text, columnsOf(process.stderr) - indent.length, indent);
  const what = `${length} of ${customerCount} customers with ${userCount} users, seed ${seed}.`;
  const begun = prepared.wasForgotten
    ? [say('The stand-ins have changed since this world was played: it is played anew.')]
    : prepared.isNew
      ? []
      : [say('It goes on where the last start left it, which takes less.')];
  const lines = [
    say(what),
    say(`Takes ${roughly(expectedSeconds(settings))}; nothing leaves this machine.`),
    ...begun,
    dim(`Log: ${shownPath(file)}`),
  ];
  process.stderr.write(`${bold('Tallystick plays')} ${lines.join(`\n${indent}`)}\n\n`);
}

interface DaysRun {
  config: Config;
  settings: DemoSettings;
  log: DemoLog;
  startedMs: number;
  stop: AbortSignal;
}

async function playDays(
  world: DemoWorld,
  { config, settings, log, startedMs, stop }: DaysRun,
): Promise<void> {
  const progress = createDemoProgress(settings, { plain: settings.json });
  try {
    await createDemoRoute(world.deps.database, world.clock.now());
    await createDemoBudgets(world.deps, stop);
    await driveDemo({
      deps: world.deps,
      queueConfig: world.stores.queue,
      sandbox: world.sandbox,
      clock: world.clock,
      experimenters: await openExperimenters(world),
      startMs: settings.startMs,
      trafficEndMs: world.trafficEndMs,
      onProgress: (now) => progress.show(now),
      signal: stop,
    });
  } finally {
    progress.stop();
  }
  await storeDemoRates(world.deps, settings);
  const [sandbox, passed, ledger, closes] = await Promise.all([
    world.sandbox.readTotals(),
    world.sandbox.readPassed(),
    readTokenTotals(world.deps.database),
    readCloseTotals(world.deps.database),
  ]);
  const seconds = (performance.now() - startedMs) / 1_000;
  const { scenario } = world;
  const now = world.clock.now();
  const { passedCallCount, stoppedCallCount } = passed;
  const report = buildReport(settings, sandbox, ledger, closes, {
    experiments: scenario.experiments === true ? { passedCallCount, stoppedCallCount } : null,
    problems: await checkStory(world.deps.database, { scenario, sandbox, passed, now }),
    seconds,
  });
  if (report.driftTokens !== '0' || report.problems.length > 0) process.exitCode = 1;
  const say = (text: string) => void process.stdout.write(`${text}\n`);
  if (!settings.json) say(`\n${renderReport(report, sandbox, ledger)}\ntook         ${report.seconds} s`);
  if (settings.json) say(JSON.stringify(report));
  const end = async (served: ServedDemo | null) => {
    say(
      await describeEnding(world, {
        config,
        settings,
        sandbox,
        experiments: report.experiments,
        log,
        served,
      }),
    );
  };
  if (!settings.once) await serveDemo(world, config, log.log, { stop, told: end });
  else if (!settings.json) await end(null);
}

/** Half a year in minutes: prints what became of each month, and ends. */
async function playMonths(
  world: DemoWorld,
  settings: DemoSettings,
  log: DemoLog,
  signal: AbortSignal,
): Promise<void> {
  const note = (text: string) => void process.stderr.write(`${text}\n`);
  const report = await runMonths(world, settings, { note, signal });
  if (report.problems.length > 0) process.exitCode = 1;
  process.stdout.write(
    settings.json
      ? `${JSON.stringify(report)}\n`
      : `\n${renderMonths(report)}\n\ntook ${report.seconds} s\n${describeLog(log).join('\n')}\n`,
  );
}
