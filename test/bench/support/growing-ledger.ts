import { sql } from 'kysely';
import { HOUR_MS } from '../../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import { ensurePartitions } from '../../../src/usage/collection/partitions.ts';

/**
 * Adds hours that went all the way: source items, confirmed events, settled hours, usage on delivered pushes, requests. Every
 * customer has one user, who uses two of twelve models and features in each hour, as `addScenarioUsage` draws them.
 */
export async function addHours(
  database: LedgerDatabase,
  { startMs, hourCount }: { startMs: number; hourCount: number },
): Promise<void> {
  const start = new Date(startMs);
  const day = start.toISOString().slice(0, 10);
  await ensurePartitions(database, 'source_items', [day], start);
  const hours = sql`generate_series(${start}::timestamptz, ${new Date(startMs + (hourCount - 1) * HOUR_MS)}::timestamptz,
    interval '1 hour') as hour`;
  const surface = sql`
    select hour, subject, customer_id, (array['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-4.1-mini'])[pair % 4 + 1] as model,
      (array['chat', 'search', 'summary'])[pair % 3 + 1] as feature,
      1000 + abs(hashtext(subject || hour || pair)::bigint) % 100000 as tokens
    from ${hours} cross join subjects
    cross join lateral (select extract(epoch from hour)::bigint / 3600 as number) as numbered
    cross join lateral (values (number % 12), ((number + 5) % 12)) as chosen(pair)`;
  await sql`
    insert into usage_events (usage_event_id, window_start, event_time, subject, feature, model, deployment,
      prompt_token_count, cached_prompt_token_count, completion_token_count, reasoning_token_count, total_token_count,
      request_count, body, status, sent_at, created_at)
    select md5(concat_ws(' ', subject, hour, model, feature)), hour, hour, subject, feature, model, model || '-global', tokens,
      0, tokens / 4, 0, tokens + tokens / 4, 3, repeat('x', 300), 'confirmed', hour, hour from (${surface}) as used`.execute(
    database,
  );
  await sql`
    insert into source_items (event_day, source_item_id, metric_name, token_kind, event_time, ingested_at, subject, feature,
      model, deployment, tenant_key, token_count, request_count, collection_window_id, usage_event_id)
    select (hour at time zone 'UTC')::date, md5(concat_ws(' ', subject, hour, model, feature, kind)), kind, kind, hour, hour,
      subject, feature, model, model || '-global', subject, case when kind = 'prompt' then tokens else tokens / 4 end, 3, 1,
      md5(concat_ws(' ', subject, hour, model, feature))
    from (${surface}) as used cross join (values ('prompt'), ('completion')) as kinds(kind)`.execute(
    database,
  );
  await sql`
    insert into settlements (window_start, status, settled_version, settled_at) select hour, 'settled', 1, hour from ${hours}`.execute(
    database,
  );
  await sql`
    insert into hourly_activity (window_start, subject, feature, model, deployment, reasoning_token_count, request_count, updated_at)
    select hour, subject, feature, model, model || '-global', 0, 3, hour from (${surface}) as used`.execute(
    database,
  );
  await sql`
    with used as materialized (
      select used.*, token_type, case when token_type = 'prompt' then tokens else tokens / 4 end as token_count
      from (${surface}) as used cross join (values ('prompt'), ('completion')) as types(token_type)),
    pushed as (
      insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
        delta_token_count, total_token_count, sent_value, event_timestamp, identifier, status, fate, created_at, delivered_at)
      select customer_id, customer_id, token_type, token_type, hour, 1, sum(token_count), sum(token_count), sum(token_count),
        hour, concat_ws(' ', customer_id, token_type, hour), 'delivered', 'invoiced', hour, hour
      from used group by customer_id, token_type, hour
      returning meter_push_id, customer_id, stripe_meter_id, window_start)
    insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision, token_count,
      delta_token_count, customer_id, meter_push_id, created_at)
    select hour, subject, feature, model, model || '-global', token_type, 1, token_count, token_count, used.customer_id,
      meter_push_id, hour
    from used join pushed on pushed.customer_id = used.customer_id and pushed.stripe_meter_id = token_type
      and pushed.window_start = hour`.execute(database);
}
