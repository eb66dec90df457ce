import { type RawBuilder, sql } from 'kysely';
import { INVOICE_REASONS, TAKEN_UP_REASONS } from '../../pricing/closing/fate.ts';
import type { LateUsage } from '../../pricing/invoices/late-usage.ts';
import { boundMeter } from '../catalog/bound-meter.ts';
import { readStoredPrice, type StoredPrice } from '../catalog/stored-price.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { CARRY_TO_NEXT_INVOICE } from './meter-pushes.ts';

/** Carried usage of one customer, meter and missed period: what one item bills, or one credit note gives back. */
export interface LateGroup extends LateUsage {
  customerId: string;
  productName: string;
  /** The service period that it missed. */
  periodStart: Date;
  periodEnd: Date;
  lineId: string | null;
  usedFrom: Date;
  usedTo: Date;
  hourlyUsageIds: readonly bigint[];
  /** Groups of uninvoiced usage that it takes up. */
  uninvoicedIds: readonly bigint[];
}

interface RawGroup extends StoredPrice, Omit<LateGroup, 'price' | 'hourlyUsageIds' | 'uninvoicedIds'> {
  hourlyUsageIds: string[];
  uninvoicedIds: string[] | null;
}

/**
 * Rows of these customers' usage that their next invoice takes up, as a query of `hourly_usage_id` and `customer_id`.
 * Uninvoiced usage is among it where nobody meant it to be free, or a person said so.
 */
export function carriedRows(customerIds: readonly string[]): RawBuilder<unknown> {
  const among = sql`any(${[...customerIds]}::text[])`;
  return sql`
    select hourly_usage_id, customer_id from hourly_usage
    where quarantine_reason = ${CARRY_TO_NEXT_INVOICE} and late_item_id is null and credit_proposal_id is null
      and written_off_at is null and meter_push_id is null and customer_id = ${among}
    union all
    select h.hourly_usage_id, h.customer_id from uninvoiced_usage u join hourly_usage h on h.uninvoiced_id = u.uninvoiced_id
    where u.customer_id = ${among} and ${isTakenUp('u')} and h.late_item_id is null and h.written_off_at is null`;
}

/** Of `uninvoiced_usage` under this alias: whether a later invoice takes it up. */
function isTakenUp(alias: string): RawBuilder<boolean> {
  const state = sql.ref(`${alias}.state`);
  return sql<boolean>`(${state} = 'due_again' or (${state} = 'open' and ${sql.ref(`${alias}.reason`)} = any(${[...TAKEN_UP_REASONS]}::text[])))`;
}

/** What is carried, by customer, meter and missed period, with the rows locked until the transaction ends. */
export async function lockLateGroups(
  transaction: LedgerTransaction,
  customerIds: readonly string[],
): Promise<LateGroup[]> {
  // A person who gives a group up takes the same locks in the same order.
  await sql`
    select 1 from uninvoiced_usage u where u.customer_id = any(${[...customerIds]}::text[]) and ${isTakenUp('u')}
    order by u.uninvoiced_id for update`.execute(transaction);
  const locked = await sql<{ id: string }>`
    select h.hourly_usage_id::text as id from hourly_usage h
    where h.hourly_usage_id in (select hourly_usage_id from (${carriedRows(customerIds)}) carried) and h.late_item_id is null
      and h.credit_proposal_id is null and h.written_off_at is null and h.meter_push_id is null
    order by h.hourly_usage_id for update skip locked`.execute(transaction);
  return await groupLateRows(
    transaction,
    locked.rows.map((row) => row.id),
  );
}

/** The same without a lock: to say what the next invoice will take up. */
export async function readLateGroups(
  database: LedgerDatabase,
  customerIds: readonly string[],
): Promise<LateGroup[]> {
  const carried = await sql<{
    id: string;
  }>`select hourly_usage_id::text as id from (${carriedRows(customerIds)}) carried`.execute(database);
  return await groupLateRows(
    database,
    carried.rows.map((row) => row.id),
  );
}

/**
 * Rows of usage that missed their invoice, by customer, meter and missed period.
 * The price is the one the missed invoice was closed with, else that of the line for that time, else the one the item had
 * then, as far as the ledger saw it. Usage that no item has a price for is left out: it goes on waiting.
 */
