import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { BillingMeteredLine } from '../stripe/port.ts';
import { ownMeter } from './bound-item.ts';

/** An invoice whose metered lines are known, all of them or those that came with it. */
export interface MeteredInvoice {
  invoiceId: string;
  meteredLines?: readonly BillingMeteredLine[];
}

/**
 * Keeps what invoices bill of each meter of ours, summed over the lines of an item, or of a price that one has left. Rows that
 * say the same as before are only touched, and of a final invoice not even that.
 */
export async function storeInvoiceQuantities(
  transaction: LedgerTransaction,
  invoices: readonly MeteredInvoice[],
  now: Date,
): Promise<void> {
  const lines = invoices.flatMap((invoice) =>
    (invoice.meteredLines ?? []).map((line) => ({ invoiceId: invoice.invoiceId, ...line })),
  );
  if (lines.length === 0) return;
  await sql`
    insert into invoice_quantities as known (invoice_id, customer_id, stripe_meter_id, period_start, period_end,
      quantity, changed_at, seen_at)
    select line.invoice_id, i.customer_id, own.stripe_meter_id, line.period_start, max(line.period_end),
      sum(line.quantity)::bigint, ${now}::timestamptz, ${now}::timestamptz
    from unnest(${lines.map((line) => line.invoiceId)}::text[], ${lines.map((line) => line.subscriptionItemId)}::text[],
      ${lines.map((line) => line.priceId)}::text[], ${lines.map((line) => line.periodStart.toISOString())}::timestamptz[],
      ${lines.map((line) => line.periodEnd.toISOString())}::timestamptz[],
      ${lines.map((line) => String(line.quantity))}::bigint[])
      as line(invoice_id, subscription_item_id, price_id, period_start, period_end, quantity)
    join invoices i on i.invoice_id = line.invoice_id
    join lateral (
      select ${ownMeter('item')} as stripe_meter_id from subscription_items item where item.subscription_item_id = line.subscription_item_id
      union all
      select ${ownMeter('price')} from item_prices price where line.subscription_item_id is null
        and price.subscription_id = i.subscription_id and price.price_id = line.price_id) own on own.stripe_meter_id is not null
    group by line.invoice_id, i.customer_id, own.stripe_meter_id, line.period_start
    order by 1, 3, 4
    on conflict (invoice_id, stripe_meter_id, period_start) do update
      set quantity = excluded.quantity, seen_at = excluded.seen_at,
          changed_at = case when known.quantity <> excluded.quantity then excluded.changed_at else known.changed_at end
      -- Of a final invoice it is judged by when it changed alone.
      where known.quantity <> excluded.quantity
        or exists (select from invoices as made where made.invoice_id = excluded.invoice_id and made.status = 'draft')`.execute(
    transaction,
  );
}

/**
 * Holds every invoice quantity that may have changed its meaning against the delivered pushes of its period.
 * Stripe may or may not have known of pushes that were delivered shortly before, so it agrees within what they
 * add; drafts are judged again as long as they are drafts. A draft may stand still until it is final: where its close
 * proves it by Stripe's sums, showing less is no disagreement.
 * @returns quantities judged, and how many of them disagree
 */
export async function judgeInvoiceQuantities(
  database: LedgerDatabase,
  judge: { now: Date; summaryLagMs: number; closesInvoices: boolean },
): Promise<{ judgedCount: number; disagreeingCount: number }> {
  const lag = `${Math.round(judge.summaryLagMs / 1_000)} seconds`;
  const result = await sql<{ judged_count: number; disagreeing_count: number }>`
    with due as (
      select q.invoice_id, q.stripe_meter_id, q.period_start, q.quantity, q.quantity + earlier.quantity as with_earlier,
        -- Whether a line shows tokens or packages is not documented; the close holds it against both.
        exists (select 1 from item_prices price where price.subscription_id = i.subscription_id and price.stripe_meter_id = q.stripe_meter_id
          and price.tiers_mode like 'package%') as is_by_package,
        case when i.status = 'draft' and ${judge.closesInvoices} then least(p.least, q.quantity + earlier.quantity) else p.least end as least, p.most
      from invoice_quantities q
      join invoices i on i.invoice_id = q.invoice_id and not i.is_instalment
      -- What thresholds billed of the same period is taken off a line of it; one by volume shows all the same.
      cross join lateral (
        select coalesce(sum(e.quantity), 0) as quantity, least(q.period_start, min(e.period_start)) as period_start
        from invoice_quantities e join invoices made on made.invoice_id = e.invoice_id and made.is_instalment
        where made.subscription_id = i.subscription_id and e.stripe_meter_id = q.stripe_meter_id and made.made_at <= i.made_at
          and made.period_start >= i.period_start and e.period_end <= q.period_end) earlier
      cross join lateral (
        select coalesce(sum(case when is_known or delta < 0 then delta end), 0) as least,
          coalesce(sum(case when is_known or delta > 0 then delta end), 0) as most
        from (
          select delta_token_count as delta,
            status = 'delivered' and delivered_at <= (case when i.status = 'draft' then q.seen_at else q.changed_at end) - ${lag}::interval as is_known
          from meter_pushes p
          where p.customer_id = q.customer_id and p.stripe_meter_id = q.stripe_meter_id
            and p.window_start >= earlier.period_start - interval '1 hour' and p.window_start < q.period_end
            and p.event_timestamp >= earlier.period_start and p.event_timestamp < q.period_end
            and (p.status in ('pending', 'delivered') or p.is_unproven)) pushes) p
      where q.judged_at is null or q.judged_at < q.changed_at or (i.status = 'draft' and q.judged_at < q.seen_at)),
    judged as (
      update invoice_quantities q set judged_at = ${judge.now}, agrees = due.quantity between due.least and due.most
          or due.with_earlier between due.least and due.most or due.is_by_package
      from due where q.invoice_id = due.invoice_id and q.stripe_meter_id = due.stripe_meter_id
        and q.period_start = due.period_start
      returning q.agrees)
    select count(*)::int as judged_count, (count(*) filter (where not agrees))::int as disagreeing_count from judged`.execute(
    database,
  );
  const counts = result.rows[0];
  return { judgedCount: counts?.judged_count ?? 0, disagreeingCount: counts?.disagreeing_count ?? 0 };
}
