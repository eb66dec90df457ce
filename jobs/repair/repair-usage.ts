import { addMs } from '../../src/platform/clock.ts';
import { findHoursToRepair } from '../../src/usage/events/repairs.ts';
import type { JobDependencies } from '../dependencies.ts';
import { lookForCanaries } from './canaries.ts';
import { type RepairOutcome, repairHour } from './repair-hour.ts';
import type { SinkSigns } from './sink-signs.ts';
import { askAboutUnproven, waitsForSink } from './watch-sink.ts';

/** Hours looked into in one run; the rest waits for the next. */
const HOUR_LIMIT = 100;

/**
 * Repairs what OpenMeter lost or counted twice, in hours that still differ after the grace. Lost events are
 * sent again, first under their own id and then under another; copies too many are offset by signed events.
 * What no event of ours explains is marked so, and never billed. Lost is only what something sent later has overtaken:
 * while nothing new is visible at all, the sink has an outage, and everything waits for it.
 * @throws UpstreamError when OpenMeter cannot be asked; hours already looked into stay repaired
 */
export async function repairUsage(deps: JobDependencies, signal?: AbortSignal): Promise<RepairOutcome> {
  const outcome: RepairOutcome = {
    hourCount: 0,
    resentCount: 0,
    reissuedCount: 0,
    correctedCount: 0,
    unexplainedKeyCount: 0,
  };
  const { underWay, seenUntil } = await lookForCanaries(deps, signal);
  if (await waitsForSink(deps, underWay, seenUntil, signal)) return outcome;
  const signs: SinkSigns = { unprovenBySubject: new Map(), seenUntil };
  const before = addMs(deps.clock.now(), -deps.settings.repairGraceMs);
  const hours = await findHoursToRepair(deps.database, {
    driftedBefore: before,
    checkedBefore: before,
    limit: HOUR_LIMIT,
  });
  for (const hour of hours) {
    signal?.throwIfAborted();
    await repairHour(deps, hour, outcome, signs, signal);
  }
  await askAboutUnproven(deps, signs, underWay, signal);
  return outcome;
}
