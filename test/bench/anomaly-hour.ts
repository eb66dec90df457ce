import { sql } from 'kysely';
import { findAnomalies } from '../../jobs/find-anomalies.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import { priceSegments } from '../../pricing/prices/segments.ts';
import { dayUsage } from '../../src/costs/day-statement.ts';
import { addMs, DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { createLogger } from '../../src/platform/log.ts';
import { readPriceBook, seedPriceBook } from '../../src/prices/book.ts';
import { judgeSeed, type SeedFigures } from '../anomalies/figures.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { withClient } from './support/pg-client.ts';
import { addScenarioUsage } from './support/scenario-usage.ts';
import { median } from './support/statistics.ts';

const DAY_START_MS = Date.UTC(2026, 8, 30);
const HOURS_BEFORE = 6;
/** As far back as baselines look. */
const HISTORY_DAYS = 57;
const ROUND_COUNT = 3;
const SEED = 101;
const MAX_RATIO = 5;

/**
 * An hour that became known of 10,000 customers: summed, held against eight weeks and judged, over what the rollup reads to rate
 * the same day so far. Before it, what either rule finds of 40 planted events in 180 days of 50 customers.
 */
export const anomalyHourBench: Bench = {
  name: 'anomaly-hour',
  title: 'judging an hour of 10,000 customers, over the rollup’s read',
  target: MAX_RATIO,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const figures = judgeSeed(SEED);
  if (!figures.isKept) throw new Error(`planted events: ${figures.misses.join('\n')}`);
  note(found(figures));
  const customerCount = quick ? 200 : 10_000;
  const postgres = await startBenchPostgres(cleanup);
  const { database, databaseUrl } = await postgres.createLedger();
  await seedPriceBook(database, new Date(DAY_START_MS - HISTORY_DAYS * DAY_MS));
  await addScenarioUsage(database, { startMs: DAY_START_MS, hourCount: 0, customerCount });
  await addHours(database, 0, HOURS_BEFORE);
  await sql`analyze`.execute(database);
  await findAnomaliesAt(database, HOURS_BEFORE);
  note(`${customerCount} customers are there`);
  await addHistory(database);
  await withClient(databaseUrl, (client) => client.query('vacuum analyze').then(() => {}));
  const [judged, read]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    const hourCount = HOURS_BEFORE + round + 1;
    await addHours(database, hourCount - 1, 1);
    await addLoop(database, hourCount - 1);
    await postgres.settle();
    const { milliseconds, outcome } = await timed(() => findAnomaliesAt(database, hourCount));
    assertEqual('hours judged', outcome.judgedHourCount, 1);
    if (round === 0) assertEqual('loops told of', outcome.raisedCount, 1);
    judged.push(milliseconds);
    read.push((await timed(() => readRollup(database, hourCount))).milliseconds);
  }
  const [hourMs, readMs] = [median(judged), median(read)];
  return {
    ratio: hourMs / readMs,
    detail: `${customerCount} customers: an hour summed and judged in ${hourMs.toFixed(0)} ms, the rollup’s read of its day ${readMs.toFixed(0)} ms; ${found(figures)}`,
  };
}

function found({ seed, rules }: SeedFigures): string {
  const of = ({ precision, recall, firstHour }: SeedFigures['rules']['ours']) =>
    `precision ${precision.toFixed(2)}, recall ${recall.toFixed(2)}, loops and scrapers in their first hour ${firstHour}`;
  return `planted by seed ${seed}: 2 sigma ${of(rules.sigma)}; ours ${of(rules.ours)}`;
}

async function timed<Result>(work: () => Promise<Result>) {
  const startedMs = performance.now();
  const outcome = await work();
  return { milliseconds: performance.now() - startedMs, outcome };
}

async function findAnomaliesAt(database: LedgerDatabase, hourCount: number) {
  const clock = { now: () => new Date(DAY_START_MS + hourCount * HOUR_MS - 60_000) };
  return await findAnomalies({ database, clock, log: createLogger('silent') });
}

