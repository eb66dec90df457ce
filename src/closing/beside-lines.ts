import { type RawBuilder, sql } from 'kysely';
import type { UninvoicedReason } from '../../pricing/closing/fate.ts';
import type { PeriodCharge } from '../../pricing/invoices/minimum.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { CloseTarget } from './figures.ts';

/** What was delivered of a meter in an invoice's period, and no invoice has. */
export interface UninvoicedFigures {
  stripeMeterId: string;
  eventName: string;
  reason: UninvoicedReason;
  periodStart: Date;
  periodEnd: Date;
  tokenCount: bigint;
  pushCount: bigint;
}

/**
 * By invoice; of its subscription and its period. What its own lines lack is told by them, and what a person gave up, or a
 * later invoice has by now, is not among it.
 */
export async function readUninvoiced(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<Map<string, UninvoicedFigures[]>> {
  const rows = await sql<UninvoicedFigures & { invoiceId: string }>`
    select c.invoice_id as "invoiceId", u.stripe_meter_id as "stripeMeterId", m.event_name as "eventName", u.reason,
      u.period_start as "periodStart", u.period_end as "periodEnd", u.token_count as "tokenCount",
      (select count(distinct h.former_push_id) from hourly_usage h where h.uninvoiced_id = u.uninvoiced_id) as "pushCount"
    from closes c
    join uninvoiced_usage u on u.customer_id = c.customer_id and u.subscription_id = c.subscription_id
      and u.state in ('open', 'due_again') and u.reason <> 'missing_on_invoice' and u.late_item_id is null
      and u.period_start >= c.period_start and u.period_start < c.period_end
    join stripe_meters m on m.stripe_meter_id = u.stripe_meter_id
    where c.invoice_id = any(${[...invoiceIds]}::text[]) and u.token_count > 0
    order by 1, 2, 5, u.uninvoiced_id`.execute(database);
  return Map.groupBy(rows.rows, ({ invoiceId }) => invoiceId);
}

/** What lines of other invoices of the subscription charge of a meter within an invoice's period, by invoice. */
export async function readChargedElsewhere(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<Map<string, PeriodCharge[]>> {
  return await chargedElsewhere(
    database,
    sql`select invoice_id as id, invoice_id, customer_id, subscription_id, period_start, period_end from closes
      where invoice_id = any(${[...invoiceIds]}::text[])`,
  );
}

/** The same of periods of a customer's subscriptions that have no invoice yet, by subscription. */
export async function readChargedBefore(
  database: LedgerDatabase,
  customerId: string,
  periods: readonly { subscriptionId: string; period: TimeWindow }[],
): Promise<Map<string, PeriodCharge[]>> {
  return await chargedElsewhere(
    database,
    sql`select period.id, '' as invoice_id, ${customerId}::text as customer_id, period.id as subscription_id,
        period.period_start, period.period_end
      from unnest(${periods.map(({ subscriptionId }) => subscriptionId)}::text[],
        ${periods.map(({ period }) => period.start.toISOString())}::timestamptz[],
        ${periods.map(({ period }) => period.end.toISOString())}::timestamptz[]) as period(id, period_start, period_end)`,
  );
}

/**
 * Such are made within a period: when a price changes and that is billed at once, or by a threshold. What stands on an invoice
 * that ended a period of the meter is of that period: it may be shorter than this one's longest.
 */
async function chargedElsewhere(
  database: LedgerDatabase,
  periods: RawBuilder<unknown>,
): Promise<Map<string, PeriodCharge[]>> {
  const rows = await sql<PeriodCharge & { id: string }>`
    select c.id, l.stripe_meter_id as "meterId", sum(l.amount_minor)::bigint as "amountMinor"
    from (${periods}) c
    join invoices i on i.customer_id = c.customer_id and i.subscription_id = c.subscription_id and i.invoice_id <> c.invoice_id
      and i.status not in ('void', 'deleted')
    join invoice_lines l on l.invoice_id = i.invoice_id and l.stripe_meter_id is not null
      and l.period_start >= c.period_start and l.period_end <= c.period_end
      and i.billing_reason is distinct from 'subscription_cycle' and not exists (
        select 1 from invoices ended join invoice_lines e on e.invoice_id = ended.invoice_id and e.stripe_meter_id = l.stripe_meter_id
        where ended.subscription_id = c.subscription_id and ended.billing_reason = 'subscription_cycle' and ended.status not in ('void', 'deleted')
          and ended.invoice_id <> c.invoice_id and e.period_end < c.period_end and e.period_end >= l.period_end)
    group by 1, 2 order by 1, 2`.execute(database);
  return Map.groupBy(rows.rows, ({ id }) => id);
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
