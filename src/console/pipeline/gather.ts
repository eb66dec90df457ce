import { DAY_MS } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { alarmAfterMsOf } from '../../platform/http/dependencies.ts';
import { listQuarantine, type QuarantineEntry } from '../../quarantine/entries.ts';
import { type StatusReport, selectStatusReport } from '../../status/status.ts';
import {
  type CoverageTotals,
  readCoverageSources,
  readCoverageTotals,
} from '../../usage/coverage/coverage.ts';
import type { ConsoleView } from '../frame/define-page.ts';

/** What waits is listed up to so many; its CSV, and the API, have all of it. */
const LISTED = 1_000;
const COVERAGE_DAYS = 7;

export interface PipelineMaterial {
  report: StatusReport;
  entries: QuarantineEntry[];
  /** Whether more waits than is listed. */
  hasMore: boolean;
  /** Null where nothing is collected that could be compared. */
  coverage: CoverageTotals | null;
  coverageDays: number;
  alarmAfterMs: number;
}

export async function gatherPipeline(
  snapshot: LedgerSnapshot,
  { now, dependencies, address }: ConsoleView,
): Promise<PipelineMaterial> {
  const limit = address.query.has('csv') ? 1_000_000 : LISTED;
  const entries = await listQuarantine(snapshot, {}, { after: null, limit: limit + 1 });
  const sources = await readCoverageSources(snapshot);
  const window = { start: new Date(now.getTime() - COVERAGE_DAYS * DAY_MS), end: now };
  return {
    report: await selectStatusReport(snapshot, now),
    entries: entries.slice(0, limit),
    hasMore: entries.length > limit,
    coverage: sources.control === null ? null : await readCoverageTotals(snapshot, sources, window),
    coverageDays: COVERAGE_DAYS,
    alarmAfterMs: alarmAfterMsOf(dependencies),
  };
}
