import { execFile } from 'node:child_process';
import { MINUTE_MS } from '../../src/platform/clock.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import type { VolumeReport } from './support/azure-volume-thread.ts';
import type { BackfillOrder, BackfillReport } from './support/backfill-child.ts';
import { type BenchPostgres, startBenchPostgres } from './support/bench-postgres.ts';
import type { Cleanup } from './support/cleanup.ts';
import { countItems } from './support/ledger-counts.ts';
import { describeSpread, inThousands, median } from './support/statistics.ts';
import { startStandInThread } from './support/thread.ts';
import { VOLUME_ROWS_PER_MINUTE, VOLUME_TOKENS_PER_MINUTE } from './support/volume-rows.ts';

const START_MS = Date.UTC(2026, 9, 1);
const VOLUME_THREAD = new URL('./support/azure-volume-thread.ts', import.meta.url);
const CHILD = new URL('./support/backfill-child.ts', import.meta.url).pathname;

/**
 * A backfill in a process of its own, ten times as long as another at the same density. Each hour holds more
 * rows than the row limit, so that windows are split on the way.
 */
export const backfillMemoryBench: Bench = {
  name: 'backfill-memory',
  title: 'peak resident memory of a backfill of 2,000,000 rows, over that of 200,000',
  target: 1.2,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const smallRowCount = quick ? 20_000 : 200_000;
  const postgres = await startBenchPostgres(cleanup);
  const azure = await startStandInThread<VolumeReport>(VOLUME_THREAD, null, cleanup);
  const sizes = { small: smallRowCount, large: smallRowCount * 10 };
  const peaks: Record<keyof typeof sizes, number[]> = { small: [], large: [] };
  const rates: Record<keyof typeof sizes, number[]> = { small: [], large: [] };
  // The large one once: it takes minutes, and its peak hardly varies; the small one before and after it.
  for (const size of ['small', 'large', 'small'] as const) {
    const report = await backfill(postgres, azure.url, sizes[size], cleanup);
    peaks[size].push(report.peakBytes);
    rates[size].push((report.rowCount / report.elapsedMs) * 1_000);
    note(
      `${report.rowCount} rows in ${(report.elapsedMs / 1_000).toFixed(1)} s, ${toMebibytes(report.peakBytes)} MiB`,
    );
  }
  const { queryCount } = await azure.report();
  return {
    ratio: median(peaks.large) / median(peaks.small),
    detail:
      `a backfill of ${sizes.large} rows between two of ${sizes.small} ` +
      `(${VOLUME_ROWS_PER_MINUTE * 60} an hour, ${queryCount} queries in all): peak resident ` +
      `${describeSpread(peaks.large, toMebibytes)} MiB against ${describeSpread(peaks.small, toMebibytes)} MiB, ` +
      `${describeSpread(rates.large, inThousands)} against ${describeSpread(rates.small, inThousands)} rows/s`,
  };
}

const toMebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(0);

/** Backfills into a new ledger, and proves that every row and every token is in it. */
async function backfill(
  postgres: BenchPostgres,
  azureUrl: string,
  rowCount: number,
  cleanup: Cleanup,
): Promise<BackfillReport> {
  const minuteCount = rowCount / VOLUME_ROWS_PER_MINUTE;
  const ledger = await postgres.createLedger();
  const report = await runChild(
    {
      azureUrl,
      databaseUrl: ledger.databaseUrl,
      startMs: START_MS,
      endMs: START_MS + minuteCount * MINUTE_MS,
    },
    cleanup,
  );
  const counts = await countItems(ledger.databaseUrl, 'source_items');
  const tokens = String(VOLUME_TOKENS_PER_MINUTE * BigInt(minuteCount));
  assertEqual('rows reported', report.newRowCount, rowCount);
  assertEqual('rows in the ledger', counts.rowCount, String(rowCount));
  assertEqual('tokens in the ledger', counts.sourceTokens, tokens);
  assertEqual('tokens in the outbox', counts.outboxTokens, tokens);
  await ledger.drop();
  return report;
}

function runChild(order: BackfillOrder, cleanup: Cleanup): Promise<BackfillReport> {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [CHILD, JSON.stringify(order)], (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as BackfillReport);
      else reject(new Error(`the backfill failed: ${stderr || error.message}`));
    });
    cleanup.defer(() => void child.kill('SIGKILL'));
  });
}
