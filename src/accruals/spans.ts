import { type RawBuilder, sql } from 'kysely';
import type { AccrualInvoice, BilledSpan } from '../../pricing/accruals/span.ts';
import { invoiceStanding } from '../billing/uninvoiced/undecided.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import { readStoredPrice, type StoredPrice } from '../catalog/stored-price.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';

interface RawSpan extends StoredPrice {
  customerId: string;
  stripeMeterId: string;
  subscriptionId: string | null;
  currency: string;
  productName: string;
  start: Date;
  end: Date;
}

/** A row with the time that it is of, and its invoice. */
export type OfInvoice = TimeWindow & AccrualInvoice;

/** The same with both as parts. */
export function withInvoice<Row extends OfInvoice>({
  start,
  end,
  invoiceId,
  number,
  finalizedAt: at,
  ...row
}: Row) {
  return { ...row, period: { start, end }, invoice: { invoiceId, number, finalizedAt: at } };
}

/**
 * When invoices `v` with their readings `r` became final, as far as the ledger heard; null: drafts. Ours say it by their close,
 * others by when their usage was first told to be on them.
 */
function finalizedAt(): RawBuilder<Date | null> {
  return sql<Date | null>`case when v.status <> 'draft' or coalesce(r.status, 'draft') <> 'draft' then coalesce(
    (select min(step.at) from close_steps step where step.invoice_id = v.invoice_id
      and step.state in ('issued', 'overtaken', 'finalized', 'finalized_without_us')),
    v.placed_at, r.read_at, v.synced_at) end`;
}

/** Of a window: drafts, and what was final within it, later, or is of its time; what was taken back is none. */
export function relevantInvoices(customerIds: readonly string[], { start, end }: TimeWindow) {
  return sql`
    select * from (
      select v.invoice_id, v.customer_id, v.subscription_id, v.number, v.currency, v.period_start, v.period_end, v.is_instalment,
        ${finalizedAt()} as finalized_at, ${invoiceStanding()} as standing
      from invoices v left join invoice_readings r on r.invoice_id = v.invoice_id
      left join invoice_choices c on c.invoice_id = v.invoice_id
      -- An invoice comes soon after its period; one that does not is a draft, or its usage is still awaited.
      where v.customer_id = any(${[...customerIds]}::text[])
        and (v.period_end > ${start}::timestamptz - interval '70 days' or v.status = 'draft')) known
    where standing in ('draft', 'unread', 'final') and period_start < ${end}
      and (finalized_at is null or finalized_at >= ${start} or period_end > ${start})`;
}

