import { Hono } from 'hono';
import { createApp } from '../../src/api/app.ts';
import { QuoteRequestSchema } from '../../src/api/quote-request-schema.ts';
import { randomId } from '../../src/api/random-id.ts';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { createApiKey } from '../../src/ledger/api-keys.ts';
import type { LedgerDatabase } from '../../src/ledger/database.ts';
import { seedPlans } from '../../src/ledger/plan-seed.ts';
import { seedPriceBook } from '../../src/ledger/price-book.ts';
import { getQuote, insertQuote } from '../../src/ledger/quotes.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { insertCatalog } from '../api/world.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { CONNECTION_COUNT, type Load, listen, load } from './support/http-load.ts';
import { describeSpread, median, toTwoDecimals } from './support/statistics.ts';

const P99_LIMIT = 2;

/** The real `POST /v1/quotes` beside a route that reads and answers the same request and does nothing else. */
export const quotesBench: Bench = {
  name: 'quotes',
  title: 'rate of stored quotes over that of a bare Hono + zod echo, both over loopback',
  target: 0.8,
  better: 'higher',
  run,
};

/** `keeping`: an echo that does one thing more, and commits the row of a quote before it answers that quote's text. */
const SIDES = ['echo', 'keeping', 'quotes'] as const;
type Side = (typeof SIDES)[number];
type Compared = Record<Side, Load[]>;

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const roundCount = quick ? 1 : 5;
  const postgres = await startBenchPostgres(cleanup);
  const { database } = await postgres.createLedger();
  const now = systemClock.now();
  await seedPriceBook(database, now);
  await seedPlans(database, now);
  await insertCatalog(database);
  const { plainKey } = await createApiKey(database, { name: 'bench', scopes: ['sales'], now });
  const billing = createStripe({ ...loadConfig({}), STRIPE_API_KEY: 'sk_test_unused' });
  const app = createApp({ database, clock: systemClock, billing, version: 'bench' });
  const ports = {
    echo: await listen(createEcho(), cleanup),
    keeping: await listen(await createKeepingEcho(database, app, plainKey), cleanup),
    quotes: await listen(app, cleanup),
  };
  const measure = async (usage: readonly object[], requestCount: number): Promise<Compared> => {
    const body = JSON.stringify({ usage });
    const drive = (side: Side) =>
      load({ port: ports[side], path: '/v1/quotes', body, plainKey, count: requestCount });
    for (const side of SIDES) await drive(side);
    const compared: Compared = { echo: [], keeping: [], quotes: [] };
    for (let round = 1; round <= roundCount; round += 1) {
      await postgres.settle();
      // Who goes first takes turns, so that what else the machine does weighs on all.
      for (const side of round % 2 === 0 ? SIDES.toReversed() : SIDES) compared[side].push(await drive(side));
      const told = SIDES.map((side) => `${side} ${describe(lastOf(compared[side]))}`).join(', ');
      note(`${usage.length} entries, round ${round}: ${told}`);
    }
    return compared;
  };
  const requestCount = quick ? 500 : 6_000;
  const wideRequestCount = quick ? 200 : 1_500;
  const single = await measure([usageOf('gpt-4o', 'chat')], requestCount);
  const wide = await measure(
    WIDE_MODELS.flatMap((model) => WIDE_FEATURES.map((feature) => usageOf(model, feature))),
    wideRequestCount,
  );
  const stored = await database
    .selectFrom('quotes')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  const loadCount = BigInt((requestCount + wideRequestCount) * (roundCount + 1));
  assertEqual('quotes stored', stored.count, loadCount * 2n + 1n);
  return {
    ratio: median(ratiosOf(single, 'perSecond')),
    detail:
      `${CONNECTION_COUNT} connections, ${roundCount} rounds, client and server in one process. ` +
      `One entry of usage, ${requestCount} requests: ${summarize(single)}. ` +
      `${WIDE_MODELS.length * WIDE_FEATURES.length} entries, ${wideRequestCount} requests, beside the verdict: ${summarize(wide)}. ` +
      `Each quote is authenticated, priced by the current book and rates, and committed before its answer`,
  };
}

/** What a salesperson asks about a product with several features, rather than the least that can be asked. */
const WIDE_MODELS = ['gpt-4o', 'gpt-4o-mini', 'o4-mini'];
const WIDE_FEATURES = ['chat', 'search', 'summary', 'translation'];

function usageOf(model: string, feature: string) {
  return {
    model,
    feature,
    promptTokenCount: 2_000_000,
    cachedPromptTokenCount: '1000000',
    completionTokenCount: 1_000_000,
  };
}

function ratiosOf(compared: Compared, figure: keyof Load, side: Side = 'quotes'): number[] {
  return compared[side].map((one, index) => one[figure] / (compared.echo[index]?.[figure] ?? Number.NaN));
}

function lastOf(loads: readonly Load[]): Load {
  const last = loads.at(-1);
  if (last === undefined) throw new Error('a round measures every side');
  return last;
}

function summarize(compared: Compared): string {
  const p99Ratios = ratiosOf(compared, 'p99Ms');
  return (
    `rate ratio ${describeSpread(ratiosOf(compared, 'perSecond'), toTwoDecimals)}; ` +
    `p99 ratio ${describeSpread(p99Ratios, toTwoDecimals)} (at most ${P99_LIMIT}: ${median(p99Ratios) <= P99_LIMIT ? 'met' : 'not met'}); ` +
    `quotes ${describe(typical(compared.quotes))}, echo ${describe(typical(compared.echo))}; ` +
    `an echo that commits the row of a quote and does nothing else ${describeSpread(ratiosOf(compared, 'perSecond', 'keeping'), toTwoDecimals)}, ` +
    `p99 ratio ${toTwoDecimals(median(ratiosOf(compared, 'p99Ms', 'keeping')))}`
  );
}

/** What any API of this kind must at least do: read JSON, check it by the same schema, answer it. */
function createEcho(answer = async (asked: string) => asked): Hono {
  const app = new Hono();
  app.post('/v1/quotes', async (context) => {
    const parsed = QuoteRequestSchema.parse(await context.req.json());
    const text = JSON.stringify(parsed, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
    return context.body(await answer(text), 201, { 'Content-Type': 'application/json' });
  });
  return app;
}

/** No key, no price, no computing: what is left of a quote is that it is kept, by the same statement and in the same company. */
async function createKeepingEcho(
  database: LedgerDatabase,
  app: Pick<Hono, 'request'>,
  plainKey: string,
): Promise<Hono> {
  const made = await app.request('/v1/quotes', {
    method: 'POST',
    headers: { authorization: `Bearer ${plainKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ usage: [usageOf('gpt-4o', 'chat')] }),
  });
  if (made.status !== 201) throw new Error(`the quote to be kept was answered ${made.status}`);
  const { quoteId } = (await made.json()) as { quoteId: string };
  const like = await getQuote(database, quoteId);
  return createEcho(async (request) => {
    await insertQuote(database, {
      quoteId: `quote_${randomId()}`,
      request,
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
    return like.resultText;
  });
}

function typical(loads: readonly Load[]): Load {
  return {
    perSecond: median(loads.map(({ perSecond }) => perSecond)),
    p50Ms: median(loads.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(loads.map(({ p99Ms }) => p99Ms)),
    cpuMicros: median(loads.map(({ cpuMicros }) => cpuMicros)),
  };
}

function describe({ perSecond, p50Ms, p99Ms, cpuMicros }: Load): string {
  return `${Math.round(perSecond)}/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${cpuMicros.toFixed(0)} µs of CPU each`;
}
