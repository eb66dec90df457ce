import type { RollupFilter } from '../../src/costs/rollups/query.ts';
import { readRollupRows } from '../../src/costs/rollups/rows.ts';
import { readRollupScope } from '../../src/costs/rollups/scope.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { beginPortalSession } from '../../src/identity/portal-sessions.ts';
import { loadConfig } from '../../src/platform/config.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import { PORTAL_PAGES } from '../../src/portal/registry.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { createApp } from '../../src/service/app.ts';
import { createOptionalBilling } from '../../src/service/optional-billing.ts';
import { insertInvoice, storeLines } from '../api/statement-world.ts';
import type { Bench, BenchContext, Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { addConsoleLedger, consoleSize, sizeInWords } from './support/console-ledger.ts';
import { type AskedPage, MOST_TIMES, measurePages } from './support/page-rounds.ts';

const NOW = new Date('2026-11-30T12:00:00.000Z');
const END = new Date('2026-12-01T00:00:00.000Z');
const MONTH = { start: new Date('2026-11-01T00:00:00.000Z'), end: END };
const BEFORE = { start: new Date('2026-10-01T00:00:00.000Z'), end: MONTH.start };
/** Of which there are hours: those of the month and of the one before, with the weeks by which it is projected. */
const HOURLY_DAYS = 61;
const CUSTOMER = 'customer-1';
const USER = 'user-1-of-customer-1';

/** Every page of the portal's registry, to each reader that it is for, over the bare rollup query of what is the reader's. */
export const portalPageBench: Bench = {
  name: 'portal-page',
  title: 'the slowest page of the portal, over the bare rollup query of its reader',
  target: MOST_TIMES,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const size = { ...consoleSize(quick, END), hourlyDayCount: HOURLY_DAYS };
  const postgres = await startBenchPostgres(cleanup);
  const { database } = await postgres.createLedger();
  await seedPriceBook(database, NOW);
  await addConsoleLedger(database, size);
  await addInvoice(database);
  await postgres.settle();

  // Without a key for Stripe: what is measured is our own time, and no page waits for another's.
  const billing = createOptionalBilling(loadConfig({}));
  const app = createApp({ database, billing, clock: { now: () => NOW }, version: 'bench' });
  const pages = await askedPages(database);
  const ask = (path: string) => app.request(`http://bench.test${path}`);
  const roundCount = quick ? 2 : 20;
  const { ratio, words } = await measurePages({ pages, ask, roundCount, note }, quick);
  return { ratio, detail: `${sizeInWords(size)}: ${words}` };
}

/** One of the month before. */
async function addInvoice(database: LedgerDatabase): Promise<void> {
  const price = (tokenType: string) => ({
    lineId: `il_${tokenType}`,
    subscriptionItemId: `si_${tokenType}${CUSTOMER}`,
    quantity: 1_000_000n,
    unitAmountDecimal: '0.0004',
    amountMinor: 400n,
    periodStart: BEFORE.start,
    periodEnd: BEFORE.end,
  });
  await insertInvoice(database, { id: 'in_done', customer: CUSTOMER, totalMinor: 800n, period: BEFORE });
  await storeLines(database, { id: 'in_done', lines: [price('prompt'), price('completion')] });
}

async function askedPages(database: LedgerDatabase): Promise<AskedPage[]> {
  const { key } = await createApiKey(database, {
    name: 'host',
    scopes: ['portal'],
    actor: 'command line (bench)',
    now: NOW,
  });
  const baseOf = async (userId: string | null) => {
    const reader = { customerId: CUSTOMER, userId };
    const { token } = await beginPortalSession(database, reader, { apiKeyId: key.apiKeyId }, 3_600);
    return `/portal/s/${token}`;
  };
  const [whole, one] = [await baseOf(null), await baseOf(USER)];
  return PORTAL_PAGES.flatMap(({ path, of }) => {
    const below = path.replace(':invoiceId', 'in_done');
    const page = (name: string, base: string, user?: string) => ({
      name,
      path: `${base}${below}`,
      bare: () => rollUp(database, { customerId: CUSTOMER, user }),
    });
    return [
      ...(of === 'user' ? [] : [page(path || '/', whole)]),
      ...(of === 'customer' ? [] : [page(`${path || '/'} (a user)`, one, USER)]),
    ];
  });
}

/** The reader's month by model and by day, and nothing else. */
async function rollUp(database: LedgerDatabase, filter: RollupFilter): Promise<number> {
  const startedMs = performance.now();
  await readSnapshot(database, async (snapshot) => {
    const scope = await readRollupScope(snapshot, { window: MONTH, filter, now: NOW });
    await readRollupRows(snapshot, {
      ...scope,
      groupBy: ['model'],
      before: null,
      sort: { by: 'cost', descending: true },
      after: null,
      offset: 0,
      limit: 50,
      withDays: true,
    });
  });
  return performance.now() - startedMs;
}
