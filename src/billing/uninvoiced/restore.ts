import { sql } from 'kysely';
import { decideFates, INVOICE_REASONS } from '../../../pricing/closing/fate.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { invoiceStanding, readFateFacts } from './undecided.ts';

/**
 * Puts the usage of a group back to where it was taken from: its pushes, or the item of its invoice. What a later item has,
 * or was given up, is not touched; the group is locked, and open, by the caller.
 * @param fate of its pushes from now on; null: it is decided anew
 */
export async function restoreGroup(
  transaction: LedgerTransaction,
  uninvoicedId: bigint,
  fate: { invoiceId: string } | null,
): Promise<void> {
  const id = sql`${String(uninvoicedId)}::bigint`;
  await sql`
    update meter_pushes set fate = ${fate === null ? null : 'invoiced'}, invoice_id = ${fate?.invoiceId ?? null}
    where fate = 'uninvoiced' and meter_push_id in (select former_push_id from hourly_usage
      where uninvoiced_id = ${id} and late_item_id is null and written_off_at is null)
      -- What was an item was taken from its push before.
      and exists (select 1 from uninvoiced_usage where uninvoiced_id = ${id} and late_item_id is null)`.execute(
    transaction,
  );
  await sql`
    update late_items set state = 'invoiced' where state = 'taken_back'
      and late_item_id = (select late_item_id from uninvoiced_usage where uninvoiced_id = ${id})`.execute(
    transaction,
  );
  await sql`
    update hourly_usage h set meter_push_id = case when u.late_item_id is null then h.former_push_id end,
      late_item_id = u.late_item_id, uninvoiced_id = null,
      former_push_id = case when u.late_item_id is null then null else h.former_push_id end,
      quarantine_reason = case when u.late_item_id is null then null else h.quarantine_reason end,
      quarantine_detail = case when u.late_item_id is null then null else h.quarantine_detail end
    from uninvoiced_usage u
    where u.uninvoiced_id = ${id} and h.uninvoiced_id = ${id} and h.late_item_id is null and h.written_off_at is null`.execute(
    transaction,
  );
  await sql`update uninvoiced_usage set state = 'invoiced' where uninvoiced_id = ${id}`.execute(transaction);
}

interface Doubted {
  uninvoicedId: bigint;
  customerId: string;
  stripeMeterId: string;
  since: Date;
  until: Date;
  /** The invoice that is whole again. */
  wholeInvoiceId: string | null;
}

/**
 * Gives groups that nobody has decided back where an invoice has their usage after all: one that came later than it was
 * waited for, or one whose credit notes were voided.
 */
export async function restoreFound(database: LedgerDatabase, now: Date): Promise<void> {
  const isOfInvoice = sql`u.reason = any(${[...INVOICE_REASONS]}::text[])`;
  const doubted = await sql<Doubted>`
    select u.uninvoiced_id as "uninvoicedId", u.customer_id as "customerId", u.stripe_meter_id as "stripeMeterId",
      u.period_start as since, u.period_end as until,
      case when whole.standing = 'final' and ${isOfInvoice}
        then u.invoice_id end as "wholeInvoiceId"
    from uninvoiced_usage u
    left join lateral (
      select ${invoiceStanding()} as standing from invoices v left join invoice_readings r on r.invoice_id = v.invoice_id
      left join invoice_choices c on c.invoice_id = v.invoice_id where v.invoice_id = u.invoice_id) whole on true
    where u.state in ('open', 'due_again') and (
      (whole.standing = 'final' and ${isOfInvoice})
      or (u.late_item_id is null and exists (
        select 1 from invoices v where v.customer_id = u.customer_id and v.subscription_id = u.subscription_id
          and v.status in ('draft', 'open', 'paid', 'uncollectible') and v.invoice_id is distinct from u.invoice_id
          and v.period_start < u.period_end and v.period_end > u.period_start
          -- Instalments that were known count already in what a line lacks: it would be found missing again, run after run.
          and (u.reason <> 'missing_on_invoice' or (v.placed_at is null and v.status <> 'draft')))))
    order by 1`.execute(database);
  const anew = doubted.rows.filter((group) => group.wholeInvoiceId === null);
  const facts = await readFateFacts(database, anew, now);
  const found = new Set(
    anew.filter((group, index) => {
      const known = facts[index];
      return (
        known !== undefined &&
        decideFates(known, { start: group.since, end: group.until }).every(
          ({ fate }) => fate.kind !== 'uninvoiced',
        )
      );
    }),
  );
  for (const group of doubted.rows) {
    const { uninvoicedId, wholeInvoiceId } = group;
    if (wholeInvoiceId === null && !found.has(group)) continue;
    await database.transaction().execute(async (transaction) => {
      const open = await sql`
        select 1 from uninvoiced_usage where uninvoiced_id = ${String(uninvoicedId)}::bigint and state in ('open', 'due_again')
        for update`.execute(transaction);
      if (open.rows.length === 0) return;
      if (wholeInvoiceId !== null)
        await sql`update invoices set placed_at = ${now} where invoice_id = ${wholeInvoiceId}`.execute(
          transaction,
        );
      await restoreGroup(
        transaction,
        uninvoicedId,
        wholeInvoiceId === null ? null : { invoiceId: wholeInvoiceId },
      );
    });
  }
}
