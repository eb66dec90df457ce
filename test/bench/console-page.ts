import { CONSOLE_PAGES } from '../../src/console/registry.ts';
import type { RollupDimension } from '../../src/costs/rollups/query.ts';
import { readRollupRows } from '../../src/costs/rollups/rows.ts';
import { readRollupScope } from '../../src/costs/rollups/scope.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { createApp } from '../../src/service/app.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { insertFindings } from '../anomalies/world.ts';
import type { ApiBench } from '../api/setup.ts';
import { addInvoice } from '../console/invoices-world.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { addConsoleLedger, consoleSize, sizeInWords } from './support/console-ledger.ts';
import { MOST_TIMES, measurePages } from './support/page-rounds.ts';

const NOW = new Date('2026-11-30T12:00:00.000Z');
const END = new Date('2026-12-01T00:00:00.000Z');
const MONTH = { start: new Date('2026-11-01T00:00:00.000Z'), end: END };
const ORIGIN = 'http://bench.test';
const PLAN = `plan: bench
name: Bench
currency: usd
versions:
  - effectiveFrom: 2026-12-01
    rates:
      - { model: gpt-4o, tokenType: prompt, perMillion: 5 }`;

/**
 * Every page of the console's registry, from the request to its last byte, over the bare query of the rollups that it shows; a
 * page that shows none is held to that of customers.
 */
export const consolePageBench: Bench = {
  name: 'console-page',
  title: 'the slowest page of the console, over its bare rollup query',
  target: MOST_TIMES,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const size = consoleSize(quick, END);
  const roundCount = quick ? 2 : 5;
  const postgres = await startBenchPostgres(cleanup);
  const { database } = await postgres.createLedger();
  await seedPriceBook(database, NOW);
  const [costs, users, hours] = await addConsoleLedger(database, size);
  await postgres.settle();
  note(`${costs} rows of daily costs, ${users} of daily users, ${hours} of hours`);
  const { open, pathOf } = await openBench(database);

  const pages = CONSOLE_PAGES.map(({ path }) => ({
    name: path,
    path: pathOf(path),
    bare: () => rollUp(database, OWN_ROLLUPS[path] ?? 'customer'),
  }));
  const { ratio, words } = await measurePages({ pages, ask: open, roundCount, note }, quick);
  return { ratio, detail: `${sizeInWords(size)}: ${words}` };
}

/** Pages whose rows are of something else than customers. */
const OWN_ROLLUPS: Readonly<Record<string, RollupDimension>> = {
  '/console/features': 'feature',
  '/console/models': 'model',
};

/** The month's rows by cost, without what they are compared with, and nothing else. */
async function rollUp(database: LedgerDatabase, by: RollupDimension): Promise<number> {
  const startedMs = performance.now();
  await readSnapshot(database, async (snapshot) => {
    const scope = await readRollupScope(snapshot, { window: MONTH, filter: {}, now: NOW });
    await readRollupRows(snapshot, {
      ...scope,
      groupBy: [by],
      before: null,
      sort: { by: 'cost', descending: true },
      after: null,
      offset: 0,
      limit: 50,
      withDays: false,
    });
  });
  return performance.now() - startedMs;
}

/** The console, signed in, with something behind each name that a path may have. */
async function openBench(database: LedgerDatabase) {
  const clock = { now: () => NOW };
  const billing = createStripe({ STRIPE_API_KEY: 'sk_test_unused', STRIPE_API_BASE: 'http://127.0.0.1:9' });
  const app = createApp({ database, billing, clock, version: 'bench' });
  const { plainKey } = await createApiKey(database, {
    name: 'bench',
    scopes: ['admin'],
    actor: 'command line (bench)',
    now: NOW,
  });
  const world = { ledger: { database }, clock } as unknown as ApiBench;
  await addInvoice(world, { id: 'in_done', customer: 'customer-1', state: 'finalized' });
  await addInvoice(world, { id: 'in_held', customer: 'customer-2', state: 'held', missing: 7n });
  const post = async (path: string, body: object | string) => {
    const response = await app.request(`${ORIGIN}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${plainKey}`,
        'content-type': typeof body === 'string' ? 'application/yaml' : 'application/json',
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    assertEqual(`status of ${path}`, response.status, 201);
    return (await response.json()) as Record<string, string>;
  };
  const usage = [{ model: 'gpt-4o', promptTokenCount: 2_000_000, completionTokenCount: 100_000 }];
  const { quoteId = '' } = await post('/v1/quotes', { usage });
  const { simulationId = '' } = await post('/v1/simulations', {
    from: '2026-11-29T00:00:00Z',
    to: '2026-11-30T00:00:00Z',
    scenarios: [{ name: 'markup', markupPercent: '30' }],
  });
  await post('/v1/plans', PLAN);
  await insertFindings(database, [{ raised: true, customerId: 'customer-1' }]);
  const signedIn = await app.request(`${ORIGIN}/console/sign-in`, {
    method: 'POST',
    headers: { origin: ORIGIN, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ key: plainKey }),
  });
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  const named: Record<string, string> = {
    customerId: 'customer-1',
    invoiceId: 'in_done',
    quoteId,
    simulationId,
    planId: 'bench',
    findingId: '1',
  };
  return {
    /** @throws Error for a name that nothing stands behind: a new page says here what it is about */
    pathOf: (path: string) =>
      path.replaceAll(/:(\w+)/g, (_, name: string) => {
        const value = named[name];
        if (value === undefined) throw new Error(`${path} needs something behind ${name}`);
        return value;
      }),
    open: (path: string) => app.request(`${ORIGIN}${path}`, { headers: { cookie } }),
  };
}
