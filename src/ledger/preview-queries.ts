import { sql } from 'kysely';
import type { RatePrice } from '../../pricing/rate-price.ts';
import type { TimeWindow } from '../clock.ts';
import { boundMeter } from './bound-meter.ts';
import type { LedgerDatabase } from './database.ts';
import { billedAt } from './hour-parts.ts';
import { readStoredPrice } from './stored-price.ts';
import { belongsTo } from './usage-queries.ts';

export interface ActiveItem {
  subscriptionItemId: string;
  subscriptionId: string;
  priceId: string;
  productName: string;
  currency: string;
  /** In minor units; null: of a kind that we cannot rate. */
  price: RatePrice | null;
  stripeMeterId: string | null;
  currentPeriod: TimeWindow;
  /** When the price was last read from Stripe. */
  syncedAt: Date;
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
    price: readStoredPrice(row),
    stripeMeterId: row.stripe_meter_id,
    currentPeriod: { start: row.current_period_start, end: row.current_period_end },
    syncedAt: row.synced_at,
  }));
}

export interface MeterUsage {
  /** Null: no binding matches. */
  stripeMeterId: string | null;
  model: string;
  feature: string;
  state: 'delivered' | 'pending' | 'refused' | 'unpushed';
  /** UTC day in which it was used. */
  day: Date;
  /** Whether the previewed period bills it; else it is history. */
  inPeriod: boolean;
  tokenCount: bigint;
}

export interface QuarantinedUsage {
  reason: string;
  hour: Date;
  tokenCount: bigint;
}

export interface PreviewUsageRows {
  usage: MeterUsage[];
  quarantined: QuarantinedUsage[];
}

/**
 * The customer's settled usage by day since `historyStart` or the period's start: by the meter it was pushed to or,
 * when it was not yet, by the meter that its binding names; and the period's usage that waits in quarantine, by hour.
 * What was pushed belongs to the period of its meter event, because that decides it at Stripe; what was not, to the
 * period of the event that its push will send.
 *
 * Subjects are summed before anything is joined: of what was pushed each push and feature is one row, whoever used
 * it. What was not pushed is little, unless Stripe has been away, and has indexes of its own.
 */
export async function readPreviewUsage(
  database: LedgerDatabase,
  customerId: string,
  read: { period: TimeWindow; historyStart: Date },
): Promise<PreviewUsageRows> {
  const { period, historyStart } = read;
  const inReach = sql`usage.window_start > least(${period.start}::timestamptz, ${historyStart}::timestamptz) - interval '1 hour'
    and usage.window_start < ${period.end}`;
  const billed = billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' });
  const result = await sql<{
    stripe_meter_id: string | null;
    model: string;
    feature: string;
    state: MeterUsage['state'];
    quarantine_reason: string | null;
    slot: Date;
    in_period: boolean;
    token_count: bigint;
  }>`
    with pushed as (
      select push.stripe_meter_id, usage.model, usage.feature, push.status as state, null as quarantine_reason,
             push.window_start, push.event_timestamp as instant, usage.token_count
        from (
          select meter_push_id, model, feature, sum(delta_token_count) as token_count
            from hourly_usage as usage
           where ${inReach} and customer_id = ${customerId} and meter_push_id is not null
           group by meter_push_id, model, feature
        ) as usage
        join meter_pushes as push using (meter_push_id)
       where push.written_off_at is null
    ), unpushed as (
      select binding.stripe_meter_id, usage.model, usage.feature, 'unpushed' as state, null as quarantine_reason,
             usage.window_start, ${billed} as instant, usage.token_count
        from (
          select window_start, part_start_minute, model, feature, token_type, sum(delta_token_count) as token_count
            from hourly_usage as usage
           where ${inReach} and ${belongsTo(customerId)} and meter_push_id is null and quarantine_reason is null
           group by window_start, part_start_minute, model, feature, token_type
        ) as usage
        left join lateral (${boundMeter('usage')}) as binding on true
        left join stripe_meters as meter on meter.stripe_meter_id = binding.stripe_meter_id
    ), quarantined as (
      select null as stripe_meter_id, '' as model, '' as feature, 'unpushed' as state, quarantine_reason, window_start,
             window_start + make_interval(mins => part_start_minute) as instant, delta_token_count as token_count
        from hourly_usage as usage
       where ${inReach} and ${belongsTo(customerId)} and quarantine_reason is not null and written_off_at is null
    )
    select stripe_meter_id, model, feature, state, quarantine_reason,
           case when quarantine_reason is null then date_trunc('day', window_start, 'UTC') else window_start end as slot,
           instant >= ${period.start} and instant < ${period.end} as in_period, sum(token_count)::bigint as token_count
      from (select * from pushed union all select * from unpushed union all select * from quarantined) as usage
     where (instant >= ${period.start} and instant < ${period.end})
        or (quarantine_reason is null and window_start >= ${historyStart})
     group by 1, 2, 3, 4, 5, 6, 7
     order by model, feature, state, stripe_meter_id, slot`.execute(database);
  const usage: MeterUsage[] = [];
  const quarantined: QuarantinedUsage[] = [];
  for (const row of result.rows) {
    if (row.quarantine_reason === null) {
      usage.push({
        stripeMeterId: row.stripe_meter_id,
        model: row.model,
        feature: row.feature,
        state: row.state,
        day: row.slot,
        inPeriod: row.in_period,
        tokenCount: row.token_count,
      });
    } else {
      quarantined.push({ reason: row.quarantine_reason, hour: row.slot, tokenCount: row.token_count });
    }
  }
  return { usage, quarantined };
}
