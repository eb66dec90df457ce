import { sql } from 'kysely';
import type { UninvoicedReason } from '../../../pricing/closing/fate.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { joinGroup, UNINVOICED } from './groups.ts';
import { invoiceStanding } from './undecided.ts';

interface TakenBack {
  invoiceId: string;
  reason: UninvoicedReason;
}

/**
 * Takes what is on invoices that were voided, credited in full or given up off them. Usage on their lines waits to be decided
 * anew: a revision of the invoice may have it. Late usage on their items is uninvoiced at once.
 * @returns tokens of late items that are uninvoiced by that
 */
export async function releaseTakenBack(database: LedgerDatabase, now: Date): Promise<bigint> {
  const rows = await sql<TakenBack>`
    select known.invoice_id as "invoiceId", case known.standing when 'credited' then 'invoice_credited'
      when 'uncollectible' then 'invoice_uncollectible' else 'invoice_voided' end as reason
    from (
      select v.invoice_id, ${invoiceStanding()} as standing
      from invoices v left join invoice_readings r on r.invoice_id = v.invoice_id
      left join invoice_choices c on c.invoice_id = v.invoice_id
      where v.placed_at is not null and (v.status in ('void', 'deleted', 'uncollectible') or v.credited_minor > 0)) known
    where known.standing in ('voided', 'deleted', 'credited', 'uncollectible') order by 1`.execute(database);
  let tokenCount = 0n;
  for (const invoice of rows.rows) {
    tokenCount += await database.transaction().execute((transaction) => release(transaction, invoice, now));
  }
  return tokenCount;
}

async function release(
  transaction: LedgerTransaction,
  { invoiceId, reason }: TakenBack,
  now: Date,
): Promise<bigint> {
  const taken = await sql`
    update invoices set placed_at = null where invoice_id = ${invoiceId} and placed_at is not null`.execute(
    transaction,
  );
  if (taken.numAffectedRows !== 1n) return 0n;
  // What was invoiced before pushes named their invoice is known by its lines.
  await sql`
    update meter_pushes p set fate = null, invoice_id = null
    from invoice_lines l join invoices v on v.invoice_id = l.invoice_id
    where l.invoice_id = ${invoiceId} and l.stripe_meter_id is not null and p.customer_id = v.customer_id
      and p.stripe_meter_id = l.stripe_meter_id and p.status = 'delivered' and p.fate = 'invoiced'
      and coalesce(p.invoice_id, l.invoice_id) = l.invoice_id
      and p.window_start > l.period_start - interval '1 hour' and p.window_start < l.period_end
      and p.event_timestamp >= l.period_start and p.event_timestamp < l.period_end`.execute(transaction);
  const items = await sql<{
    lateItemId: bigint;
    customerId: string;
    stripeMeterId: string;
    subscriptionId: string;
    start: Date;
    end: Date;
    tokenCount: bigint;
  }>`
    update late_items set state = 'taken_back' where invoice_id = ${invoiceId} and state = 'invoiced'
    returning late_item_id as "lateItemId", customer_id as "customerId", stripe_meter_id as "stripeMeterId",
      subscription_id as "subscriptionId", period_start as start, period_end as end, token_count as "tokenCount"`.execute(
    transaction,
  );
  let tokenCount = 0n;
  for (const { start, end, ...item } of items.rows) {
    const uninvoicedId = await joinGroup(
      transaction,
      { ...item, invoiceId, reason, span: { start, end } },
      now,
    );
    await sql`
      update hourly_usage set late_item_id = null, quarantine_reason = ${UNINVOICED}, quarantine_detail = ${reason},
        uninvoiced_id = ${String(uninvoicedId)}::bigint
      where late_item_id = ${String(item.lateItemId)}::bigint`.execute(transaction);
    tokenCount += item.tokenCount;
  }
  return tokenCount;
}
