import { collectUsage } from '../../jobs/collect/collect-usage.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import type { ReplayOptions, ReplayReport } from './support/azure-replay-thread.ts';
import { createBareTable, insertBare, readCollectedRows } from './support/bare-insert.ts';
import { type BenchLedger, startBenchPostgres } from './support/bench-postgres.ts';
import { createBenchDependencies } from './support/job-dependencies.ts';
import { countItems } from './support/ledger-counts.ts';
import { describeSpread, inThousands, median, toTwoDecimals } from './support/statistics.ts';
import { startStandInThread } from './support/thread.ts';

const START_MS = Date.UTC(2026, 9, 1);
const REPLAY_THREAD = new URL('./support/azure-replay-thread.ts', import.meta.url);

/**
 * The real collector (query, HTTP, parse, judge, group, commit of items, outbox, subjects and watermark)
 * against the bare insert of the very rows it stored.
 */
export const collectBench: Bench = {
  name: 'collect',
  title: 'rows/s from HTTP answer to commit, over rows/s of the bare insert',
  target: 0.3,
  better: 'higher',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const scenario = { seed: 1, dayCount: quick ? 1 : 4, customerCount: 40, userCount: 300, startMs: START_MS };
  const roundCount = quick ? 1 : 9;
  const nowMs = START_MS + (scenario.dayCount + 2) * DAY_MS;
  const postgres = await startBenchPostgres(cleanup);
  const options: ReplayOptions = { scenario, nowMs };
  const azure = await startStandInThread<ReplayReport>(REPLAY_THREAD, options, cleanup);
  const collect = async (ledger: BenchLedger) => {
    const deps = createBenchDependencies({
      environment: { AZURE_LOGS_ENDPOINT: azure.url, COLLECT_START: new Date(START_MS).toISOString() },
      database: ledger.database,
      clock: new VirtualClock(nowMs),
    });
    const startedMs = performance.now();
    const outcome = await collectUsage(deps);
    return { outcome, elapsedMs: performance.now() - startedMs };
  };

  // The rehearsal records the answers, warms the code, and yields the rows that the bare insert inserts.
  const rehearsal = await postgres.createLedger();
  await collect(rehearsal);
  const rows = await readCollectedRows(rehearsal.databaseUrl);
  await createBareTable(rehearsal.databaseUrl, rows);
  await insertBare(rehearsal.databaseUrl, rows);
  await rehearsal.drop();
  const before = await azure.report();
  note(`${rows.length} rows in ${before.recordedCount} answers recorded`);

  const collectRates: number[] = [];
  const bareRates: number[] = [];
  let eventCount = 0;
  for (let round = 0; round < roundCount; round += 1) {
    const ledger = await postgres.createLedger();
    await createBareTable(ledger.databaseUrl, rows);
    await postgres.settle();
    const { outcome, elapsedMs } = await collect(ledger);
    await postgres.settle();
    const bareMs = await insertBare(ledger.databaseUrl, rows);
    const collected = await countItems(ledger.databaseUrl, 'source_items');
    const bare = await countItems(ledger.databaseUrl, 'bare_items');
    assertEqual('rows collected', outcome.newRowCount, rows.length);
    assertEqual('rows of both sides', JSON.stringify(bare), JSON.stringify(collected));
    assertEqual('tokens collected', collected.sourceTokens, String(before.sourceTokens));
    assertEqual('tokens in the outbox', collected.outboxTokens, String(before.sourceTokens));
    eventCount = outcome.usageEventCount;
    collectRates.push((rows.length / elapsedMs) * 1_000);
    bareRates.push((rows.length / bareMs) * 1_000);
    note(`round ${round + 1}: collect ${elapsedMs.toFixed(0)} ms, bare insert ${bareMs.toFixed(0)} ms`);
    await ledger.drop();
  }
  const after = await azure.report();
  assertEqual('queries not answered from the recording', after.recordedCount, before.recordedCount);

  const ratios = collectRates.map((rate, round) => rate / (bareRates[round] ?? Number.NaN));
  return {
    ratio: median(ratios),
    detail:
      `${roundCount} rounds of ${rows.length} rows in ${before.recordedCount} answers, ${eventCount} events: ` +
      `collect ${describeSpread(collectRates, inThousands)} rows/s, ` +
      `bare insert ${describeSpread(bareRates, inThousands)} rows/s, ` +
      `ratio ${describeSpread(ratios, toTwoDecimals)}`,
  };
}
