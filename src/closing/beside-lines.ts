import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { CloseTarget } from './figures.ts';

/** A part of an invoice's period in which it has no line of a meter. */
export interface LineGap extends CloseTarget {
  subscriptionId: string;
  stripeMeterId: string;
}

/** What Stripe acknowledged of a meter in such a part, and no invoice of the subscription has a line for. */
export interface UninvoicedFigures {
  stripeMeterId: string;
  eventName: string;
  periodStart: Date;
  periodEnd: Date;
  tokenCount: bigint;
  pushCount: bigint;
}

/** By invoice; what another subscription of the customer bills, or a person gave up, is not among it. */
export async function readUninvoiced(
  database: LedgerDatabase,
  gaps: readonly LineGap[],
): Promise<Map<string, UninvoicedFigures[]>> {
  if (gaps.length === 0) return new Map();
  const rows = await sql<UninvoicedFigures & { invoiceId: string }>`
    select gap.invoice_id as "invoiceId", gap.stripe_meter_id as "stripeMeterId", m.event_name as "eventName",
      gap.period_start as "periodStart", gap.period_end as "periodEnd", sum(p.delta_token_count)::bigint as "tokenCount",
      count(*) as "pushCount"
    from unnest(${gaps.map((gap) => gap.invoiceId)}::text[], ${gaps.map((gap) => gap.customerId)}::text[],
      ${gaps.map((gap) => gap.subscriptionId)}::text[], ${gaps.map((gap) => gap.stripeMeterId)}::text[],
      ${gaps.map((gap) => gap.periodStart.toISOString())}::timestamptz[],
      ${gaps.map((gap) => gap.periodEnd.toISOString())}::timestamptz[])
      as gap(invoice_id, customer_id, subscription_id, stripe_meter_id, period_start, period_end)
    join stripe_meters m on m.stripe_meter_id = gap.stripe_meter_id
    join meter_pushes p on p.customer_id = gap.customer_id and p.stripe_meter_id = gap.stripe_meter_id
      and p.status = 'delivered' and p.written_off_at is null
      and p.event_timestamp >= gap.period_start and p.event_timestamp < gap.period_end
    where not exists (
        select 1 from invoices i join invoice_lines l on l.invoice_id = i.invoice_id
        where i.customer_id = gap.customer_id and i.subscription_id = gap.subscription_id and i.invoice_id <> gap.invoice_id and i.status not in ('void', 'deleted')
          and l.stripe_meter_id = gap.stripe_meter_id
          and p.event_timestamp >= l.period_start and p.event_timestamp < l.period_end)
      and not exists (
        select 1 from subscription_items other
        where other.customer_id = gap.customer_id and other.subscription_id <> gap.subscription_id
          and other.stripe_meter_id = gap.stripe_meter_id and p.event_timestamp >= other.started_at
          and (other.ends_at is null or p.event_timestamp < other.ends_at))
    group by 1, 2, 3, 4, 5 having sum(p.delta_token_count) > 0 order by 1, 2, 4`.execute(database);
  return Map.groupBy(rows.rows, ({ invoiceId }) => invoiceId);
}

/** What lines of other invoices of the subscription charge of a meter within an invoice's period. */
export interface ChargedElsewhere {
  stripeMeterId: string;
  amountMinor: bigint;
}

/**
 * By invoice. Such are made within a period: when a price changes and that is billed at once, or by a threshold. What stands
 * on an invoice that ended a period of the meter is of that period: it may be shorter than this one's longest.
 */
export async function readChargedElsewhere(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<Map<string, ChargedElsewhere[]>> {
  const rows = await sql<ChargedElsewhere & { invoiceId: string }>`
    select c.invoice_id as "invoiceId", l.stripe_meter_id as "stripeMeterId", sum(l.amount_minor)::bigint as "amountMinor"
    from closes c
    join invoices i on i.customer_id = c.customer_id and i.subscription_id = c.subscription_id and i.invoice_id <> c.invoice_id
      and i.status not in ('void', 'deleted')
    join invoice_lines l on l.invoice_id = i.invoice_id and l.stripe_meter_id is not null
      and l.period_start >= c.period_start and l.period_end <= c.period_end
      and i.billing_reason is distinct from 'subscription_cycle' and not exists (
        select 1 from invoices ended join invoice_lines e on e.invoice_id = ended.invoice_id and e.stripe_meter_id = l.stripe_meter_id
        where ended.subscription_id = c.subscription_id and ended.billing_reason = 'subscription_cycle' and ended.status not in ('void', 'deleted')
          and ended.invoice_id <> c.invoice_id and e.period_end < c.period_end and e.period_end >= l.period_end)
    where c.invoice_id = any(${[...invoiceIds]}::text[])
    group by 1, 2 order by 1, 2`.execute(database);
  return Map.groupBy(rows.rows, ({ invoiceId }) => invoiceId);
}

/** Final invoices of the same subscription and period whose lines are not known, and drafts to which nothing is added; the oldest first. */
export async function findUnreadInvoices(
  database: LedgerDatabase,
  close: CloseTarget & { subscriptionId: string },
): Promise<string[]> {
  const rows = await sql<{ id: string }>`
    select i.invoice_id as id from invoices i left join invoice_readings r on r.invoice_id = i.invoice_id
    where i.customer_id = ${close.customerId} and i.subscription_id = ${close.subscriptionId} and i.invoice_id <> ${close.invoiceId}
      and (i.is_instalment or i.status not in ('draft', 'void')) and i.status <> 'deleted' and coalesce(r.status = 'draft', true)
      and i.period_start >= ${close.periodStart} and i.period_end <= ${close.periodEnd}
    order by i.made_at, 1`.execute(database);
  return rows.rows.map((row) => row.id);
}
