import { sql } from 'kysely';
import { InvoiceComparer } from '../../jobs/close/compare-invoices.ts';
import { runCloses } from '../../jobs/close/run-closes.ts';
import { runStep, STEP_NAMES } from '../../jobs/queue/steps.ts';
import type { CloseComparison } from '../../pricing/closing/certificate.ts';
import { isChained } from '../../pricing/closing/collection.ts';
import { startSandboxThread } from '../../sandbox/start-thread.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { findQueryId } from '../../src/usage/collection/window-chain.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { createBenchDependencies } from './support/job-dependencies.ts';
import { describeSpread, median } from './support/statistics.ts';

const START_MS = Date.UTC(2026, 9, 1);
const PERIOD_END_MS = START_MS + 1.5 * DAY_MS;
const HISTORY_DAYS = 365;
const CALLS_PER_SECOND = 10_000;

/**
 * What the close job does to compare invoices, evidence included, when their periods all differ, over what it takes when
 * they are one, with a year of windows behind them.
 */
export const closeEvidenceBench: Bench = {
  name: 'close-evidence',
  title: 'time to compare closes of as many periods, over the same with one period',
  target: 1.2,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const invoiceCount = quick ? 40 : 1_000;
  const windowMinutes = quick ? 60 : 1;
  const roundCount = quick ? 1 : 5;
  const postgres = await startBenchPostgres(cleanup);
  const sandbox = await startSandboxThread({
    scenario: {
      seed: 1,
      dayCount: 2,
      customerCount: invoiceCount,
      userCount: invoiceCount,
      startMs: START_MS,
      story: 'same_hour',
    },
    stateDirectory: null,
    latencyMs: 0,
    gracePeriodHours: 72,
    stripe: { otherCallsPerSecond: CALLS_PER_SECOND },
  });
  cleanup.defer(() => sandbox.close());
  const { database } = await postgres.createLedger();
  const clock = new VirtualClock(START_MS);
  const environment = {
    AZURE_LOGS_ENDPOINT: sandbox.addresses.azureUrl,
    OPENMETER_URL: sandbox.addresses.openMeterUrl,
    STRIPE_API_BASE: sandbox.addresses.stripeUrl,
    COLLECT_START: new Date(START_MS).toISOString(),
  };
  const deps = createBenchDependencies({ environment, database, clock });
  // Unpaced: the limit on calls would hide what the ledger costs.
  const { STRIPE_API_BASE } = environment;
  deps.invoicing = createStripe({ STRIPE_API_BASE, STRIPE_API_KEY: 'sk_test_tallystick' }).invoicing;
  const windowCount = await insertHistory(database, deps.source.name, windowMinutes);
  note(`${windowCount} windows of a year are there`);
  const lagEndMs = PERIOD_END_MS + deps.settings.closeSourceWaitMs + deps.settings.collectLagMs;
  for (const nowMs of [
    ...[0, 12, 24, 35].map((hours) => START_MS + hours * HOUR_MS),
    ...[3, 30, 65, 100].map((minutes) => PERIOD_END_MS + minutes * MINUTE_MS),
    lagEndMs - 5 * MINUTE_MS,
  ]) {
    await sandbox.advanceTo(nowMs);
    clock.advanceTo(nowMs);
    for (const name of STEP_NAMES) await runStep(deps, name);
    note(`${new Date(nowMs).toISOString().slice(0, 16)}: all steps ran`);
  }
  // Stripe's sums show what was delivered last, and every draft is what was pushed.
  const comparedMs = lagEndMs + 30 * MINUTE_MS;
  await sandbox.advanceTo(comparedMs);
  clock.advanceTo(comparedMs);
  const compare = async (): Promise<number> => {
    const comparer = new InvoiceComparer(deps, undefined);
    const startedMs = performance.now();
    const reading = comparer.readingOf('draft');
    const states = ['pushed'] as const;
    await runCloses(deps, { states, reading, run: (close) => comparer.compareDraft(close) }, undefined);
    return performance.now() - startedMs;
  };
  const timesMs: { one: number[]; many: number[] } = { one: [], many: [] };
  for (let round = -1; round < roundCount; round += 1) {
    for (const side of ['one', 'many'] as const) {
      await setPeriods(database, side, invoiceCount);
      await postgres.settle();
      const tookMs = await compare();
      const chained = await checkComparisons(database, side, { invoiceCount, windowCount, windowMinutes });
      note(`${side}: ${tookMs.toFixed(0)} ms, chains from ${chained} first windows`);
      // The first round warms both up.
      if (round >= 0) timesMs[side].push(tookMs);
    }
  }
  const show = (value: number) => `${value.toFixed(0)} ms`;
  return {
    ratio: median(timesMs.many) / median(timesMs.one),
    detail:
      `${invoiceCount} closes of as many periods ${describeSpread(timesMs.many, show)}, of one period ` +
      `${describeSpread(timesMs.one, show)}, ${roundCount} rounds, ${windowCount} windows of ${HISTORY_DAYS} days before; ` +
      'each close reads its invoice from the stand-in, without latency or pacing',
  };
}

