import { sql } from 'kysely';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';

export interface PreviewMonth {
  startMs: number;
  hourCount: number;
  modelCount: number;
  subjectCount: number;
  /** Hours at the end that no push has taken yet. */
  unpushedHourCount: number;
}

const TOKEN_TYPES = ['prompt', 'prompt_cached', 'completion'] as const;

/**
 * A customer with many subjects and a full month: in every hour each subject uses each model, one kind of tokens of
 * it, under one of five features. Every third price is graduated, every third by volume.
 */
export async function addPreviewMonth(database: LedgerDatabase, month: PreviewMonth): Promise<void> {
  const start = new Date(month.startMs);
  const end = new Date(month.startMs + month.hourCount * 3_600_000);
  const types = sql`unnest(${[...TOKEN_TYPES]}::text[]) with ordinality as kind(token_type, place)`;
  const models = sql`generate_series(1, ${month.modelCount}::int) as model`;
  const statements = [
    sql`insert into customers (customer_id, stripe_customer_id, tenant_key, name, currency, synced_at)
      values ('bench', 'cus_bench', 'bench', 'Bench', 'usd', now())`,
    sql`insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
      select 'user-' || number, 'bench', 'bench', 'tenant', now(), now()
      from generate_series(1, ${month.subjectCount}::int) as number`,
    sql`insert into stripe_meters (stripe_meter_id, event_name, display_name, aggregation, status, synced_at)
      select 'mtr_' || model || '_' || token_type, 'tokens_' || model || '_' || token_type, 'tokens', 'sum', 'active', now()
      from ${models} cross join ${types}`,
    sql`insert into meter_bindings (model, token_type, feature, stripe_meter_id, synced_at)
      select 'model-' || model, token_type, '*', 'mtr_' || model || '_' || token_type, now()
      from ${models} cross join ${types}`,
    sql`insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id,
        product_name, currency, unit_amount_decimal, tiers_mode, price_tiers, stripe_meter_id,
        current_period_start, current_period_end, active, synced_at)
      select 'si_' || model || '_' || token_type, 'sub_bench', 'active', 'bench', 'price_' || model || '_' || token_type,
        'Model ' || model || ' ' || token_type, 'usd', case when place = 1 then '0.0003' end,
        case place when 2 then 'graduated' when 3 then 'volume' end,
        case when place > 1 then '[{"upTo":"1000000","unitAmountDecimal":"0","flatAmountDecimal":"900"},
          {"upTo":"50000000","unitAmountDecimal":"0.00031","flatAmountDecimal":null},
          {"upTo":null,"unitAmountDecimal":"0.00029","flatAmountDecimal":null}]'::jsonb end,
        'mtr_' || model || '_' || token_type, ${start}, ${end}, true, now()
      from ${models} cross join ${types}`,
    sql`insert into settlements (window_start, status, settled_at)
      select ${start}::timestamptz + make_interval(hours => hour), 'settled', now()
      from generate_series(0, ${month.hourCount - 1}::int) as hour`,
    sql`insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
        delta_token_count, total_token_count, sent_value, event_timestamp, identifier, status, created_at, delivered_at)
      select 'bench', 'cus_bench', 'mtr_' || model || '_' || token_type, 'tokens', at, 1, 1, 1, 1, at,
        'bench-' || model || token_type || hour, 'delivered', now(), now()
      from generate_series(0, ${month.hourCount - month.unpushedHourCount - 1}::int) as hour
      cross join lateral (select ${start}::timestamptz + make_interval(hours => hour) as at) as moment
      cross join ${models} cross join ${types}`,
    sql`insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision, token_count,
        delta_token_count, customer_id, meter_push_id, created_at)
      select at, 'user-' || number, 'feature-' || (number % 5), 'model-' || model, 'deployment-' || model,
        kind.token_type, 1, tokens, tokens, case when push.meter_push_id is not null then 'bench' end,
        push.meter_push_id, now()
      from generate_series(0, ${month.hourCount - 1}::int) as hour
      cross join lateral (select ${start}::timestamptz + make_interval(hours => hour) as at) as moment
      cross join ${models}
      cross join generate_series(1, ${month.subjectCount}::int) as number
      join (select * from ${types}) as kind on kind.place = 1 + (number + model + hour) % 3
      cross join lateral (select 100 + abs(hashtext(number || ' ' || model || ' ' || hour)::bigint) % 5000 as tokens) as drawn
      left join meter_pushes as push
        on push.window_start = at and push.stripe_meter_id = 'mtr_' || model || '_' || kind.token_type`,
  ];
  for (const statement of statements) await statement.execute(database);
  // Written out and known to the planner, as after a month of ordinary life.
  await sql`vacuum analyze hourly_usage, meter_pushes, settlements, subjects`.execute(database);
}

/**
 * The one aggregate that a preview cannot do without: the customer's tokens by model, feature (the parts of its lines) and
 * kind. It is less than the preview asks, which also needs days for the projection, and to know where each push went.
 */
export async function sumMonth(
  database: LedgerDatabase,
  window: { start: Date; end: Date },
): Promise<{ rowCount: number; tokenCount: bigint }> {
  const result = await sql<{ token_count: bigint }>`
    select model, feature, token_type, sum(delta_token_count)::bigint as token_count
      from hourly_usage as usage
     where window_start >= ${window.start} and window_start < ${window.end} and quarantine_reason is null
       and (usage.customer_id = 'bench' or (usage.customer_id is null
            and usage.subject in (select subject from subjects where customer_id = 'bench')))
     group by 1, 2, 3`.execute(database);
  return {
    rowCount: result.rows.length,
    tokenCount: result.rows.reduce((sum, row) => sum + row.token_count, 0n),
  };
}
