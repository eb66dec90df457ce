import { sql } from 'kysely';
import type { LedgerTransaction } from '../platform/database/database.ts';
import type { BillingInvoiceHeader } from '../stripe/port.ts';

/** Stripe's word for an invoice that a billing threshold made. */
const THRESHOLD = 'subscription_threshold';

/**
 * Keeps invoices as they were read at `now`, unless something younger is known. Whether one that a threshold made is an
 * instalment, the subscription's items say: their period goes on across its end, or begins anew with it.
 */
export async function storeInvoices(
  transaction: LedgerTransaction,
  invoices: readonly BillingInvoiceHeader[],
  idByStripeId: ReadonlyMap<string, string>,
  now: Date,
): Promise<void> {
  const known = invoices.filter((invoice) => idByStripeId.has(invoice.stripeCustomerId));
  if (known.length === 0) return;
  const text = (pick: (row: BillingInvoiceHeader) => string | null) => known.map(pick);
  await sql`
    insert into invoices as known (invoice_id, customer_id, subscription_id, status, number, currency, total_minor, period_start, period_end,
      billing_reason, made_at, credited_minor, synced_at)
    select *, ${now}::timestamptz from unnest(${text((row) => row.invoiceId)}::text[],
      ${text((row) => idByStripeId.get(row.stripeCustomerId) ?? '')}::text[], ${text((row) => row.subscriptionId)}::text[],
      ${text((row) => row.status)}::text[], ${text((row) => row.number)}::text[], ${text((row) => row.currency)}::text[],
      ${text((row) => String(row.totalMinor))}::bigint[], ${text((row) => row.periodStart.toISOString())}::timestamptz[],
      ${text((row) => row.periodEnd.toISOString())}::timestamptz[], ${text((row) => row.billingReason)}::text[],
      ${text((row) => row.createdAt.toISOString())}::timestamptz[],
      ${text((row) => String(row.creditedMinor ?? 0n))}::bigint[])
    on conflict (invoice_id) do update
      set status = excluded.status, number = excluded.number, total_minor = excluded.total_minor,
          period_start = excluded.period_start, period_end = excluded.period_end, billing_reason = excluded.billing_reason,
          made_at = excluded.made_at, credited_minor = excluded.credited_minor, synced_at = excluded.synced_at
      where known.synced_at <= excluded.synced_at`.execute(transaction);
  const made = known.filter(({ billingReason }) => billingReason === THRESHOLD);
  if (made.length === 0) return;
  await sql`
    update invoices i set is_instalment = case when item.begins_anew then false when item.goes_on then true else i.is_instalment end
    from (
      select i.invoice_id, bool_or(s.current_period_start = i.period_end) as begins_anew,
        bool_or(s.current_period_start < i.period_end and s.current_period_end > i.period_end) as goes_on
      from invoices i join subscription_items s on s.subscription_id = i.subscription_id and s.active
      where i.invoice_id = any(${made.map(({ invoiceId }) => invoiceId)}::text[]) group by 1) item
    where item.invoice_id = i.invoice_id`.execute(transaction);
}
