import { readFileSync } from 'node:fs';
import { backfillUsage } from '../../../jobs/collect/collect-usage.ts';
import { openLedger } from '../../../src/platform/database/database.ts';
import { createBenchDependencies } from './job-dependencies.ts';

/** What the process that backfills is given, as JSON in its first argument. */
export interface BackfillOrder {
  azureUrl: string;
  databaseUrl: string;
  startMs: number;
  endMs: number;
}

/** What it prints as its only line. */
export interface BackfillReport {
  rowCount: number;
  newRowCount: number;
  /** Most memory that was ever resident, from the kernel. */
  peakBytes: number;
  elapsedMs: number;
}

const order = JSON.parse(process.argv[2] ?? '') as BackfillOrder;
const database = openLedger({ databaseUrl: order.databaseUrl, maxConnectionCount: 10 });
const deps = createBenchDependencies({
  environment: { AZURE_LOGS_ENDPOINT: order.azureUrl },
  database,
  clock: { now: () => new Date(order.endMs) },
});
const startedMs = performance.now();
const outcome = await backfillUsage(deps, { start: new Date(order.startMs), end: new Date(order.endMs) });
const report: BackfillReport = {
  rowCount: outcome.rowCount,
  newRowCount: outcome.newRowCount,
  peakBytes: readPeakBytes(),
  elapsedMs: performance.now() - startedMs,
};
await database.destroy();
process.stdout.write(`${JSON.stringify(report)}\n`);

/** VmHWM where there is /proc; elsewhere what getrusage says. */
function readPeakBytes(): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kibibytes !== undefined) return Number(kibibytes) * 1_024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1_024;
}
