import { z } from 'zod';
import { type Clock, systemClock } from '../platform/clock.ts';
import { type Config, loadConfig } from '../platform/config.ts';
import { findRunningDemos, type RunningDemo } from '../platform/embedded/demo-note.ts';
import { TallystickError } from '../platform/errors.ts';

/** What a command works with: its own environment and the system's clock, or those of the demo that runs here. */
export interface Surroundings {
  config: Config;
  clock: Clock;
}

const CLOCK_TIMEOUT_MS = 10_000;
const clockSchema = z.object({ nowMs: z.number() });

/**
 * Settles which installation a command is about. Where nothing outside is configured, no other ledger is named and no
 * service runs on the data directory, a demo that runs on it, or below it, is meant.
 * @throws TallystickError CONFIG when several run; DATA_DIRECTORY_BUSY while one starts or ends
 */
export async function lookAround(environment: Record<string, string | undefined>): Promise<Surroundings> {
  const config = loadConfig(environment);
  const demo = findDemo(config);
  if (demo === null) return { config, clock: systemClock };
  const { directory, databaseUrl } = demo;
  const clock = await readDemoClock(demo);
  process.stderr.write(
    `Of the demo that runs in ${directory}, whose clock says ${clock.now().toISOString()}.\n`,
  );
  return {
    config: loadConfig({ ...environment, ...demo.environment, DATABASE_URL: databaseUrl }),
    clock,
  };
}

function findDemo(config: Config): RunningDemo | null {
  if (isConfigured(config)) return null;
  const { DATABASE_URL: own, TALLYSTICK_DATA_DIR: base } = config;
  const { running, unready } = findRunningDemos(base);
  const meant = running.filter(({ databaseUrl }) => own === undefined || databaseUrl === own);
  const [demo] = meant;
  if (meant.length > 1) {
    throw new TallystickError(`${meant.length} demos run below ${base}.`, {
      code: 'CONFIG',
      retry: false,
      fix: `Set TALLYSTICK_DATA_DIR to one of them: ${meant.map(({ directory }) => directory).join(', ')}.`,
    });
  }
  const [directory] = unready;
  if (demo === undefined && own === undefined && directory !== undefined) {
    throw busy(`A demo is about to start or to end in ${directory}.`);
  }
  return demo ?? null;
}

/** Whether somebody has begun to set an installation up: then a demo beside it is not what is meant. */
function isConfigured(config: Config): boolean {
  return (
    config.AZURE_LOGS_WORKSPACE_ID !== undefined ||
    config.AZURE_LOGS_RESOURCE_ID !== undefined ||
    config.OPENMETER_URL !== undefined ||
    config.STRIPE_API_KEY !== undefined
  );
}

/** Like the demo's own once it serves; while it plays, its clock jumps ahead of this one. */
async function readDemoClock({ clockUrl, directory }: RunningDemo): Promise<Clock> {
  try {
    const response = await fetch(clockUrl, { signal: AbortSignal.timeout(CLOCK_TIMEOUT_MS) });
    const { nowMs } = clockSchema.parse(await response.json());
    const readAt = performance.now();
    return { now: () => new Date(nowMs + Math.floor(performance.now() - readAt)) };
  } catch (cause) {
    throw busy(`The demo in ${directory} does not say what its clock shows.`, cause);
  }
}

function busy(message: string, cause?: unknown): TallystickError {
  return new TallystickError(message, {
    code: 'DATA_DIRECTORY_BUSY',
    retry: true,
    cause,
    fix: 'Try again in a moment, or set TALLYSTICK_DATA_DIR to another directory.',
  });
}
