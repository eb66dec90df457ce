import { Hono } from 'hono';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { randomText } from '../../src/platform/random-text.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { getQuote, insertQuote } from '../../src/quotes/quotes.ts';
import { QuoteRequestSchema } from '../../src/quotes/request-schema.ts';
import { createApp } from '../../src/service/app.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { insertCatalog } from '../api/world.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { type Load, listen, load } from './support/http-load.ts';
import { describeSpread, median, toTwoDecimals } from './support/statistics.ts';

/** A sales desk, all of whom ask at once. */
const REQUESTS_UNDER_WAY = 8;

/** What a person feels: how long a quote takes, over what keeping one and answering it takes anyhow. */
export const quotesBench: Bench = {
  name: 'quotes',
  title: 'median time of a quote, over that of an echo that commits the same row',
  target: 4,
  better: 'lower',
  run: async (context) => toMeasurement(await compare(context), 'p50Ms'),
};

/** The same for the unlucky one in a hundred. */
export const quotesTailBench: Bench = {
  name: 'quotes-p99',
  title: 'p99 of the time of a quote, over that of an echo that commits the same row',
  target: 6,
  better: 'lower',
  run: async (context) => toMeasurement(await compare(context), 'p99Ms'),
};

const SIDES = ['echo', 'quotes'] as const;
type Compared = Record<(typeof SIDES)[number], Load[]>;

async function compare({ quick, cleanup, note }: BenchContext): Promise<Compared> {
  const roundCount = quick ? 1 : 7;
  const requestCount = quick ? 200 : 2_000;
  const postgres = await startBenchPostgres(cleanup);
  const { database } = await postgres.createLedger();
  const now = systemClock.now();
  await seedPriceBook(database, now);
  await seedPlans(database, now);
  await insertCatalog(database);
  const { plainKey } = await createApiKey(database, { name: 'bench', scopes: ['sales'], actor: 'test', now });
  const billing = createStripe({ ...loadConfig({}), STRIPE_API_KEY: 'sk_test_unused' });
  const app = createApp({ database, clock: systemClock, billing, version: 'bench' });
  const body = JSON.stringify({
    usage: [
      {
        model: 'gpt-4o',
        feature: 'chat',
        promptTokenCount: 2_000_000,
        cachedPromptTokenCount: '1000000',
        completionTokenCount: 1_000_000,
      },
    ],
  });
  const ports = {
    echo: await listen(await createKeepingEcho(database, app, { plainKey, body }), cleanup),
    quotes: await listen(app, cleanup),
  };
  const drive = (side: keyof Compared) =>
    load({
      port: ports[side],
      path: '/v1/quotes',
      body,
      plainKey,
      count: requestCount,
      connectionCount: REQUESTS_UNDER_WAY,
    });
  for (const side of SIDES) await drive(side);
  const compared: Compared = { echo: [], quotes: [] };
  for (let round = 1; round <= roundCount; round += 1) {
    await postgres.settle();
    // Who goes first takes turns, so that what else the machine does weighs on both.
    for (const side of round % 2 === 0 ? SIDES.toReversed() : SIDES) compared[side].push(await drive(side));
    note(
      `round ${round}: ${SIDES.map((side) => `${side} ${describe(compared[side].slice(-1))}`).join(', ')}`,
    );
  }
  const stored = await database
    .selectFrom('quotes')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  assertEqual('quotes stored', stored.count, BigInt(requestCount * (roundCount + 1)) * 2n + 1n);
  return compared;
}

function toMeasurement(compared: Compared, judged: 'p50Ms' | 'p99Ms'): Measurement {
  const ratios = (figure: 'p50Ms' | 'p99Ms') =>
    compared.quotes.map((one, index) => one[figure] / (compared.echo[index]?.[figure] ?? Number.NaN));
  return {
    ratio: median(ratios(judged)),
    detail:
      `${REQUESTS_UNDER_WAY} requests under way, ${compared.quotes.length} rounds, client and servers in one process. ` +
      `Median ratio ${describeSpread(ratios('p50Ms'), toTwoDecimals)}, p99 ratio ${describeSpread(ratios('p99Ms'), toTwoDecimals)}; ` +
      `quotes ${describe(compared.quotes)}, echo ${describe(compared.echo)}`,
  };
}

/** No key, no price, no computing: reads the request, commits the row of a quote by the same statement, answers its text. */
async function createKeepingEcho(
  database: LedgerDatabase,
  api: Pick<Hono, 'request'>,
  { plainKey, body }: { plainKey: string; body: string },
): Promise<Hono> {
  const made = await api.request('/v1/quotes', {
    method: 'POST',
    headers: { authorization: `Bearer ${plainKey}`, 'content-type': 'application/json' },
    body,
  });
  if (made.status !== 201) throw new Error(`the quote to be kept was answered ${made.status}`);
  const { quoteId } = (await made.json()) as { quoteId: string };
  const like = await getQuote(database, quoteId);
  const app = new Hono();
  app.post('/v1/quotes', async (context) => {
    const parsed = QuoteRequestSchema.parse(await context.req.json());
    await insertQuote(database, {
      quoteId: `quote_${randomText(16)}`,
      request: JSON.stringify(parsed, (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
      result: like.resultText,
      snapshot: like.snapshotText ?? '',
      resultHash: like.resultHash ?? '',
      priceBookVersion: like.priceBookVersion,
      customerId: null,
      planId: null,
      planVersion: null,
      createdBy: like.createdBy,
      createdAt: systemClock.now(),
      validUntil: systemClock.now(),
    });
    return context.body(like.resultText, 201, { 'Content-Type': 'application/json' });
  });
  return app;
}

function describe(loads: readonly Load[]): string {
  const of = (figure: keyof Load) => median(loads.map((one) => one[figure]));
  return `p50 ${of('p50Ms').toFixed(1)} ms, p99 ${of('p99Ms').toFixed(1)} ms, ${Math.round(of('perSecond'))}/s, ${of('cpuMicros').toFixed(0)} µs of CPU each`;
}