/** A year of windows as the collector leaves them; it goes on from their head. @returns how many */
async function insertHistory(database: LedgerDatabase, source: string, minutes: number): Promise<number> {
  const queryId = await findQueryId(database, { template: 'verbatim/1', parameters: '{"text":"history"}' });
  const [start, end] = [new Date(START_MS - HISTORY_DAYS * DAY_MS), new Date(START_MS)];
  await sql`
    insert into collection_windows (source, cursor_kind, window_start, window_end, row_count, new_row_count, usage_event_count,
      collected_at, collection_query_id, chain_position, total_row_count, total_new_row_count, reached_until, digest)
    select ${source}, 'ingestion', at, at + step, 10, 10, 3, at + step, ${queryId}::integer, position, position * 10, position * 10,
      at + step, sha256(position::text::bytea)
    from (select make_interval(mins => ${minutes}) as step) as width, generate_series(${start}::timestamptz,
      ${end}::timestamptz - step, step) with ordinality as history(at, position)`.execute(database);
  const counted = await sql<{ count: number }>`
    insert into collection_chains (source, cursor_kind, window_count, row_count, new_row_count, reached_until, digest, begun_at, begun_from)
    select source, cursor_kind, chain_position, total_row_count, total_new_row_count, reached_until, digest, ${start}, ${start}
    from collection_windows order by chain_position desc limit 1 returning window_count::integer as count`.execute(
    database,
  );
  await sql`analyze collection_windows`.execute(database);
  return counted.rows[0]?.count ?? 0;
}

/** Takes every close back to where it is compared; periods begin a year before, or spread over that year. */
async function setPeriods(
  database: LedgerDatabase,
  side: 'one' | 'many',
  invoiceCount: number,
): Promise<void> {
  await sql`
    update closes c set state = 'pushed', next_look_at = null, comparison = null, attempt_count = 0,
      period_start = ${new Date(START_MS - HISTORY_DAYS * DAY_MS)}::timestamptz
        + case when ${side === 'many'} then make_interval(secs => ${(HISTORY_DAYS * DAY_MS) / 1_000 / invoiceCount} * number) else interval '0' end
    from (select invoice_id, row_number() over (order by invoice_id) - 1 as number from closes) as numbered
    where numbered.invoice_id = c.invoice_id`.execute(database);
}

/** Every close agreed, and its chain holds all windows since its own period's start. @returns first windows that differ */
async function checkComparisons(
  database: LedgerDatabase,
  side: 'one' | 'many',
  expected: { invoiceCount: number; windowCount: number; windowMinutes: number },
): Promise<number> {
  const rows = await database.selectFrom('closes').select(['state', 'comparison', 'period_start']).execute();
  assertEqual(
    'closes compared',
    rows.filter((row) => row.state === 'compared').length,
    expected.invoiceCount,
  );
  const firsts = new Set<string>();
  for (const { comparison, period_start } of rows) {
    const { collection } = comparison as CloseComparison;
    const chain = isChained(collection) ? collection.chains.find(({ by }) => by === 'ingestion') : undefined;
    // The window that holds the period's start is the first.
    const passed = Math.floor(
      (period_start.getTime() - START_MS + HISTORY_DAYS * DAY_MS) / (expected.windowMinutes * MINUTE_MS),
    );
    assertEqual('first window', chain?.firstPosition, String(Math.min(passed, expected.windowCount) + 1));
    firsts.add(chain?.firstPosition ?? '');
  }
  assertEqual('different first windows', firsts.size, side === 'one' ? 1 : expected.invoiceCount);
  return firsts.size;
}
