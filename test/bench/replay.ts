import type { JobDependencies } from '../../jobs/dependencies.ts';
import { type SandboxHandle, startSandboxThread } from '../../sandbox/start-thread.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { type BenchLedger, startBenchPostgres } from './support/bench-postgres.ts';
import { createBenchDependencies } from './support/job-dependencies.ts';
import { countItems } from './support/ledger-counts.ts';
import { describeSpread, median } from './support/statistics.ts';
import { StepRounds } from './support/step-rounds.ts';

const START_MS = Date.UTC(2026, 8, 28);
const SEED = 1;
/** As in the demo: virtual time between two rounds of the steps, and what the last usage needs to settle. */
const TICK_MS = 6 * HOUR_MS;
const DRAIN_MS = 2 * TICK_MS;
const GRACE_HOURS = 72;
/** The first finds everything known, the second nothing to do. */
const ROUNDS_PER_REPLAY = 2;

/**
 * A month is played round by round until nothing is due. Then the watermark is forgotten and the same steps run
 * again, until they find nothing to do: the whole month is read once more, and not a call changes anything.
 */
export const replayBench: Bench = {
  name: 'replay',
  title: 'time of a full replay of a finished month, over that of its first run',
  target: 0.25,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const replayCount = quick ? 1 : 3;
  const scenario = {
    seed: SEED,
    dayCount: quick ? 3 : 35,
    customerCount: 6,
    userCount: 24,
    startMs: START_MS,
  };
  const postgres = await startBenchPostgres(cleanup);
  // Without Stripe's limits: what the first run waits for them would make the replay look better than it is.
  const sandbox = await startSandboxThread({
    scenario,
    stateDirectory: null,
    latencyMs: 0,
    gracePeriodHours: GRACE_HOURS,
    stripe: { callsPerSecond: Number.POSITIVE_INFINITY, otherCallsPerSecond: Number.POSITIVE_INFINITY },
  });
  cleanup.defer(() => sandbox.close());
  const ledger = await postgres.createLedger();
  const clock = new VirtualClock(START_MS);
  const { addresses } = sandbox;
  const deps = createBenchDependencies({
    environment: {
      AZURE_LOGS_ENDPOINT: addresses.azureUrl,
      OPENMETER_URL: addresses.openMeterUrl,
      STRIPE_API_BASE: addresses.stripeUrl,
      STRIPE_CALLS_PER_SECOND: '1000',
      COLLECT_START: new Date(START_MS).toISOString(),
    },
    database: ledger.database,
    clock,
  });

  const first = new StepRounds(deps);
  const { lastIngestionMs } = await sandbox.readClock();
  const endMs = Math.max(START_MS + scenario.dayCount * DAY_MS, lastIngestionMs) + DRAIN_MS;
  for (let nowMs = START_MS; ; nowMs = Math.min(nowMs + TICK_MS, endMs)) {
    await sandbox.advanceTo(nowMs);
    clock.advanceTo(nowMs);
    await first.run();
    if (nowMs === endMs) break;
  }
  note(`first run: ${first.describe()}`);
  const finished = await readState(deps, ledger, sandbox);
  assertEqual('tokens still due', finished.ledger.dueTokenCount, '0');
  const unaccounted =
    BigInt(finished.outside.sourceTokens) -
    BigInt(finished.outside.billedTokens) -
    BigInt(finished.ledger.quarantinedTokenCount ?? 0);
  assertEqual('tokens neither billed nor in quarantine', unaccounted, 0n);

  const replays: StepRounds[] = [];
  for (let number = 1; number <= replayCount; number += 1) {
    await postgres.settle();
    await ledger.database.deleteFrom('watermarks').where('source', '=', deps.source.name).execute();
    const replay = new StepRounds(deps);
    for (let round = 0; round < ROUNDS_PER_REPLAY; round += 1) await replay.run();
    replays.push(replay);
    note(`replay ${number}: ${replay.describe()}`);
    checkIsReplay(replay, Number(finished.items.rowCount));
    const state = await readState(deps, ledger, sandbox);
    assertEqual('everything after the replay', JSON.stringify(state), JSON.stringify(finished));
  }

  const ratios = replays.map((replay) => replay.totalMs / first.totalMs);
  const collectRatios = replays.map((replay) => replay.msOf('collect-usage') / first.msOf('collect-usage'));
  return {
    ratio: median(ratios),
    detail:
      `${scenario.dayCount} days, ${scenario.customerCount} customers, ${finished.items.rowCount} source rows, ` +
      `${finished.calls.meterEventCount} pushes: first run ${toSeconds(first.totalMs)} s in rounds of ` +
      `${TICK_MS / HOUR_MS} hours, ${replayCount} replays ${describeSpread(
        replays.map((replay) => replay.totalMs),
        toSeconds,
      )} s, ratio ${describeSpread(ratios, toThreeDecimals)} (collecting alone ` +
      `${describeSpread(collectRatios, toThreeDecimals)}); no write outside, the same ledger and totals`,
  };
}

const toSeconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(1);
const toThreeDecimals = (ratio: number): string => ratio.toFixed(3);

/** @throws Error unless it read the whole month again and found nothing to do */
function checkIsReplay(replay: StepRounds, rowCount: number): void {
  if (replay.sum('collect-usage', 'rowCount') < rowCount) {
    throw new Error(`the replay read ${replay.sum('collect-usage', 'rowCount')} rows of ${rowCount}`);
  }
  for (const [step, field] of [
    ['collect-usage', 'newRowCount'],
    ['collect-usage', 'usageEventCount'],
    ['rescan-usage', 'newRowCount'],
    ['ingest-events', 'sentCount'],
    ['aggregate-usage', 'settledCount'],
    ['aggregate-usage', 'driftedCount'],
    ['push-usage', 'plannedCount'],
    ['push-usage', 'deliveredCount'],
  ] as const)
    assertEqual(`${field} of ${step} in the replay`, replay.sum(step, field), 0);
}

/** What a replay must leave as it was: the ledger, what the stand-ins hold, and the calls that write. */
async function readState(
  deps: JobDependencies,
  { databaseUrl, database }: BenchLedger,
  sandbox: SandboxHandle,
) {
  const totals = await readTokenTotals(database);
  const { ingestRequestCount, meterEventCount, writeCount } = await sandbox.readCalls();
  return {
    ledger: Object.fromEntries(
      Object.entries(totals).map(([key, value]) => [
        key,
        typeof value === 'bigint' ? String(value) : JSON.stringify(Object.entries(value).map(String)),
      ]),
    ),
    items: await countItems(databaseUrl, 'source_items'),
    watermark: await readWatermark(database, deps.source.name),
    calls: { ingestRequestCount, meterEventCount, writeCount },
    outside: await sandbox.readTotals(),
  };
}