/** Days before: the hours that are looked at, as the first of the day were summed, and some more or less. */
async function addHistory(database: LedgerDatabase): Promise<void> {
  const start = new Date(DAY_START_MS);
  await sql`
    insert into anomaly_hours
    select ${start}::timestamptz - make_interval(days => day) + make_interval(hours => ${HOURS_BEFORE} + hour), customer_id,
      cost_pico_usd * (80 + (day * 7 + hour) % 40) / 100, 0, top_user_cost_pico_usd * (80 + (day * 7 + hour) % 40) / 100, top_user_request_count, 0, 0, request_count,
      token_count, user_count
    from anomaly_hours cross join generate_series(1, ${HISTORY_DAYS}::int) as day
    cross join generate_series(0, ${ROUND_COUNT - 1}::int) as hour
    where window_start = ${addMs(start, HOUR_MS)} and (day <= ${RULES.sameHourDays} or day % 7 = 0)`.execute(
    database,
  );
  await sql`
    insert into anomaly_days
    select day - back, customer_id, cost_pico_usd * (20 + back % 9) / 10, top_user_cost_pico_usd, top_user_request_count,
      request_count * 2
    from anomaly_days cross join generate_series(1, ${HISTORY_DAYS}::int) as back`.execute(database);
  await sql`update anomaly_customers set first_hour = ${addMs(start, -HISTORY_DAYS * DAY_MS)}`.execute(
    database,
  );
}

/** Each customer's user asks two features of two models in each hour; what is read of it here, and no more. */
async function addHours(database: LedgerDatabase, first: number, hourCount: number): Promise<void> {
  const start = new Date(DAY_START_MS + first * HOUR_MS);
  const used = sql`
    select hour, subject, (array['gpt-4o', 'gpt-4.1-mini'])[pair] as model, (array['chat', 'search'])[pair] as feature,
      1000 + abs(hashtext(concat(subject, hour, pair))::bigint) % 100000 as tokens
    from generate_series(${start}::timestamptz, ${addMs(start, (hourCount - 1) * HOUR_MS)}::timestamptz, interval '1 hour') as hour
    cross join subjects cross join generate_series(1, 2) as pair`;
  await sql`
    insert into usage_events (usage_event_id, window_start, event_time, subject, feature, model, deployment,
      prompt_token_count, cached_prompt_token_count, completion_token_count, reasoning_token_count, total_token_count,
      request_count, body, status, sent_at, created_at)
    select concat_ws(' ', subject, hour, model), hour, hour, subject, feature, model, model || '-global', tokens, 0, tokens / 4, 0,
      tokens + tokens / 4, 3, '{}', 'confirmed', hour, hour from (${used}) as used`.execute(database);
  await sql`
    insert into hourly_activity (window_start, subject, feature, model, deployment, reasoning_token_count, request_count, updated_at)
    select hour, subject, feature, model, model || '-global', 0, 3, hour from (${used}) as used`.execute(
    database,
  );
  await sql`
    insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision, token_count,
      delta_token_count, created_at)
    select hour, subject, feature, model, model || '-global', token_type, 1, part, part, hour from (${used}) as used
    cross join lateral (values ('prompt', tokens), ('completion', tokens / 4)) as parts(token_type, part)`.execute(
    database,
  );
  await sql`
    insert into settlements (window_start, status, settled_version, settled_at)
    select distinct hour, 'settled', 1, hour from (${used}) as used`.execute(database);
}

/** One user of one customer asks far more than ever. */
async function addLoop(database: LedgerDatabase, hour: number): Promise<void> {
  await sql`
    update usage_events set prompt_token_count = 40000000, total_token_count = 40000000, request_count = 900
    where subject = 'user of customer 7' and window_start = ${new Date(DAY_START_MS + hour * HOUR_MS)}`.execute(
    database,
  );
}

/** What the rollup reads of the day so far, and nothing of what it writes. */
async function readRollup(database: LedgerDatabase, hourCount: number): Promise<void> {
  const window = {
    start: new Date(DAY_START_MS),
    end: new Date(DAY_START_MS + hourCount * HOUR_MS),
  };
  const kinds = await sql<{ model: string; deployment: string; tokenType: 'prompt' | 'completion' }>`
    select distinct model, deployment, token_type as "tokenType" from hourly_usage
    where window_start >= ${window.start} and window_start < ${window.end}`.execute(database);
  const book = await readPriceBook(database);
  const segments = priceSegments(book, kinds.rows, window);
  const rated = { segments, provisioned: [], allocated: [], priceBookVersion: book.version, now: window.end };
  await sql`with ${dayUsage(window, rated)}
    select (select sum(token_count * pico_usd) from used), (select sum(request_count) from requested)`.execute(
    database,
  );
}
