import { sql } from 'kysely';
import { rateUsage } from '../../jobs/rate-usage.ts';
import { addPurchase } from '../../src/costs/provisioned/provisioned.ts';
import { readRollupScope } from '../../src/costs/rollups/scope.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { insertCatalog, insertUsage, type UsageSeed } from '../api/world.ts';

const NOW = new Date('2026-11-21T10:30:00Z');
export const NOVEMBER = { start: new Date('2026-11-01T00:00:00Z'), end: new Date('2026-12-01T00:00:00Z') };
export const OCTOBER = { start: new Date('2026-10-01T00:00:00Z'), end: NOVEMBER.start };

/** Two months of two customers and of nobody, in two currencies, with tiers, capacity and an unknown model. */
export async function insertRollupWorld(database: LedgerDatabase): Promise<void> {
  await insertCatalog(database);
  await seedPriceBook(database, NOW);
  await sql`
    update subscription_items set unit_amount_decimal = null, tiers_mode = 'graduated', price_tiers = ${JSON.stringify(
      [
        { upTo: '1000000', unitAmountDecimal: '0', flatAmountDecimal: null },
        { upTo: null, unitAmountDecimal: '0.0007', flatAmountDecimal: '123' },
      ],
    )}::jsonb
    where subscription_item_id = 'si_northwind_prompt'`.execute(database);
  await insertUsage(database, USAGE);
  const [from, until] = [new Date('2026-11-05T09:00:00Z'), new Date('2026-11-05T11:00:00Z')];
  await addPurchase(
    database,
    { deployment: 'ptu-1', validFrom: from, validUntil: until, terms: CAPACITY, note: '' },
    { actor: 'test', now: NOW },
  );
  await database
    .insertInto('exchange_rates')
    .values({
      day: '2026-11-20',
      base: 'eur',
      currency: 'usd',
      rate: '1.25',
      source: 'test',
      imported_at: NOW,
      imported_by: 'test',
    })
    .execute();
}

const CAPACITY = {
  unitCount: 10,
  unitIncrement: 10,
  hourlyUsdPerUnit: '1.0000007',
  reservedUnitCount: 0,
  reservedHourlyUsdPerUnit: null,
  tokensPerMinutePerUnit: 1_000,
  completionWeight: '4',
  cachedWeight: '0',
  idlePolicy: 'overhead' as const,
};

const at = (day: string, hour = '09') => `2026-${day}T${hour}:00:00Z`;
const ADATUM = { customer: 'adatum', subject: 'user-3' };

const USAGE: readonly UsageSeed[] = [
  { hour: at('10-30'), tokens: 700_001n },
  { hour: at('10-30'), tokens: 90_001n, subject: 'user-2', feature: 'search' },
  { hour: at('10-31'), tokens: 500_003n, ...ADATUM },
  { hour: at('11-02'), tokens: 900_001n },
  { hour: at('11-02'), tokens: 300_007n, subject: 'user-2' },
  { hour: at('11-02', '15'), tokens: 77n, tokenType: 'completion' },
  { hour: at('11-03'), tokens: 400_009n, feature: 'search', subject: 'user-2' },
  { hour: at('11-03'), tokens: 123n, tokenType: 'completion', feature: 'search', subject: 'user-2' },
  { hour: at('11-03'), tokens: 13n, model: 'gpt-99', deployment: 'x' },
  { hour: at('11-03'), tokens: 17n, subject: 'stray', customer: null },
  { hour: at('11-05'), tokens: 60_001n, deployment: 'PTU-1' },
  { hour: at('11-05'), tokens: 7n, deployment: 'PTU-1', subject: 'user-2' },
  { hour: at('11-05', '10'), tokens: 31n, deployment: 'ptu-1', ...ADATUM },
  { hour: at('11-06'), tokens: 250_013n, ...ADATUM },
  { hour: at('11-06'), tokens: 1_013n, tokenType: 'prompt_cached', ...ADATUM, feature: 'search' },
];

/** Requests of a user in an hour. */
export async function insertRequests(
  database: LedgerDatabase,
  seeds: readonly {
    hour: string;
    requests: bigint;
    subject?: string;
    feature?: string;
    model?: string;
    deployment?: string;
  }[],
): Promise<void> {
  await database
    .insertInto('hourly_activity')
    .values(
      seeds.map((seed) => ({
        window_start: new Date(seed.hour),
        subject: seed.subject ?? 'user-1',
        feature: seed.feature ?? 'chat',
        model: seed.model ?? 'gpt-4o',
        deployment: seed.deployment ?? 'gpt-4o-global',
        reasoning_token_count: 0n,
        request_count: seed.requests,
        updated_at: NOW,
      })),
    )
    .execute();
}

export const rate = (database: LedgerDatabase) =>
  rateUsage({ database, clock: { now: () => NOW }, log: createLogger('silent') });

export const scopeOf = (database: LedgerDatabase, window = NOVEMBER, filter = {}) =>
  readRollupScope(database, { window, filter, now: NOW });

/** That everything ingested since an instant was collected, and nothing before it. */
export async function insertCollectionStart(database: LedgerDatabase, begunFrom: string): Promise<void> {
  const [begun, digest] = [new Date(begunFrom), Buffer.alloc(32)];
  await database
    .insertInto('watermarks')
    .values({ source: 'metrics', position: NOW, updated_at: NOW })
    .execute();
  await database
    .insertInto('collection_chains')
    .values({
      source: 'metrics',
      cursor_kind: 'ingestion',
      window_count: 1n,
      row_count: 0n,
      new_row_count: 0n,
      reached_until: NOW,
      digest,
      begun_at: begun,
      begun_from: begun,
    })
    .execute();
}
