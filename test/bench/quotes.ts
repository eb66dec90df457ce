import { Agent, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createApp } from '../../src/api/app.ts';
import { QuoteRequestSchema } from '../../src/api/quote-request-schema.ts';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { createApiKey } from '../../src/ledger/api-keys.ts';
import { seedPlans } from '../../src/ledger/plan-seed.ts';
import { seedPriceBook } from '../../src/ledger/price-book.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { insertCatalog } from '../api/world.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import type { Cleanup } from './support/cleanup.ts';
import { describeSpread, median, toTwoDecimals } from './support/statistics.ts';

const CONNECTION_COUNT = 64;
const P99_LIMIT = 2;

/** The real `POST /v1/quotes` beside a route that reads and answers the same request and does nothing else. */
export const quotesBench: Bench = {
  name: 'quotes',
  title: 'rate of stored quotes over that of a bare Hono + zod echo, both over loopback',
  target: 0.8,
  better: 'higher',
  run,
};

interface Load {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of this process, client and server together. */
  cpuMicros: number;
}

interface Compared {
  echo: Load[];
  quotes: Load[];
}

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
  const quotes = await listen(
    createApp({ database, clock: systemClock, billing, version: 'bench' }),
    cleanup,
  );
  const echo = await listen(createEcho(), cleanup);
  const measure = async (usage: readonly object[], requestCount: number): Promise<Compared> => {
    const body = JSON.stringify({ usage });
    const drive = (port: number) => load({ port, body, plainKey, count: requestCount });
    for (const port of [echo, quotes]) await drive(port);
    const compared: Compared = { echo: [], quotes: [] };
    for (let round = 1; round <= roundCount; round += 1) {
      await postgres.settle();
      // Who goes first takes turns, so that what else the machine does weighs on both.
      const order = round % 2 === 0 ? (['quotes', 'echo'] as const) : (['echo', 'quotes'] as const);
      for (const side of order) compared[side].push(await drive(side === 'quotes' ? quotes : echo));
      const [echoed, quoted] = [compared.echo.at(-1), compared.quotes.at(-1)];
      if (echoed === undefined || quoted === undefined) throw new Error('a round measures both');
      note(`${usage.length} entries, round ${round}: echo ${describe(echoed)}, quotes ${describe(quoted)}`);
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
  assertEqual('quotes stored', stored.count, BigInt((requestCount + wideRequestCount) * (roundCount + 1)));
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

function ratiosOf({ echo, quotes }: Compared, figure: keyof Load): number[] {
  return quotes.map((quoted, index) => quoted[figure] / (echo[index]?.[figure] ?? Number.NaN));
}

function summarize(compared: Compared): string {
  const p99Ratios = ratiosOf(compared, 'p99Ms');
  return (
    `rate ratio ${describeSpread(ratiosOf(compared, 'perSecond'), toTwoDecimals)}; ` +
    `p99 ratio ${describeSpread(p99Ratios, toTwoDecimals)} (at most ${P99_LIMIT}: ${median(p99Ratios) <= P99_LIMIT ? 'met' : 'not met'}); ` +
    `quotes ${describe(typical(compared.quotes))}, echo ${describe(typical(compared.echo))}`
  );
}

/** What any API of this kind must at least do: read JSON, check it by the same schema, answer it. */
function createEcho(): Hono {
  const app = new Hono();
  app.post('/v1/quotes', async (context) => {
    const parsed = QuoteRequestSchema.parse(await context.req.json());
    const text = JSON.stringify(parsed, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
    return context.body(text, 201, { 'Content-Type': 'application/json' });
  });
  return app;
}

async function listen(app: Pick<Hono, 'fetch'>, cleanup: Cleanup): Promise<number> {
  return await new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (address: AddressInfo) =>
      resolve(address.port),
    );
    cleanup.defer(async () => {
      await new Promise((closed) => server.close(closed));
    });
  });
}

/** So many requests, each connection sending its next when its last was answered. */
async function load(target: { port: number; body: string; plainKey: string; count: number }): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTION_COUNT });
  const durationsMs: number[] = [];
  let left = target.count;
  const startedCpu = process.cpuUsage();
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTION_COUNT }, async () => {
      while (left > 0) {
        left -= 1;
        const sentMs = performance.now();
        await post(agent, target);
        durationsMs.push(performance.now() - sentMs);
      }
    }),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(startedCpu);
  agent.destroy();
  durationsMs.sort((left, right) => left - right);
  const at = (share: number) => durationsMs[Math.floor((durationsMs.length - 1) * share)] ?? 0;
  return {
    perSecond: target.count / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: (user + system) / target.count,
  };
}

/** @throws Error when the answer is not 201 */
function post(agent: Agent, { port, body, plainKey }: { port: number; body: string; plainKey: string }) {
  return new Promise<void>((resolve, reject) => {
    const request = sendRequest(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/v1/quotes',
        headers: {
          authorization: `Bearer ${plainKey}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      (response) => {
        response.resume();
        response.once('end', () =>
          response.statusCode === 201 ? resolve() : reject(new Error(`answered ${response.statusCode}`)),
        );
      },
    );
    request.once('error', reject);
    request.end(body);
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
