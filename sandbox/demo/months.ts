import { readClosedMonths } from '../../src/closing/months.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { createScenario } from '../scenario.ts';
import { planMonths } from './months/calendar.ts';
import { driveMonths } from './months/drive.ts';
import { buildMonthsReport, type MonthsReport, renderMonths } from './months/report.ts';
import type { DemoSettings } from './settings.ts';
import type { DemoWorld } from './world.ts';

/**
 * Plays unattended months in a world, and checks what became of them.
 * @throws what a step throws for another reason than an outside system that is down
 */
export async function runMonths(
  world: DemoWorld,
  settings: DemoSettings,
  options: { note: (text: string) => void; signal: AbortSignal },
): Promise<MonthsReport> {
  const startedMs = performance.now();
  const scenario = createScenario(world.scenario);
  const calendar = planMonths(scenario, settings.monthCount ?? 1);
  let month = '';
  const outcome = await driveMonths({
    deps: world.deps,
    sandbox: world.sandbox,
    clock: world.clock,
    calendar,
    signal: options.signal,
    onTick: (nowMs) => {
      const reached = new Date(nowMs).toISOString().slice(0, 7);
      if (reached !== month) options.note(`${reached}: after ${seconds(startedMs)} s`);
      month = reached;
    },
  });
  const { database } = world.deps;
  const [months, sandbox, ledger] = await Promise.all([
    readClosedMonths(database),
    world.sandbox.readTotals(),
    readTokenTotals(database),
  ]);
  const { outages } = calendar;
  return buildMonthsReport({
    settings,
    months,
    sandbox,
    ledger,
    outcome,
    outages,
    seconds: seconds(startedMs),
  });
}

function seconds(startedMs: number): number {
  return Math.round((performance.now() - startedMs) / 100) / 10;
}

export { renderMonths };
