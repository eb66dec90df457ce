import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';

/** Some requests of a user in an hour, as they were collected. */
export interface EventSeed {
  hour: string;
  subject?: string;
  feature?: string;
  model?: string;
  /** Of the hour: 2.50 USD for a million prompt tokens of gpt-4o. */
  promptTokens: number;
  requests?: number;
  collectedAt?: string;
}

export async function insertEvents(database: LedgerDatabase, seeds: readonly EventSeed[]): Promise<void> {
  const rows = seeds.map((seed) => ({
    id: `event-${randomUUID()}`,
    hour: seed.hour,
    subject: seed.subject ?? 'user-1',
    feature: seed.feature ?? 'chat',
    model: seed.model ?? 'gpt-4o',
    tokens: seed.promptTokens,
    requests: seed.requests ?? 5,
    collected: seed.collectedAt ?? new Date(Date.parse(seed.hour) + 3_900_000).toISOString(),
  }));
  await sql`
    insert into usage_events (usage_event_id, window_start, event_time, subject, feature, model, deployment, prompt_token_count,
      cached_prompt_token_count, completion_token_count, reasoning_token_count, total_token_count, request_count, body, status,
      created_at)
    select id, hour, hour, subject, feature, model, model || '-global', tokens, 0, 0, 0, tokens, requests, '{}', 'sent', collected
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row(id text, hour timestamptz, subject text, feature text,
      model text, tokens bigint, requests bigint, collected timestamptz)`.execute(database);
  await sql`
    insert into settlements as hour (window_start)
    select distinct hour::timestamptz from unnest(${rows.map(({ hour }) => hour)}::timestamptz[]) as hour
    on conflict (window_start) do update set event_version = hour.event_version + 1`.execute(database);
}

/** Each hour from one to another, as instants. */
export function hoursBetween(from: string, to: string): string[] {
  const count = (Date.parse(to) - Date.parse(from)) / 3_600_000;
  return Array.from({ length: count }, (_, place) =>
    new Date(Date.parse(from) + place * 3_600_000).toISOString(),
  );
}

/** What daily costs say of the users of all that was collected of gpt-4o so far. */
export async function insertDailyUsers(database: LedgerDatabase): Promise<void> {
  await sql`
    insert into daily_users (day, customer_id, subject, model, feature, deployment, token_count, token_types, token_counts,
      first_token_types, cost_pico_usd, provisioned_cost_pico_usd, is_cost_partial, request_count)
    select (window_start at time zone 'UTC')::date, customer_id, subject, model, feature, deployment, sum(prompt_token_count),
      '{prompt}', array[sum(prompt_token_count)::bigint], '{}', sum(prompt_token_count) * 2500000, 0, false, sum(request_count)
    from usage_events join subjects using (subject) group by 1, 2, 3, 4, 5, 6`.execute(database);
}

interface FindingSeed {
  raised: boolean;
  customerId?: string;
  state?: 'open' | 'withdrawn';
  /** Of the user that moved. */
  user?: string;
  /** A dollar above the usual, and within two sigmas. */
  small?: boolean;
}

/** Findings of an hour of 20 November, with the hours around it. */
export async function insertFindings(database: LedgerDatabase, seeds: readonly FindingSeed[]): Promise<void> {
  for (const { raised, customerId = 'northwind', state = 'open', user = 'user-1', small = false } of seeds) {
    const moved = [{ dimension: 'user', value: user, sharePercent: 97 }];
    await sql`
      with opened as (
        insert into anomaly_findings (customer_id, first_hour, last_hour, state, shape, raised_at, moved, cost_pico_usd,
          usual_pico_usd, excess_pico_usd, day_ahead_pico_usd, score, sigma_score, is_above_sigma, opened_at, changed_at,
          ended_at, explanations)
        values (${customerId}, '2026-11-20T14:00:00Z', '2026-11-20T16:00:00Z', ${state}, 'loop',
          ${raised ? new Date('2026-11-20T14:20:00Z') : null}, ${JSON.stringify(moved)}::jsonb, 14560000000000, 680000000000,
          ${small ? '1000000000000' : '13880000000000'}, 333120000000000, '34.6', ${small ? '1.3' : '21.3'}, ${!small}, '2026-11-20T14:20:00Z', '2026-11-20T16:20:00Z',
          ${state === 'open' ? null : new Date('2026-11-20T18:00:00Z')}, ${raised ? [] : ['growth']}::text[])
        returning anomaly_finding_id)
      insert into anomaly_finding_hours (anomaly_finding_id, window_start, moved, excess_pico_usd, usual_pico_usd,
        usual_cost_pico_usd, usual_request_count, usual_token_count, usual_user_count)
      select anomaly_finding_id, hour, 'user', 4600000000000, 220000000000, 220000000000, 10, 1000, 2
      from opened, generate_series('2026-11-20T14:00:00Z'::timestamptz, '2026-11-20T16:00:00Z', '1 hour') as hour`.execute(
      database,
    );
  }
  await sql`
    insert into anomaly_hours (window_start, customer_id, cost_pico_usd, unpriced_token_count, top_user_cost_pico_usd,
      top_user_request_count, late_cost_pico_usd, backfilled_cost_pico_usd, request_count, token_count, user_count)
    select hour, customer_id, case when extract(hour from hour at time zone 'UTC') between 14 and 16 then 4850000000000
      else 220000000000 end, 0, 0, 0, 0, 0, 10, 1000, 2
    from generate_series('2026-11-19T14:00:00Z'::timestamptz, '2026-11-20T19:00:00Z', '1 hour') as hour,
      unnest(array['northwind', 'adatum']) as customer_id
    on conflict do nothing`.execute(database);
}

/** Users who sent the same prompt again and again on 18 November, 900 of 1,000 calls of 2 USD in vain; and a noisy tenant. */
export async function insertRepeats(database: LedgerDatabase, subjects: readonly string[]): Promise<void> {
  await sql`
    insert into repeated_prompts (day, subject, feature, model, deployment, call_count, prompt_token_count, repeated_call_count,
      cache_hit_count)
    select '2026-11-18', subject, 'sync', 'gpt-4o', 'gpt-4o-global', 1000, 700, 950, 900 from unnest(${[...subjects]}::text[]) as subject`.execute(
    database,
  );
  await sql`
    insert into daily_users (day, customer_id, subject, model, feature, deployment, token_count, token_types, token_counts,
      first_token_types, cost_pico_usd, provisioned_cost_pico_usd, is_cost_partial, request_count)
    values ('2026-11-18', 'northwind', 'user-1', 'gpt-4o', 'sync', 'gpt-4o-global', 700000, '{prompt}', '{700000}', '{}',
      2000000000000, 0, false, 1000)`.execute(database);
  await sql`
    insert into deployment_loads (day, deployment, customer_id, token_count, request_count, busiest_minute_token_count,
      token_count_in_busiest, busiest_minute)
    select '2026-11-18', 'gpt-4o-global', customer, tokens, 10, 600, busy, '2026-11-18T09:00:00Z'
    from (values ('northwind', 900, 95), ('adatum', 100, 5)) as load(customer, tokens, busy)`.execute(
    database,
  );
}
