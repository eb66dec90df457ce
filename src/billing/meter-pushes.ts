import { sql } from 'kysely';
import { billingPlaces } from '../catalog/billing-places.ts';
import { boundMeter } from '../catalog/bound-meter.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { billedAt, isUndivided } from '../usage/hours/hour-parts.ts';
import { type PushDoubt, pushDoubt } from './late-pushes.ts';

/** Stripe takes timestamps up to 35 days back; an hour is kept in hand. */
const STRIPE_PAST_LIMIT = '34 days 23 hours';

/** The reason of usage that no invoice of its own period can hold any more: it waits for the next one. */
export const CARRY_TO_NEXT_INVOICE = 'carry_to_next_invoice';
/** Why: its period's invoice is final, or Stripe takes nothing so old. Kept as the row's detail. */
const CARRY_CAUSES = ['period_finalized', 'older_than_stripe_takes'];

/**
 * Turns settled usage that no push carries yet into pushes, in one statement where there is any: each row is attributed to a
 * customer and a meter and joins the push of its (customer, meter, part of the hour), or is quarantined with the
 * reason. A push is committed here, before any call, with the value and identifier it will always have.
 * Rows of an hour that has yet to be divided (see `reopenUndividedHours`) are left alone.
 * @returns rows taken, pushes made, rows quarantined; all zero when nothing waits
 */
export async function planPushes(
  database: LedgerDatabase,
  plan: { now: Date; rowLimit: number },
): Promise<{ rowCount: number; pushCount: number; quarantinedCount: number }> {
  // Mostly nothing waits, and planning the statement below takes longer than that look.
  const waiting = await sql`
    select 1 from hourly_usage where meter_push_id is null and quarantine_reason is null limit 1`.execute(
    database,
  );
  if (waiting.rows.length === 0) return { rowCount: 0, pushCount: 0, quarantinedCount: 0 };
  const places = billingPlaces({
    customerId: sql`c.customer_id`,
    stripeMeterId: sql`m.stripe_meter_id`,
    billedAt: sql`billed.billed_at`,
    now: plan.now,
  });
  const planned = await sql<{ row_count: number; push_count: number; quarantined_count: number }>`
    with candidate as (
      select hourly_usage_id, window_start, part_start_minute, subject, feature, model, token_type, delta_token_count
      from hourly_usage h where meter_push_id is null and quarantine_reason is null and not ${isUndivided('h')}
      order by window_start, hourly_usage_id limit ${plan.rowLimit} for update skip locked),
    placed as (
      select candidate.*, c.customer_id, c.stripe_customer_id, c.deleted_at, m.stripe_meter_id, m.event_name,
        m.event_time_window, m.status as meter_status, m.aggregation, billed.billed_at, item_count, place_count, is_stale, lacks_price
      from candidate
      left join subjects s on s.subject = candidate.subject
      left join customers c on c.customer_id = s.customer_id
      left join lateral (${boundMeter('candidate')}) binding on true
      -- A customer with an item that usage records serve is billed by that one.
      left join lateral (${boundMeter('candidate', {
        table: 'legacy_bindings',
        where: sql`exists (select 1 from subscription_items i
          where i.customer_id = c.customer_id and i.stripe_meter_id = b.stripe_meter_id)`,
      })}) legacy on true
      left join stripe_meters m on m.stripe_meter_id = coalesce(legacy.stripe_meter_id, binding.stripe_meter_id)
      cross join lateral (
        select ${billedAt('candidate', { customerId: sql`c.customer_id`, meterAlias: 'm' })} as billed_at) billed
      left join lateral (${places}) place on true),
    explained as (
      select placed.*,
        case
          when customer_id is null then 'no_customer'
          when stripe_customer_id is null or deleted_at is not null then 'no_stripe_customer'
          when stripe_meter_id is null then 'no_binding'
          when meter_status <> 'active' or aggregation <> 'sum' or event_time_window = 'day' then 'unusable_meter'
          when item_count = 0 then 'no_subscription_item'
          when lacks_price then 'no_price_in_currency'
          when billed_at < ${plan.now}::timestamptz - ${STRIPE_PAST_LIMIT}::interval then 'older_than_stripe_takes'
          when is_stale then 'stale_catalog'
          when place_count = 0 then 'period_finalized'
          when place_count > 1 then 'double_binding'
        end as cause
      from placed),
    judged as (
      select explained.*, case when cause = any(${CARRY_CAUSES}::text[]) then ${CARRY_TO_NEXT_INVOICE} else cause end as reason
      from explained),
    quarantined as (
      update hourly_usage h set quarantine_reason = judged.reason, customer_id = judged.customer_id,
        quarantine_detail = nullif(judged.cause, judged.reason)
      from judged where h.hourly_usage_id = judged.hourly_usage_id and judged.reason is not null
      returning h.hourly_usage_id),
    grouped as (
      select customer_id, stripe_customer_id, stripe_meter_id, event_name, event_time_window, window_start, billed_at,
        sum(delta_token_count)::bigint as delta,
        event_time_window is not distinct from 'hour' and exists (
          select 1 from period_boundaries b where b.customer_id = judged.customer_id
            and b.boundary_at > window_start and b.boundary_at < window_start + interval '1 hour') as is_undivided
      from judged where reason is null
      group by customer_id, stripe_customer_id, stripe_meter_id, event_name, event_time_window, window_start, billed_at),
    numbered as (
      select g.*, (coalesce(last.revision, 0) + row_number() over parts)::int as revision,
        (last.total + sum(g.delta) over parts)::bigint as total
      from grouped g left join lateral (
        -- Revisions are never used twice; what Stripe refused is in no total.
        select max(revision) as revision,
          coalesce(sum(delta_token_count) filter (where status in ('pending', 'delivered')), 0) as total
        from meter_pushes p
        where p.customer_id = g.customer_id and p.stripe_meter_id = g.stripe_meter_id and p.window_start = g.window_start) last on true
      window parts as (partition by g.customer_id, g.stripe_meter_id, g.window_start order by g.billed_at)),
    pushed as (
      insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
        delta_token_count, total_token_count, sent_value, event_timestamp, identifier, status, created_at, delivered_at,
        is_undivided)
      select customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision, delta, total,
        case when event_time_window = 'hour' then total else delta end, billed_at,
        'tallystick_' || left(encode(sha256(convert_to(concat_ws('|', customer_id, stripe_meter_id,
          extract(epoch from window_start)::bigint, revision), 'UTF8')), 'hex'), 48),
        -- Rows that cancel out leave nothing to send.
        case when delta = 0 then 'delivered' else 'pending' end, ${plan.now},
        case when delta = 0 then ${plan.now}::timestamptz end, is_undivided
      from numbered
      -- Groups of one lane in the order of time, so that ids rise with the hour.
      order by window_start, customer_id, stripe_meter_id, revision
      returning meter_push_id, customer_id, stripe_meter_id, window_start, event_timestamp),
    assigned as (
      update hourly_usage h set meter_push_id = pushed.meter_push_id, customer_id = pushed.customer_id
      from judged join pushed on pushed.customer_id = judged.customer_id
        and pushed.stripe_meter_id = judged.stripe_meter_id and pushed.window_start = judged.window_start
        and pushed.event_timestamp = judged.billed_at
      where judged.reason is null and h.hourly_usage_id = judged.hourly_usage_id
      returning h.hourly_usage_id)
    select (select count(*) from assigned)::int + (select count(*) from quarantined)::int as row_count,
      (select count(*) from pushed)::int as push_count, (select count(*) from quarantined)::int as quarantined_count`.execute(
    database,
  );
  const counts = planned.rows[0] ?? { row_count: 0, push_count: 0, quarantined_count: 0 };
  return {
    rowCount: counts.row_count,
    pushCount: counts.push_count,
    quarantinedCount: counts.quarantined_count,
  };
}

