import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findAnomalies } from '../../jobs/find-anomalies.ts';
import type { ChangeBodyOut, ChangesBody } from '../../src/anomalies/changes/schemas.ts';
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

/** A feature that costs so much on a model on each of some days, as its days were rated. */
async function insertCosts(
  days: readonly [from: string, through: string],
  { feature, model, subject, usd }: { feature: string; model: string; subject: string; usd: number },
): Promise<void> {
  const tokens = Math.round((usd / (model === 'gpt-4o' ? 2.5 : 0.15)) * 1e6);
  const each = sql`(generate_series(${days[0]}::date, ${days[1]}::date, interval '1 day'))::date as day`;
  await sql`
    insert into daily_costs (day, kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd,
      price_book_version, rated_at, request_count)
    select day, 'tokens', 'northwind', ${model}, ${feature}, ${`${model}-global`}, 'prompt', ${tokens}::bigint,
      ${String(usd * 1e12)}::numeric, 'x', now(), 10 from (select ${each}) as days`.execute(
    bench.ledger.database,
  );
  await sql`
    insert into daily_users (day, customer_id, subject, model, feature, deployment, token_count, token_types, token_counts,
      first_token_types, cost_pico_usd, provisioned_cost_pico_usd, is_cost_partial, request_count)
    select day, 'northwind', ${subject}, ${model}, ${feature}, ${`${model}-global`}, ${tokens}::bigint, '{prompt}',
      array[${tokens}::bigint], '{}', ${String(usd * 1e12)}::numeric, 0, false, 10 from (select ${each}) as days`.execute(
    bench.ledger.database,
  );
}

const record = async (body: Record<string, string>) =>
  await bench.call('/v1/costs/changes', {
    method: 'POST',
    scope: 'finance',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

it('keeps what a swap or a cache should save, and shows what it really saved beside it', async () => {
  const draft = { feature: 'draft', subject: 'user-2' };
  await insertCosts(['2026-11-01', '2026-11-10'], { ...draft, model: 'gpt-4o', usd: 2.5 });
  // Half as much is asked of the new model, on each of nine days.
  await insertCosts(['2026-11-12', '2026-11-20'], { ...draft, model: 'gpt-4o-mini', usd: 0.075 });
  const poll = { feature: 'poll', subject: 'user-2', model: 'gpt-4o' };
  await insertCosts(['2026-10-28', '2026-11-10'], { ...poll, usd: 1 });
  await insertCosts(['2026-11-12', '2026-11-20'], { ...poll, usd: 0.25 });

  const swap = {
    kind: 'swap',
    feature: 'draft',
    fromModel: 'gpt-4o',
    toModel: 'gpt-4o-mini',
    madeOn: '2026-11-11',
  };
  const said = (await (await record(swap)).json()) as ChangeBodyOut;
  expect(said).toMatchObject({ dayCount: 9, forecastDay: '2.35', forecast: '21.15', saved: '10.575' });
  expect(((await (await record(swap)).json()) as ChangeBodyOut).id).toBe(said.id);
  const cache = { kind: 'cache', subject: 'user-2', feature: 'poll', madeOn: '2026-11-11' };
  expect(await (await record(cache)).json()).toMatchObject({ forecastDay: null, saved: '6.75' });
  const fresh = { kind: 'cache', subject: 'user-1', feature: 'sync', madeOn: '2026-11-21' };
  expect(await (await record(fresh)).json()).toMatchObject({
    dayCount: 0,
    forecastDay: '0.189667190082',
    forecast: '0.00',
    saved: null,
  });
  const cap = { ...cache, kind: 'cap', dayLimit: '0.40' };
  const capped = (await (await record(cap)).json()) as ChangeBodyOut;
  expect(capped).toMatchObject({ dayLimit: '0.40', forecastDay: '0.60', forecast: '5.40', saved: '6.75' });
  expect(((await (await record(cap)).json()) as ChangeBodyOut).id).toBe(capped.id);
  const { changes } = await ask<ChangesBody>('/v1/costs/changes');
  expect(changes.map(({ kind, madeOn }) => [kind, madeOn])).toEqual([
    ['cache', '2026-11-21'],
    ['cap', '2026-11-11'],
    ['cache', '2026-11-11'],
    ['swap', '2026-11-11'],
  ]);
  for (const wrong of [
    { ...swap, madeOn: '2027-01-01' },
    { ...swap, toModel: 'gpt-4o' },
    { ...swap, feature: 'a\u0000' },
    { ...swap, kind: 'cap' },
    { ...cap, dayLimit: '0' },
    { ...cap, dayLimit: '0.0000000000001' },
  ]) {
    expect((await record(wrong)).status).toBe(400);
  }
  const audits = await bench.ledger.database
    .selectFrom('audit_log')
    .select('target')
    .where('action', '=', 'changes.record')
    .execute();
  expect(audits).toHaveLength(4);
});
