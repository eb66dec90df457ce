import { type RawBuilder, sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { boundMeter } from './bound-meter.ts';
import { CATALOG_FRESH } from './progress.ts';

/**
 * Where Stripe would bill usage of one customer's meter at one instant, as a query of one row:
 * - `item_count`: items on the meter that had not ended by then. None: nobody bills it.
 * - `place_count`: invoices to come that it would be on: the running period of an active item, or a draft of its
 *   subscription. None: its invoices are final. Two or more: it would be billed as often.
 * - `is_stale`: what is known of them is too old to be believed.
 * - `lacks_price`: an active item's price has no amount in its subscription's currency.
 *
 * Items at a price of zero charge nothing twice: beside one that charges they count for nothing, so that such a price may
 * bind a further model to the meter. An item that had left its subscription by the end of a draft's period is not on that draft; one whose subscription
 * ended is on its last.
 */
export function billingPlaces(usage: {
  customerId: RawBuilder<unknown>;
  stripeMeterId: RawBuilder<unknown>;
  billedAt: RawBuilder<unknown>;
  now: Date;
}): RawBuilder<{
  item_count: number;
  place_count: number;
  is_stale: boolean | null;
  lacks_price: boolean | null;
}> {
  const { customerId, stripeMeterId, billedAt, now } = usage;
  const isOld = (alias: string) =>
    sql`${sql.ref(alias)}.synced_at < ${now}::timestamptz - ${CATALOG_FRESH}::interval`;
  return sql`
    select count(*)::int as item_count,
      greatest(count(*) filter (where (is_running or draft_synced_at is not null) and not ${isFree('i')}),
        least(1, count(*) filter (where is_running or draft_synced_at is not null)))::int as place_count,
      bool_or(case when is_running then ${isOld('i')} and i.current_period_end <= ${now}
        else (i.active and ${isOld('i')}) or draft_synced_at < ${now}::timestamptz - ${CATALOG_FRESH}::interval end) as is_stale,
      bool_or(i.active and i.price_problem is not null) as lacks_price
    from subscription_items i
    cross join lateral (
      -- An item that joined its subscription later bills from then on. What was used in a trial is given away, however late it
      -- comes: it goes where the rest of the trial's usage went.
      select i.active and (${billedAt} >= greatest(i.current_period_start, i.started_at)
        or coalesce(${billedAt} >= i.started_at and ${billedAt} < i.trial_ends_at, false)) as is_running) period
    left join lateral (
      select min(v.synced_at) as draft_synced_at from invoices v
      where not is_running and v.customer_id = i.customer_id and v.subscription_id = i.subscription_id
        -- A record is taken for the running period only.
        -- To an invoice that a threshold made nothing is added, though it is a draft.
        and v.billing_reason is distinct from 'subscription_threshold'
        and i.stripe_meter_id not like 'legacy:%' and v.status = 'draft' and v.sealed_at is null and ${billedAt} >= v.period_start and ${billedAt} < v.period_end
        and (i.started_at is null or i.started_at < v.period_end)
        -- What was used at a price that the item left in this period is on an invoice item, to which nothing is added.
        and (i.price_since is null or i.price_since >= v.period_end or ${billedAt} >= i.price_since)
        and (i.ends_at is null or i.ends_at >= v.period_end or i.subscription_status in ('canceled', 'incomplete_expired'))
      ) draft on true
    where i.customer_id = ${customerId} and i.stripe_meter_id = ${stripeMeterId}
      and case when i.ends_at is null then i.active else ${billedAt} < i.ends_at end`;
}

/** Of `subscription_items` under this alias: whether its price is zero, whatever is used. */
export function isFree(alias: string): RawBuilder<boolean> {
  return sql<boolean>`coalesce(${sql.ref(`${alias}.unit_amount_decimal`)}::numeric = 0, false)`;
}

/** A customer's meter that two or more items would bill, each all of its usage. */
export interface DoubleBinding {
  customerId: string;
  stripeMeterId: string;
  eventName: string;
  subscriptionItemIds: string[];
  /** Tokens that wait for one of the items to go. */
  heldTokenCount: bigint;
}

export async function readDoubleBindings(database: LedgerDatabase, now: Date): Promise<DoubleBinding[]> {
  const rows = await sql<DoubleBinding>`
    with doubled as (
      select i.customer_id, i.stripe_meter_id, array_agg(i.subscription_item_id order by i.list_position, i.subscription_item_id) as ids
      from subscription_items i
      where i.active and (i.ends_at is null or i.ends_at > ${now}) and i.stripe_meter_id is not null and not ${isFree('i')}
      group by i.customer_id, i.stripe_meter_id having count(*) > 1),
    held as (
      select h.customer_id, b.stripe_meter_id, sum(h.delta_token_count)::bigint as tokens
      from hourly_usage h
      cross join lateral (${boundMeter('h')}) b
      where h.quarantine_reason = 'double_binding' and h.written_off_at is null
      group by h.customer_id, b.stripe_meter_id)
    select d.customer_id as "customerId", d.stripe_meter_id as "stripeMeterId", m.event_name as "eventName",
      d.ids as "subscriptionItemIds", coalesce(held.tokens, 0)::bigint as "heldTokenCount"
    from doubled d
    join stripe_meters m on m.stripe_meter_id = d.stripe_meter_id
    left join held on held.customer_id = d.customer_id and held.stripe_meter_id = d.stripe_meter_id
    order by 1, 2`.execute(database);
  return rows.rows;
}

/**
 * Subscriptions to be read again because usage waits for news of them, before its push or with it: the catalog is too old
 * to say whether the invoice of their last period is still open. Longest unread first.
 */
export async function findStaleSubscriptions(
  database: LedgerDatabase,
  search: { now: Date; limit: number },
): Promise<string[]> {
  const places = billingPlaces({
    customerId: sql`p.customer_id`,
    stripeMeterId: sql`p.stripe_meter_id`,
    billedAt: sql`p.event_timestamp`,
    now: search.now,
  });
  const rows = await sql<{ id: string }>`
    with pending as (
      select distinct p.customer_id, p.stripe_meter_id, p.event_timestamp from meter_pushes p
      join subscription_items i on i.customer_id = p.customer_id and i.stripe_meter_id = p.stripe_meter_id
      -- Most of what is pending is of a running period, of which nothing need be asked.
      where p.status = 'pending' and p.offsets_push_id is null
        and not (i.active and i.current_period_end > ${search.now} and p.event_timestamp >= greatest(i.current_period_start, i.started_at))),
    waiting as (
      select s.customer_id from hourly_usage h join subjects s on s.subject = h.subject
      where h.quarantine_reason = 'stale_catalog'
      union select p.customer_id from pending p where exists (select 1 from (${places}) place where is_stale))
    select i.subscription_id as id from subscription_items i
    where i.stripe_meter_id is not null and i.customer_id in (select customer_id from waiting)
    group by 1 order by min(i.synced_at), 1 limit ${search.limit}`.execute(database);
  return rows.rows.map((row) => row.id);
}
