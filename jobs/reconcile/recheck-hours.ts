import { findSourceDifferences, markHoursReconciled } from '../../src/reconciliation/reconciled-hours.ts';
import { type DueHour, sumSentEvents } from '../../src/usage/hours/settlements.ts';
import { groupIntoRuns } from '../aggregate/aggregate-usage.ts';
import { compareHours } from '../aggregate/compare-hours.ts';
import { readMeters } from '../aggregate/read-meters.ts';
import type { JobDependencies } from '../dependencies.ts';

export interface RecheckOutcome {
  hourCount: number;
  /** Settled hours that OpenMeter sums up otherwise by now; they are settled and repaired anew. */
  reopenedHourCount: number;
  /** Keys whose source items and events differ: nothing of ours can do that. */
  sourceDifferenceCount: number;
}

/**
 * Reads settled hours once more. OpenMeter may show a copy late, count a repeat that its deduplication has
 * forgotten, or lose what it had: an hour that differs now is opened again, and the repair looks into it.
 * @throws UpstreamError when OpenMeter cannot be asked; hours already read stay noted
 */
export async function recheckHours(
  deps: JobDependencies,
  hours: readonly DueHour[],
  signal?: AbortSignal,
): Promise<RecheckOutcome> {
  const outcome: RecheckOutcome = { hourCount: 0, reopenedHourCount: 0, sourceDifferenceCount: 0 };
  for (const run of groupIntoRuns(hours, deps.settings.settleRowLimit)) {
    signal?.throwIfAborted();
    const starts = run.hours.map((hour) => hour.windowStart);
    const ledger = await sumSentEvents(deps.database, starts);
    const metered = await readMeters(deps.metering, { ledger, window: run.window, hours: starts }, signal);
    const { drifts } = compareHours(ledger, metered);
    const differing = new Set(drifts.map((drift) => drift.windowStart.getTime()));
    if (differing.size > 0) {
      deps.log.warn({ hourCount: differing.size, first: drifts[0] }, 'Settled hours differ by now');
    }
    const sourceDifferences = await findSourceDifferences(deps.database, starts);
    if (sourceDifferences.length > 0) {
      deps.log.error({ differences: sourceDifferences.slice(0, 10) }, 'Source items and events differ');
    }
    outcome.reopenedHourCount += await markHoursReconciled(
      deps.database,
      run.hours,
      differing,
      deps.clock.now(),
    );
    outcome.hourCount += run.hours.length;
    outcome.sourceDifferenceCount += sourceDifferences.length;
  }
  return outcome;
}
