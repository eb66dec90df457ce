import { rateUsage } from '../../jobs/rate-usage.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';
import { foldKeptSums } from '../../src/platform/database/kept-sums.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { createApp } from '../../src/service/app.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { addHours } from './support/growing-ledger.ts';
import { withClient } from './support/pg-client.ts';
import { countTouched, type Touched } from './support/read-blocks.ts';
import { addScenarioUsage } from './support/scenario-usage.ts';
import { median } from './support/statistics.ts';

const START_MS = Date.UTC(2026, 7, 1);
const MAX_GROWTH = 1.1;
const HOURS_BEFORE = 12;
const ROUND_COUNT = 5;

/** What one new hour costs, and one look, after some days of history. */
interface Stage {
  day: number;
  rows: string;
  touched: Touched;
}

/** Rolling up one new hour: the rows that the job reads and writes, after many days over those after one. */
export const rollupGrowthBench: Bench = {
  name: 'rollup-growth',
  title: 'rolling up one new hour after 100 days, over after one',
  target: MAX_GROWTH,
  better: 'lower',
  run: (context) => grow(context, rollUp, 'rowCount'),
};

/** `/v1/status` and `/metrics`: the blocks that both answers read, after many days over those after one. */
export const statusGrowthBench: Bench = {
  name: 'status-growth',
  title: 'status and metrics after 100 days, over after one',
  target: MAX_GROWTH,
  better: 'lower',
  run: (context) => grow(context, lookAtStatus, 'blockCount'),
};

type Measure = (database: LedgerDatabase, hourMs: number) => Promise<Touched>;

async function grow(
  { quick, cleanup, note }: BenchContext,
  measure: Measure,
  counted: 'rowCount' | 'blockCount',
): Promise<Measurement> {
  const dayMarks = quick ? [1, 3] : [1, 10, 100];
  const customerCount = quick ? 5 : 50;
  const postgres = await startBenchPostgres(cleanup);
  const { databaseUrl, database: whole } = await postgres.createLedger();
  // Nobody else may touch the tables while blocks are counted; one connection flushes what it counted itself.
  await withClient(databaseUrl, async (client) => {
    await client.query('alter system set autovacuum = off');
    await client.query('select pg_reload_conf()');
  });
  const database = openLedger({ databaseUrl, maxConnectionCount: 1 });
  cleanup.defer(() => database.destroy());
  await seedPriceBook(database, new Date(START_MS));
  await addScenarioUsage(database, { startMs: START_MS, hourCount: 0, customerCount });
  const stages: Stage[] = [];
  let grownDays = 0;
  for (const day of dayMarks) {
    for (; grownDays < day - 1; grownDays += 1) {
      await addHours(database, { startMs: START_MS + grownDays * DAY_MS, hourCount: 24 });
      await rate(database);
    }
    const dayMs = START_MS + grownDays * DAY_MS;
    await addHours(database, { startMs: dayMs, hourCount: HOURS_BEFORE });
    await rate(database);
    await foldKeptSums(database);
    await withClient(databaseUrl, (client) => client.query('vacuum analyze').then(() => {}));
    const rounds: Touched[] = [];
    // The first warms what the connection knows of tables and functions.
    for (let round = 0; round <= ROUND_COUNT; round += 1) {
      const touched = await measure(database, dayMs + (HOURS_BEFORE + round) * HOUR_MS);
      if (round > 0) rounds.push(touched);
    }
    const restMs = dayMs + (HOURS_BEFORE + ROUND_COUNT + 1) * HOUR_MS;
    await addHours(database, { startMs: restMs, hourCount: 24 - HOURS_BEFORE - ROUND_COUNT - 1 });
    await rate(database);
    grownDays += 1;
    const rows = await database
      .selectFrom('hourly_usage')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .executeTakeFirstOrThrow();
    stages.push({
      day,
      rows: String(rows.count),
      touched: {
        blockCount: median(rounds.map(({ blockCount }) => blockCount)),
        rowCount: median(rounds.map(({ rowCount }) => rowCount)),
        milliseconds: median(rounds.map(({ milliseconds }) => milliseconds)),
      },
    });
    note(stages.map(describe).at(-1) ?? '');
  }
  await assertAddsUp(whole);
  const counts = stages.map(({ touched }) => touched[counted]);
  return {
    ratio: Math.max(...counts) / (counts[0] ?? 0),
    detail: `${customerCount} customers; ${stages.map(describe).join('; ')}`,
  };
}

function describe({ day, rows, touched }: Stage): string {
  const { rowCount, blockCount, milliseconds } = touched;
  return `${day} days (${rows} rows): ${rowCount} rows, ${blockCount} blocks, ${milliseconds.toFixed(0)} ms`;
}

async function rate(database: LedgerDatabase): Promise<void> {
  const clock = { now: () => new Date(START_MS + 200 * DAY_MS) };
  await rateUsage({ database, clock, log: createLogger('silent') });
}

async function rollUp(database: LedgerDatabase, hourMs: number): Promise<Touched> {
  await addHours(database, { startMs: hourMs, hourCount: 1 });
  return await countTouched(database, () => rate(database));
}

async function lookAtStatus(database: LedgerDatabase, hourMs: number): Promise<Touched> {
  await addHours(database, { startMs: hourMs, hourCount: 1 });
  await rate(database);
  const clock = new VirtualClock(hourMs);
  const billing = createStripe({ STRIPE_API_KEY: 'sk_test_unused', STRIPE_API_BASE: 'http://127.0.0.1:9' });
  const app = createApp({ database, billing, clock, version: 'bench' });
  const { plainKey } = await createApiKey(database, {
    name: `bench ${hourMs}`,
    scopes: ['finance'],
    actor: 'test',
    now: clock.now(),
  });
  const headers = { authorization: `Bearer ${plainKey}` };
  return await countTouched(database, async () => {
    for (const path of ['/v1/status', '/metrics']) {
      const response = await app.request(`http://bench.test${path}`, { headers });
      assertEqual(`status of ${path}`, response.status, 200);
      await response.text();
    }
  });
}

/** That the sums are of all rows, and not less. */
async function assertAddsUp(database: LedgerDatabase): Promise<void> {
  const sum = (table: 'hourly_usage' | 'daily_costs' | 'daily_users' | 'monthly_revenues') =>
    database
      .selectFrom(table)
      .select(({ fn, ref }) =>
        fn
          .sum<string>(
            table === 'hourly_usage' ? ref('delta_token_count' as never) : ref('token_count' as never),
          )
          .as('tokens'),
      )
      .executeTakeFirstOrThrow();
  const { tokens } = await sum('hourly_usage');
  for (const table of ['daily_costs', 'daily_users', 'monthly_revenues'] as const) {
    assertEqual(`tokens of ${table}`, (await sum(table)).tokens, tokens);
  }
  const totals = await readTokenTotals(database);
  assertEqual('tokens invoiced', String(totals.invoicedTokenCount), tokens);
  assertEqual('tokens that stand nowhere', totals.differenceTokenCount, 0n);
}
