import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findAnomalies } from '../../jobs/find-anomalies.ts';
import type { LoadsBody } from '../../src/anomalies/noise/routes.ts';
import type { RepeatsBody } from '../../src/anomalies/repeats/routes.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertCatalog } from '../api/world.ts';
import { insertDailyUsers, insertEvents } from './world.ts';

let bench: ApiBench;
const DAY = '2026-11-19';
const NOW = new Date('2026-11-20T05:00:00Z');

interface Calls {
  at: string;
  subject: string;
  promptTokens: number;
  completionTokens?: number;
  calls?: number;
}

/** Rows of the source, a minute of calls each. */
async function insertItems(items: readonly Calls[]): Promise<void> {
  const rows = items.flatMap(({ at, subject, promptTokens, completionTokens = 10, calls = 1 }, place) =>
    [
      ['prompt', promptTokens],
      ['completion', completionTokens],
    ].map(([kind, tokens]) => ({ id: `${subject} ${at} ${place}`, at, subject, kind, tokens, calls })),
  );
  await sql`
    insert into source_items (event_day, source_item_id, metric_name, event_time, ingested_at, subject, tenant_key, feature, model,
      deployment, token_kind, token_count, request_count, usage_event_id, collection_window_id)
    select (at at time zone 'UTC')::date, id, kind, at, at, subject, subject, 'sync', 'GPT-4o', 'gpt-4o-global', kind, tokens, calls, id, 1
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row(id text, at timestamptz, subject text, kind text, tokens bigint,
      calls bigint)`.execute(bench.ledger.database);
}

const minute = (place: number) => new Date(Date.parse(`${DAY}T08:00:00Z`) + place * 60_000).toISOString();
const ask = async <Body>(path: string) => {
  const response = await bench.call(path, { scope: 'sales' });
  expect(response.status).toBe(200);
  return (await response.json()) as Body;
};

beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await seedPriceBook(database, NOW);
  // Northwind's integration sends the same 700 tokens in each of 60 minutes, two at once; now and then something else.
  await insertItems(
    Array.from({ length: 60 }, (_, place) => ({
      at: minute(place),
      subject: 'user-1',
      promptTokens: 1_400,
      calls: 2,
    })),
  );
  await insertItems([
    { at: minute(61), subject: 'user-1', promptTokens: 999 },
    // Once an hour the same is no matter of a cache of five minutes, nor are sizes that differ, nor an average that is even by chance.
    ...Array.from({ length: 24 }, (_, hour) => ({
      at: `${DAY}T${String(hour).padStart(2, '0')}:30:00Z`,
      subject: 'user-2',
      promptTokens: 500,
    })),
    ...Array.from({ length: 60 }, (_, place) => ({
      at: minute(place),
      subject: 'user-3',
      promptTokens: 900 + place * 7,
      calls: 1 + (place % 3),
    })),
    { at: minute(20), subject: 'user-3', promptTokens: 98_000 },
  ]);
  await insertEvents(database, [
    { hour: `${DAY}T08:00:00Z`, subject: 'user-1', feature: 'sync', promptTokens: 84_999, requests: 121 },
    { hour: `${DAY}T08:00:00Z`, subject: 'user-3', feature: 'sync', promptTokens: 200_000, requests: 121 },
    { hour: '2026-11-20T04:00:00Z', promptTokens: 10 },
  ]);
  await insertDailyUsers(database);
  await sql`
    insert into provisioned_capacity (provisioned_capacity_id, deployment, valid_from, unit_count, unit_increment,
      hourly_usd_per_unit, reserved_unit_count, tokens_per_minute_per_unit, completion_weight, cached_weight, idle_policy, note,
      created_by, created_at, noticed_until)
    values ('cap-1', 'gpt-4o-global', '2026-11-01T00:00:00Z', 2, 1, '1', 0, 50000, '1', '1', 'overhead', '', 'anna', now(), now())`.execute(
    database,
  );
  const deps = { database, clock: { now: () => NOW }, log: createLogger('silent') };
  expect(await findAnomalies(deps)).toMatchObject({ judgedDayCount: 1 });
  expect(await findAnomalies(deps)).toMatchObject({ judgedDayCount: 0 });
});
afterAll(() => bench.close());

it('names who sends the same prompt again and again, and what a cache of five minutes would save', async () => {
  const { repeats } = await ask<RepeatsBody>(`/v1/costs/repeats?from=${DAY}&to=2026-11-20`);
  // One call in each of twelve slots fills the cache; 108 of 121 calls cost 2.50 USD a million of 84,999 tokens.
  expect(repeats).toEqual([
    {
      customerId: 'northwind',
      subject: 'user-1',
      feature: 'sync',
      model: 'gpt-4o',
      deployment: 'gpt-4o-global',
      dayCount: 1,
      callCount: '121',
      repeatedCallCount: '120',
      promptTokenCount: '700',
      cacheHitCount: '108',
      saving: '0.189667190082',
    },
  ]);
  expect((await ask<RepeatsBody>('/v1/costs/repeats?from=2026-11-20&to=2026-11-21')).repeats).toEqual([]);
  expect((await ask<RepeatsBody>('/v1/costs/repeats?period=2026-11&customerId=adatum')).repeats).toEqual([]);
});

it('shows a noisy tenant by its share of a deployment, of its busiest minute and of its quota', async () => {
  const { loads } = await ask<LoadsBody>(`/v1/costs/loads?from=${DAY}&to=2026-11-20`);
  expect(loads.map(({ customerId, shareOfBusiest }) => [customerId, shareOfBusiest])).toEqual([
    ['adatum', '0.985'],
    ['northwind', '0.014'],
  ]);
  expect(loads[0]).toMatchObject({
    deployment: 'gpt-4o-global',
    busiestMinuteTokenCount: '99060',
    quotaTokensPerMinute: '100000',
    shareOfQuota: '0.99',
  });
});
