import { textOf } from '../../pages/address.ts';
import { DAY_MS } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { alarmAfterMsOf } from '../../platform/http/dependencies.ts';
import {
  isAlarming,
  listQuarantine,
  QUARANTINE_STAGES,
  type QuarantineEntry,
  type QuarantineFilter,
  type QuarantineSummary,
} from '../../quarantine/entries.ts';
import { listOpenDrifts, type OpenDrift } from '../../reconciliation/open-drifts.ts';
import { type StatusReport, selectStatusReport } from '../../status/status.ts';
import {
  type CoverageTotals,
  readCoverageSources,
  readCoverageTotals,
} from '../../usage/coverage/coverage.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { readNames } from '../rollups/gather.ts';

/** The page lists so many of what waits, and of what drifts, and says when there is more; their CSVs have all of it. */
export const LISTED = 500;
export const COVERAGE_DAYS = 7;

export interface PipelineMaterial {
  report: StatusReport;
  entries: QuarantineEntry[];
  /** What their customers are called. */
  names: Map<string, string>;
  /** Whether more waits than is listed. */
  hasMore: boolean;
  drifts: OpenDrift[];
  /** Null where only one source is collected. */
  coverage: CoverageTotals | null;
  alarmAfterMs: number;
  /** What waits so long that a person should look. */
  alarming: QuarantineSummary[];
}

export async function gatherPipeline(snapshot: LedgerSnapshot, view: ConsoleView): Promise<PipelineMaterial> {
  const { now, dependencies } = view;
  const alarmAfterMs = alarmAfterMsOf(dependencies);
  const report = await selectStatusReport(snapshot, now);
  const entries = await listQuarantine(snapshot, readFilter(view), { after: null, limit: LISTED + 1 });
  const sources = await readCoverageSources(snapshot);
  const window = { start: new Date(now.getTime() - COVERAGE_DAYS * DAY_MS), end: now };
  return {
    report,
    entries: entries.slice(0, LISTED),
    names: await readNames(
      snapshot,
      entries.slice(0, LISTED).map(({ customerId }) => customerId),
    ),
    hasMore: entries.length > LISTED,
    drifts: await listOpenDrifts(snapshot, LISTED),
    coverage: sources.control === null ? null : await readCoverageTotals(snapshot, sources, window),
    alarmAfterMs,
    alarming: report.quarantine.filter((summary) => isAlarming(summary, now, alarmAfterMs)),
  };
}

/** By what the address narrows what waits. */
export function readFilter({ address: { query } }: Pick<ConsoleView, 'address'>): QuarantineFilter {
  return {
    stage: QUARANTINE_STAGES.find((stage) => stage === query.get('stage')),
    reason: textOf(query, 'reason'),
    customerId: textOf(query, 'customer'),
  };
}