export async function groupLateRows(
  database: LedgerDatabase,
  hourlyUsageIds: readonly string[],
): Promise<LateGroup[]> {
  if (hourlyUsageIds.length === 0) return [];
  const rows = await sql<RawGroup>`
    with carried as (
      select h.hourly_usage_id, h.customer_id, h.model, h.feature, h.token_type, h.delta_token_count, h.window_start,
        h.window_start + make_interval(mins => h.part_start_minute) as used_at, u.uninvoiced_id, u.reason,
        u.subscription_id as lost_subscription_id, u.invoice_id as lost_invoice_id, u.stripe_meter_id as lost_meter_id,
        u.period_start as lost_start, u.period_end as lost_end
      from hourly_usage h left join uninvoiced_usage u on u.uninvoiced_id = h.uninvoiced_id
      where h.hourly_usage_id = any(${[...hourlyUsageIds]}::bigint[])),
    placed as (
      select c.*, meter.stripe_meter_id, coalesce(missed.product_name, line.product_name, item.product_name) as product_name,
        coalesce(c.lost_start, lost.period_start, missed.period_start, line.period_start, invoice.period_start, date_trunc('day', c.used_at, 'UTC')) as period_start,
        coalesce(c.lost_end, lost.period_end, missed.period_end, line.period_end, least(invoice.period_end, item.price_until), date_trunc('day', c.used_at, 'UTC') + interval '1 day') as period_end,
        case when missed.invoice_id is null and line.currency is null then item.former_price_id end as former_price_id,
        -- What was taken back has paid for nothing, whatever it was topped up to.
        case when coalesce(c.reason, lost.reason) = any(${[...INVOICE_REASONS]}::text[]) then null
          else coalesce(missed.invoice_id, c.lost_invoice_id, lost.invoice_id,
            case when invoice.status in ('open', 'paid', 'uncollectible') then invoice.invoice_id end) end as missed_invoice_id,
        missed.line_id, coalesce(missed.currency, line.currency, item.currency) as currency,
        ${priceColumn('unit_amount_decimal')}, ${priceColumn('tiers_mode')}, ${priceColumn('price_tiers')},
        case when c.uninvoiced_id is null and lost.uninvoiced_id is null then missed.invoice_quantity end as invoice_quantity
      from carried c
      left join lateral (${boundMeter('c')}) binding on true
      cross join lateral (select coalesce(c.lost_meter_id, binding.stripe_meter_id) as stripe_meter_id) meter
      left join lateral (
        -- What corrects uninvoiced usage makes its item less: it may have no invoice to be given back from.
        select g.* from uninvoiced_usage g
        where c.uninvoiced_id is null and c.delta_token_count < 0 and g.customer_id = c.customer_id
          and g.stripe_meter_id = meter.stripe_meter_id and ${isTakenUp('g')}
          and c.used_at >= g.period_start and c.used_at < g.period_end
          and exists (select 1 from carried whole where whole.uninvoiced_id = g.uninvoiced_id)
        order by g.uninvoiced_id limit 1) lost on true
      left join lateral (
        select m.*, i.currency from close_meters m join invoices i on i.invoice_id = m.invoice_id
        where m.customer_id = c.customer_id and m.stripe_meter_id = meter.stripe_meter_id
          and c.used_at >= m.period_start and c.used_at < m.period_end
        order by m.period_start desc limit 1) missed on true
      left join lateral (
        select i.invoice_id, i.status, i.period_start, i.period_end from invoices i
        where i.customer_id = c.customer_id and c.used_at >= i.period_start and c.used_at < i.period_end
          and i.status not in ('void', 'deleted')
        order by i.period_start desc limit 1) invoice on true
      left join lateral (
        -- A draft at hand, or one made within its period: the item may have another price by now.
        select l.period_start, l.period_end, v.currency, p.product_name, p.unit_amount_decimal, p.tiers_mode, p.price_tiers
        from invoices v join invoice_lines l on l.invoice_id = v.invoice_id
        join item_prices p on p.subscription_id = v.subscription_id and p.price_id = l.price_id
        where missed.invoice_id is null and v.customer_id = c.customer_id and v.status not in ('void', 'deleted')
          and l.stripe_meter_id = meter.stripe_meter_id and c.used_at >= l.period_start and c.used_at < l.period_end
        order by l.period_start desc limit 1) line on true
      left join lateral (
        select s.currency, former.price_id as former_price_id, case when former.price_id is not null then s.price_since end as price_until,
          coalesce(former.product_name, s.product_name) as product_name, ${formerColumn('unit_amount_decimal')},
          ${formerColumn('tiers_mode')}, ${formerColumn('price_tiers')}
        from subscription_items s
        left join lateral (
          -- Used before the item got its price, and on no line: at the price it had, the last that was seen by then.
          select f.* from item_prices f
          where c.used_at < s.price_since and f.subscription_id = s.subscription_id and f.stripe_meter_id = s.stripe_meter_id
            and f.price_id <> s.price_id
          order by f.first_seen_at > c.used_at, abs(extract(epoch from f.first_seen_at - c.used_at)), f.price_id limit 1) former on true
        where s.customer_id = c.customer_id and s.stripe_meter_id = meter.stripe_meter_id
        order by s.subscription_id = coalesce(c.lost_subscription_id, lost.subscription_id) desc nulls last, s.active desc, s.synced_at desc, s.subscription_item_id limit 1) item on true
      where meter.stripe_meter_id is not null
        and (missed.invoice_id is not null or line.currency is not null or item.currency is not null))
    select p.customer_id as "customerId", p.stripe_meter_id as "stripeMeterId", max(p.product_name) as "productName",
      p.period_start as "periodStart", p.period_end as "periodEnd", max(p.missed_invoice_id) as "missedInvoiceId",
      max(p.line_id) as "lineId", min(p.window_start) as "usedFrom", max(p.window_start) + interval '1 hour' as "usedTo",
      sum(p.delta_token_count)::bigint as "tokenCount", max(p.currency) as currency, max(p.unit_amount_decimal) as unit_amount_decimal,
      max(p.tiers_mode) as tiers_mode, (array_agg(p.price_tiers))[1] as price_tiers,
      (coalesce(max(p.invoice_quantity), (
        select coalesce(sum(m.delta_token_count), 0) from meter_pushes m
        where m.customer_id = p.customer_id and m.stripe_meter_id = p.stripe_meter_id and m.status = 'delivered'
          and m.fate is distinct from 'uninvoiced' and m.event_timestamp >= p.period_start and m.event_timestamp < p.period_end), 0) + (
        select coalesce(sum(l.token_count), 0) from late_items l
        where l.customer_id = p.customer_id and l.stripe_meter_id = p.stripe_meter_id and l.period_start = p.period_start
          and l.state <> 'taken_back'))::bigint as "billedQuantity",
      (select coalesce(array_agg(distinct s.subscription_id), '{}') from subscription_items s
        where s.customer_id = p.customer_id and s.stripe_meter_id = p.stripe_meter_id and s.active) as "subscriptionIds",
      array_agg(p.hourly_usage_id::text order by p.hourly_usage_id) as "hourlyUsageIds",
      array_agg(distinct p.uninvoiced_id::text) filter (where p.uninvoiced_id is not null) as "uninvoicedIds"
    from placed p group by p.customer_id, p.stripe_meter_id, p.period_start, p.period_end, p.former_price_id
    order by 1, 2, 4`.execute(database);
  return rows.rows.map(
    ({ unit_amount_decimal, tiers_mode, price_tiers, hourlyUsageIds, uninvoicedIds, ...group }) => ({
      ...group,
      price: readStoredPrice({ unit_amount_decimal, tiers_mode, price_tiers }),
      hourlyUsageIds: hourlyUsageIds.map(BigInt),
      uninvoicedIds: (uninvoicedIds ?? []).map(BigInt),
    }),
  );
}

/** A column of the price that usage is rated by. */
function priceColumn(name: 'unit_amount_decimal' | 'tiers_mode' | 'price_tiers') {
  const of = (alias: string) => sql.ref(`${alias}.${name}`);
  return sql`case when missed.invoice_id is not null then ${of('missed')} when line.currency is not null then ${of('line')}
    else ${of('item')} end as ${sql.ref(name)}`;
}

/** A column of the price that the item had, or has. */
function formerColumn(name: 'unit_amount_decimal' | 'tiers_mode' | 'price_tiers') {
  return sql`case when former.price_id is null then ${sql.ref(`s.${name}`)} else ${sql.ref(`former.${name}`)} end as ${sql.ref(name)}`;
}