/** Spans of these customers' meters that are on invoices, or will be, of a window's time or not invoiced at its start. */
export async function readSpans(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  window: TimeWindow,
): Promise<BilledSpan[]> {
  const invoices = relevantInvoices(customerIds, window);
  const lines = await sql<RawSpan & AccrualInvoice & { amountMinor: bigint }>`
    select v.customer_id as "customerId", l.stripe_meter_id as "stripeMeterId", v.subscription_id as "subscriptionId", v.currency,
      coalesce(p.product_name, min(l.description)) as "productName", l.period_start as start, l.period_end as end,
      p.unit_amount_decimal, p.tiers_mode, p.price_tiers, v.invoice_id as "invoiceId", v.number, v.finalized_at as "finalizedAt",
      sum(l.amount_minor)::bigint as "amountMinor"
    from (${invoices}) v
    join invoice_readings r on r.invoice_id = v.invoice_id and r.status <> 'draft'
    join invoice_lines l on l.invoice_id = v.invoice_id and l.stripe_meter_id is not null and l.period_start < l.period_end
    left join lateral (
      select p.* from item_prices p where p.subscription_id = v.subscription_id and p.price_id = l.price_id
      order by p.subscription_item_id limit 1) p on true
    group by 1, 2, 3, 4, p.product_name, 6, 7, 8, 9, p.price_tiers, 11, 12, 13
    order by 1, 2, 6, 11`.execute(snapshot);
  const drafts = await sql<RawSpan & AccrualInvoice & Instalments>`
    select v.customer_id as "customerId", i.stripe_meter_id as "stripeMeterId", v.subscription_id as "subscriptionId", v.currency,
      i.product_name as "productName", v.period_start as start, v.period_end as end,
      i.unit_amount_decimal, i.tiers_mode, i.price_tiers, v.invoice_id as "invoiceId", v.number, null as "finalizedAt",
      ${instalments(sql`v.subscription_id`, sql`v.period_start`, sql`v.period_end`)}
    from (${invoices}) v
    join subscription_items i on i.subscription_id = v.subscription_id and ${ownMeter('i')} is not null
    where v.finalized_at is null and v.period_start < v.period_end
    order by 1, 2, 6, 11`.execute(snapshot);
  const running = await sql<RawSpan & Instalments & { isFormer: boolean; trialEndsAt: Date | null }>`
    with item as (
      select i.*, case when i.price_since > i.current_period_start and i.price_since < i.current_period_end then i.price_since end as swapped_at
      from subscription_items i
      where i.customer_id = any(${[...customerIds]}::text[]) and i.active and ${ownMeter('i')} is not null
        and i.current_period_start < i.current_period_end and i.current_period_start < ${window.end}
        -- The period has its invoice, and the catalog is yet to hear of the next one.
        and not exists (select 1 from invoices v where v.subscription_id = i.subscription_id and not v.is_instalment
          and v.status not in ('void', 'deleted') and v.period_start <= i.current_period_start and v.period_end >= i.current_period_end))
    select i.customer_id as "customerId", i.stripe_meter_id as "stripeMeterId", i.subscription_id as "subscriptionId", i.currency,
      coalesce(f.product_name, i.product_name) as "productName", priced.period_start as start, priced.period_end as end,
      ${formerColumn('unit_amount_decimal')}, ${formerColumn('tiers_mode')}, ${formerColumn('price_tiers')},
      priced.is_former as "isFormer", i.trial_ends_at as "trialEndsAt",
      ${instalments(sql`i.subscription_id`, sql`priced.period_start`, sql`priced.period_end`)}
    from item i
    cross join lateral (
      select coalesce(i.swapped_at, i.current_period_start) as period_start, i.current_period_end as period_end, false as is_former
      union all select i.current_period_start, i.swapped_at, true where i.swapped_at is not null) priced
    left join lateral (
      select p.* from item_prices p where priced.is_former and p.subscription_id = i.subscription_id
        and p.stripe_meter_id = i.stripe_meter_id and p.price_id <> i.price_id and p.first_seen_at <= i.price_since
      order by p.first_seen_at desc, p.price_id limit 1) f on true
    where not priced.is_former or f.price_id is not null
    order by 1, 2, 6`.execute(snapshot);
  return [
    ...lines.rows.map((row) => ({ ...toSpan(row), invoice: toInvoice(row), amountMinor: row.amountMinor })),
    ...drafts.rows.map((row) => ({ ...toSpan(row), invoice: toInvoice(row), before: toBefore(row) })),
    ...running.rows.flatMap((row) =>
      splitAtTrial({ ...toSpan(row), before: toBefore(row) }, row.trialEndsAt),
    ),
  ];
}

interface Instalments {
  beforeTokenCount: bigint | null;
  beforeAmountMinor: bigint | null;
}

/** What instalments have billed of an item `i` within a period. */
function instalments(
  subscription: RawBuilder<unknown>,
  start: RawBuilder<unknown>,
  end: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const of = (column: RawBuilder<unknown>) => sql`(
    select sum(${column})::bigint from invoices part join invoice_lines l on l.invoice_id = part.invoice_id
    where part.subscription_id = ${subscription} and part.is_instalment and part.status <> 'deleted'
      and part.period_end > ${start} and part.period_end <= ${end} and l.stripe_meter_id = i.stripe_meter_id)`;
  return sql`${of(sql`coalesce(l.quantity, 0)`)} as "beforeTokenCount", ${of(sql`l.amount_minor`)} as "beforeAmountMinor"`;
}

function formerColumn(name: 'unit_amount_decimal' | 'tiers_mode' | 'price_tiers') {
  return sql`case when priced.is_former then ${sql.ref(`f.${name}`)} else ${sql.ref(`i.${name}`)} end as ${sql.ref(name)}`;
}

function toSpan(row: RawSpan): BilledSpan {
  const { customerId, stripeMeterId, subscriptionId, currency, productName, start, end } = row;
  return {
    customerId,
    stripeMeterId,
    subscriptionId,
    currency,
    productName,
    start,
    end,
    price: readStoredPrice(row),
    invoice: null,
    amountMinor: null,
    before: null,
    isInTrial: false,
  };
}

function toInvoice({ invoiceId, number, finalizedAt: at }: AccrualInvoice): AccrualInvoice {
  return { invoiceId, number, finalizedAt: at };
}

function toBefore({ beforeTokenCount, beforeAmountMinor }: Instalments) {
  if (beforeTokenCount === null || beforeAmountMinor === null) return null;
  return { tokenCount: beforeTokenCount, amountMinor: beforeAmountMinor };
}

function splitAtTrial(span: BilledSpan, trialEndsAt: Date | null): BilledSpan[] {
  if (trialEndsAt === null || trialEndsAt <= span.start) return [span];
  if (trialEndsAt >= span.end) return [{ ...span, isInTrial: true }];
  return [
    { ...span, end: trialEndsAt, isInTrial: true },
    { ...span, start: trialEndsAt },
  ];
}
