import { sql } from 'kysely';
import type { TimeWindow } from '../clock.ts';
import type { LedgerDatabase } from './database.ts';
import { billedAt } from './hour-parts.ts';
import { belongsTo } from './usage-queries.ts';

export interface ActiveItem {
  subscriptionItemId: string;
  subscriptionId: string;
  priceId: string;
  productName: string;
  currency: string;
  unitAmountDecimal: string | null;
  stripeMeterId: string | null;
  currentPeriod: TimeWindow;
}

/** The customer's active subscription items, by subscription and then in a stable order. */
export async function readActiveItems(database: LedgerDatabase, customerId: string): Promise<ActiveItem[]> {
  const rows = await database
    .selectFrom('subscription_items')
    .selectAll()
    .where('customer_id', '=', customerId)
    .where('active', '=', true)
    .orderBy('subscription_id')
    .orderBy('product_name')
    .orderBy('subscription_item_id')
    .execute();
  return rows.map((row) => ({
    subscriptionItemId: row.subscription_item_id,
    subscriptionId: row.subscription_id,
    priceId: row.price_id,
    productName: row.product_name,
    currency: row.currency,
    unitAmountDecimal: row.unit_amount_decimal,
    stripeMeterId: row.stripe_meter_id,
    currentPeriod: { start: row.current_period_start, end: row.current_period_end },
  }));
}

export interface MeterUsage {
  /** Null: no binding matches. */
  stripeMeterId: string | null;
  model: string;
  feature: string;
  state: 'delivered' | 'pending' | 'refused' | 'unpushed';
  tokenCount: bigint;
}

/**
 * The customer's settled usage of a period that is not in quarantine, by the meter it was pushed to or, when
 * it was not yet, by the meter that its binding names. What was pushed counts at the instant of its meter
 * event, because that decides the period at Stripe. What was not counts at the instant that its push will have.
 */
export async function readMeterUsage(
  database: LedgerDatabase,
  customerId: string,
  period: TimeWindow,
): Promise<MeterUsage[]> {
  const result = await sql<{
    stripe_meter_id: string | null;
    model: string;
    feature: string;
    state: MeterUsage['state'];
    token_count: bigint;
  }>`
    select coalesce(push.stripe_meter_id, binding.stripe_meter_id) as stripe_meter_id,
           usage.model, usage.feature, coalesce(push.status, 'unpushed') as state,
           sum(usage.delta_token_count)::bigint as token_count
      from hourly_usage as usage
      left join meter_pushes as push on push.meter_push_id = usage.meter_push_id
      left join lateral (
        select meter_bindings.stripe_meter_id
          from meter_bindings
         where meter_bindings.token_type = usage.token_type
           and meter_bindings.model in (usage.model, '*')
           and meter_bindings.feature in (usage.feature, '*')
         order by (meter_bindings.model <> '*') desc, (meter_bindings.feature <> '*') desc
         limit 1
      ) as binding on usage.meter_push_id is null
      left join stripe_meters as meter on meter.stripe_meter_id = binding.stripe_meter_id
      cross join lateral (
        select coalesce(push.event_timestamp,
          ${billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' })}) as instant) as billed
     where usage.window_start > ${period.start}::timestamptz - interval '1 hour'
       and usage.window_start < ${period.end}
       and usage.quarantine_reason is null and push.written_off_at is null
       and ${belongsTo(customerId)}
       and billed.instant >= ${period.start} and billed.instant < ${period.end}
     group by 1, 2, 3, 4
     order by usage.model, usage.feature, 4, 1`.execute(database);
  return result.rows.map((row) => ({
    stripeMeterId: row.stripe_meter_id,
    model: row.model,
    feature: row.feature,
    state: row.state,
    tokenCount: row.token_count,
  }));
}

/** The customer's tokens of a period that wait in quarantine, by reason. */
export async function readCustomerQuarantine(
  database: LedgerDatabase,
  customerId: string,
  period: TimeWindow,
): Promise<{ reason: string; tokenCount: bigint }[]> {
  const result = await sql<{ reason: string; token_count: bigint }>`
    select quarantine_reason as reason, sum(delta_token_count)::bigint as token_count
      from hourly_usage as usage
     where quarantine_reason is not null and written_off_at is null
       and window_start > ${period.start}::timestamptz - interval '1 hour' and window_start < ${period.end}
       and window_start + make_interval(mins => part_start_minute) >= ${period.start}
       and window_start + make_interval(mins => part_start_minute) < ${period.end}
       and ${belongsTo(customerId)}
     group by quarantine_reason
     order by quarantine_reason`.execute(database);
  return result.rows.map((row) => ({ reason: row.reason, tokenCount: row.token_count }));
}