/** A committed push that Stripe has not acknowledged. */
export interface PendingPush {
  meterPushId: bigint;
  customerId: string;
  stripeCustomerId: string;
  stripeMeterId: string;
  eventName: string;
  windowStart: Date;
  sentValue: bigint;
  deltaTokenCount: bigint;
  eventTimestamp: Date;
  identifier: string;
  /** Idempotency keys that Stripe keeps a refusal or a failure under. */
  spentKeyCount: number;
  firstAttemptAt: Date | null;
  lastAttemptAt: Date | null;
  /** Why the invoice that it was planned for may not take it any more; null: it does. */
  doubt: PushDoubt | null;
  /** The meter keeps the newest value of an hour, so what is sent is the hour's total. */
  overwrites: boolean;
}

/** Pending pushes after `afterId`, in the order they were planned, so that a lane keeps its order. */
export async function readPendingPushes(
  database: LedgerDatabase,
  page: { afterId: bigint; limit: number; now: Date },
): Promise<PendingPush[]> {
  const rows = await database
    .selectFrom('meter_pushes')
    .innerJoin('stripe_meters', 'stripe_meters.stripe_meter_id', 'meter_pushes.stripe_meter_id')
    .leftJoin('stripe_call_keys', 'stripe_call_keys.intent', 'meter_pushes.identifier')
    .selectAll('meter_pushes')
    .select(['stripe_meters.event_time_window', pushDoubt('meter_pushes', page.now).as('doubt')])
    .select(sql<number>`coalesce(spent_count, 0)`.as('spent_key_count'))
    .where('meter_pushes.status', '=', 'pending')
    .where('meter_push_id', '>', page.afterId)
    .orderBy('meter_push_id')
    .limit(page.limit)
    .execute();
  return rows.map((row) => ({ ...camelRow(row), overwrites: row.event_time_window === 'hour' }));
}

/**
 * Notes, before the calls, that these pushes are about to be tried: after a crash their outcome is unknown.
 * @returns those that may be tried; the others are pending no more
 */
export async function markPushesAttempted(
  database: LedgerDatabase,
  ids: readonly bigint[],
  now: Date,
): Promise<Set<bigint>> {
  const marked = await sql<{ id: bigint }>`
    update meter_pushes set attempt_count = attempt_count + 1, first_attempt_at = coalesce(first_attempt_at, ${now}),
      last_attempt_at = ${now}
    where meter_push_id = any(${ids.map(String)}::bigint[]) and status = 'pending'
    returning meter_push_id as id`.execute(database);
  return new Set(marked.rows.map((row) => row.id));
}

export async function markPushesDelivered(
  database: LedgerDatabase,
  ids: readonly bigint[],
  now: Date,
): Promise<void> {
  await sql`update meter_pushes set status = 'delivered', delivered_at = ${now}, last_error = null
            where meter_push_id = any(${ids.map(String)}::bigint[]) and status = 'pending'`.execute(database);
}

/**
 * Stripe refuses the push for good; its tokens wait here, counted as quarantined, until it is planned anew or a
 * person acts. `isUnproven`: nobody refused, but nothing says whether Stripe counted it.
 */
export async function markPushRefused(
  database: LedgerDatabase,
  id: bigint,
  reason: string,
  options: { isUnproven?: boolean } = {},
): Promise<void> {
  await sql`update meter_pushes set status = 'refused', last_error = ${reason}, is_unproven = ${options.isUnproven === true}
            where meter_push_id = ${id} and status = 'pending'`.execute(database);
}
