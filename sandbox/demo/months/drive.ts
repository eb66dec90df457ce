import type { JobDependencies } from '../../../jobs/dependencies.ts';
import { runStep, type StepName, stepNames } from '../../../jobs/queue/steps.ts';
import { DAY_MS } from '../../../src/platform/clock.ts';
import { UpstreamError } from '../../../src/platform/errors.ts';
import { SYSTEMS, type SystemName } from '../../fault-switches.ts';
import type { SandboxHandle } from '../../start-thread.ts';
import type { VirtualClock } from '../../virtual-clock.ts';
import { type MonthsCalendar, systemsDown } from './calendar.ts';

/**
 * What goes over much, and is due on its own rhythm: at every tick it would find what it has just seen. The other steps
 * run at every tick. In service the intervals of `jobs/queue/schedule.ts` hold.
 */
const RHYTHM_MS: Partial<Record<StepName, number>> = {
  'sync-catalog': DAY_MS,
  'rescan-usage': DAY_MS,
  'rate-usage': DAY_MS,
  'find-anomalies': DAY_MS,
  reconcile: DAY_MS,
  'send-alerts': DAY_MS,
};

export interface MonthsDrive {
  deps: JobDependencies;
  sandbox: Pick<SandboxHandle, 'advanceTo' | 'setFaults'>;
  clock: VirtualClock;
  calendar: MonthsCalendar;
  onTick: (nowMs: number) => Promise<void> | void;
  signal: AbortSignal;
}

/** What happened on the way. */
export interface MonthsOutcome {
  /** The first tick; a run that goes on where another was stopped has not seen what was before. */
  startMs: number;
  tickCount: number;
  /** Runs of a step that ended with an error that a later run can mend, by outside system. */
  failedRuns: Record<SystemName, number>;
}

/**
 * Plays the months: moves time on from tick to tick, and lets every step run at each, as the scheduler would. Nobody
 * else does anything: a step that fails because a system is down is only run again at the next tick.
 * @throws what a step throws for another reason than an outside system that does not answer
 */
export async function driveMonths(drive: MonthsDrive): Promise<MonthsOutcome> {
  const { deps, sandbox, clock, calendar, signal } = drive;
  const startMs = clock.nowMs();
  const outcome: MonthsOutcome = {
    startMs,
    tickCount: 0,
    failedRuns: { azure: 0, openMeter: 0, stripe: 0 },
  };
  const lastRunMs = new Map<StepName, number>();
  let down = new Set<SystemName>();
  for (const nowMs of calendar.ticks.filter((tickMs) => tickMs >= startMs)) {
    await sandbox.advanceTo(nowMs);
    clock.advanceTo(nowMs);
    const nowDown = systemsDown(calendar.outages, nowMs);
    for (const system of SYSTEMS) {
      if (nowDown.has(system) === down.has(system)) continue;
      await sandbox.setFaults({ [system]: { network: { down: nowDown.has(system) } } });
    }
    down = nowDown;
    for (const name of stepNames(deps)) {
      signal.throwIfAborted();
      if (nowMs - (lastRunMs.get(name) ?? Number.NEGATIVE_INFINITY) < (RHYTHM_MS[name] ?? 0)) continue;
      try {
        await runStep(deps, name, signal);
        lastRunMs.set(name, nowMs);
      } catch (error) {
        const system = systemOf(error);
        if (system === null || !down.has(system)) throw error;
        outcome.failedRuns[system] += 1;
      }
    }
    outcome.tickCount += 1;
    await drive.onTick(nowMs);
  }
  return outcome;
}

const SYSTEM_NAMES: Readonly<Record<string, SystemName>> = {
  azure: 'azure',
  openmeter: 'openMeter',
  stripe: 'stripe',
};

/** Which outside system did not answer; null for any other error. */
function systemOf(error: unknown): SystemName | null {
  if (!(error instanceof UpstreamError) || !error.retry) return null;
  return SYSTEM_NAMES[error.system] ?? null;
}
