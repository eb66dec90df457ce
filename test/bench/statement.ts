import { createApiKey } from '../../src/identity/api-keys.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createApp } from '../../src/service/app.ts';
import type { StatementBody } from '../../src/statements/schemas.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { PERIOD } from '../api/world.ts';
import { addStatementMonth } from '../browser/statement-month.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { describeSpread, median } from './support/statistics.ts';

const MODEL_COUNT = 8;
const USER_COUNT = 200;
const LIMIT_MS = 150;
const LIMIT_BYTES = 300_000;

/**
 * The page of a month's statement, from the request to its last byte, over what it may take. An absolute figure, as it
 * was asked for: on another machine it is another.
 */
export const statementBench: Bench = {
  name: 'statement',
  title: `page of a month's statement, over ${LIMIT_MS} ms`,
  target: 1,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  // A month of 31 days: the fixture's November, and a day before.
  const hourCount = quick ? 48 : 744;
  const roundCount = quick ? 3 : 21;
  const postgres = await startBenchPostgres(cleanup);
  const { database } = await postgres.createLedger();
  const period = { start: PERIOD.start, end: new Date(PERIOD.start.getTime() + 744 * 3_600_000) };
  await addStatementMonth(database, {
    customerId: 'bench',
    invoiceId: 'in_bench',
    hourCount,
    userCount: USER_COUNT,
    period,
  });
  await postgres.settle();
  const { total, rows } = await database
    .selectFrom('hourly_usage')
    .select(({ fn }) => [fn.sum<string>('delta_token_count').as('total'), fn.countAll<bigint>().as('rows')])
    .executeTakeFirstOrThrow();
  note(`${rows} settled rows`);

  const billing = createStripe({ STRIPE_API_KEY: 'sk_test_unused', STRIPE_API_BASE: 'http://127.0.0.1:9' });
  const app = createApp({ database, billing, clock: systemClock, version: 'bench' });
  const { plainKey } = await createApiKey(database, {
    name: 'bench',
    scopes: ['finance'],
    actor: 'test',
    now: systemClock.now(),
  });
  const made = await app.request('http://bench.test/v1/statements/in_bench/links', {
    method: 'POST',
    headers: { authorization: `Bearer ${plainKey}`, 'content-type': 'application/json' },
    body: '{}',
  });
  const { url } = (await made.json()) as { url: string };
  const open = async () => {
    const startedMs = performance.now();
    const response = await app.request(url);
    const page = await response.text();
    const tookMs = performance.now() - startedMs;
    assertEqual('status of the page', response.status, 200);
    return { page, tookMs };
  };

  const first = await open();
  const timesMs: number[] = [];
  let page = first.page;
  for (let round = 0; round < roundCount; round += 1) {
    const opened = await open();
    assertEqual('the page, opened again', opened.page, page);
    page = opened.page;
    timesMs.push(opened.tookMs);
  }
  // One hour more: only its day is summed again.
  await database
    .updateTable('meter_pushes')
    .set({ status: 'pending' })
    .where('window_start', '=', PERIOD.start)
    .where('stripe_meter_id', '=', 'mtr_gpt-4o_prompt')
    .execute();
  await database.deleteFrom('statement_slices').where('slice_start', '=', PERIOD.start).execute();
  const afterChange = await open();
  assertEqual('the page after a day was summed again', afterChange.page, page);
  const statement = (await (await app.request(`${url}&format=json`)).json()) as StatementBody;
  assertEqual('tokens of the users', sumOf(statement.byUser.rows), BigInt(total));
  assertEqual('tokens of the days', sumOf(statement.byDay.rows), BigInt(total));
  assertEqual('usage that is not divided', statement.byUser.rest, null);
  const style = await (await app.request('/statements/style.css')).text();
  const bytes = Buffer.byteLength(page) + Buffer.byteLength(style);
  const show = (value: number) => `${value.toFixed(0)} ms`;
  return {
    ratio: median(timesMs) / LIMIT_MS,
    detail:
      `${hourCount} hours x ${MODEL_COUNT} models x ${USER_COUNT} users, ${rows} rows, ${roundCount} rounds: server time ` +
      `${describeSpread(timesMs, show)}, page and sheet ${(bytes / 1_000).toFixed(0)} kB ` +
      `(below ${LIMIT_BYTES / 1_000} kB: ${bytes < LIMIT_BYTES ? 'met' : 'not met'}); ` +
      `opened for the first time ${show(first.tookMs)}, after a change of one day ${show(afterChange.tookMs)}`,
  };
}

function sumOf(rows: readonly { tokenCount: string }[]): bigint {
  return rows.reduce((sum, { tokenCount }) => sum + BigInt(tokenCount), 0n);
}
