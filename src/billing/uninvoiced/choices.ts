import { sql } from 'kysely';
import { INVOICE_REASONS } from '../../../pricing/closing/fate.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import { applyDecision, conflict, listUninvoiced } from './desk.ts';
import { restoreGroup } from './restore.ts';
import { isCreditedInFull } from './undecided.ts';

/**
 * What becomes of the usage of an invoice that was taken back. `invoiced`: it is billed as it was, another way; `due_again`: the
 * customer's next invoice has it; `written_off`: it is given up.
 */
export const INVOICE_CHOICES = ['invoiced', 'due_again', 'written_off'] as const;
export type Choice = (typeof INVOICE_CHOICES)[number];

export interface InvoiceChoice {
  invoiceId: string;
  choice: Choice;
  decidedBy: string;
  decidedReason: string;
  decidedAt: Date;
}

/**
 * A person says once what becomes of the usage of an invoice that was voided, credited in full or marked uncollectible, with
 * an audit row in the same transaction, the caller's. Said again it changes nothing.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND, CONFLICT when it was said otherwise before, or the
 *   invoice is as it was
 */
export async function chooseForInvoice(
  transaction: LedgerTransaction,
  given: { invoiceId: string; choice: Choice; reason: string; actor: string; now: Date },
): Promise<InvoiceChoice> {
  const { invoiceId, choice, actor, now } = given;
  const reason = given.reason.trim();
  if (reason === '') throw new ValidationError('reason', 'is missing', 'Say why.');
  const standing = await lockInvoice(transaction, invoiceId);
  const before = await readInvoiceChoice(transaction, invoiceId);
  if (before !== null) {
    if (before.choice === choice) return before;
    throw conflict(`The usage of ${invoiceId} is ${before.choice} already, by ${before.decidedBy}.`);
  }
  if (!TAKEN_BACK.includes(standing))
    throw conflict(
      `Invoice ${invoiceId} is ${standing}: its usage is billed by it.`,
      'Void it, credit all of it, or mark it uncollectible in Stripe first.',
    );
  await transaction
    .insertInto('invoice_choices')
    .values({ invoice_id: invoiceId, choice, decided_by: actor, decided_reason: reason, decided_at: now })
    .execute();
  await writeAudit(transaction, {
    actor,
    action: 'invoice.choose',
    target: invoiceId,
    details: { choice, standing, reason },
    now,
  });
  const chosen = { invoiceId, choice, decidedBy: actor, decidedReason: reason, decidedAt: now };
  await follow(transaction, chosen, now);
  return chosen;
}

/** What an invoice is when its usage needs a person's word. */
export const TAKEN_BACK: readonly string[] = ['void', 'credited', 'uncollectible'];

/** @returns what a person would call it. @throws TallystickError NOT_FOUND */
export async function lockInvoice(transaction: LedgerTransaction, invoiceId: string): Promise<string> {
  return (await readTakenBack(transaction, invoiceId, sql`for update of v`)).standing;
}

/** An invoice of which something may have been taken back. */
interface TakenBackInvoice {
  customerId: string;
  /** What a person would call it: `void`, `credited`, `paid`. */
  standing: string;
  totalMinor: bigint;
  currency: string;
}

/** @throws TallystickError NOT_FOUND */
export async function readTakenBack(
  database: LedgerDatabase,
  invoiceId: string,
  lock = sql``,
): Promise<TakenBackInvoice> {
  const rows = await sql<TakenBackInvoice & { isCredited: boolean }>`
    select v.customer_id as "customerId", v.status as standing, v.total_minor as "totalMinor", v.currency,
      ${isCreditedInFull()} as "isCredited"
    from invoices v where v.invoice_id = ${invoiceId} ${lock}`.execute(database);
  const [row] = rows.rows;
  if (row === undefined)
    throw new TallystickError(`There is no invoice ${JSON.stringify(invoiceId.slice(0, 100))}.`, {
      code: 'NOT_FOUND',
      retry: false,
    });
  const { isCredited, ...invoice } = row;
  return isCredited && invoice.standing !== 'void' ? { ...invoice, standing: 'credited' } : invoice;
}

/** What was said of an invoice; null: nothing. */
export async function readInvoiceChoice(
  database: LedgerDatabase,
  invoiceId: string,
): Promise<InvoiceChoice | null> {
  const rows = await sql<InvoiceChoice>`
    select invoice_id as "invoiceId", choice, decided_by as "decidedBy", decided_reason as "decidedReason", decided_at as "decidedAt"
    from invoice_choices where invoice_id = ${invoiceId}`.execute(database);
  return rows.rows[0] ?? null;
}

/** Does what was chosen to usage of the invoice that was found since. */
export async function followChoices(database: LedgerDatabase, now: Date): Promise<void> {
  const rows = await sql<InvoiceChoice>`
    select distinct c.invoice_id as "invoiceId", c.choice, c.decided_by as "decidedBy", c.decided_reason as "decidedReason",
      c.decided_at as "decidedAt"
    from uninvoiced_usage u join invoice_choices c on c.invoice_id = u.invoice_id
    where u.state = 'open' and u.reason = any(${[...INVOICE_REASONS]}::text[]) order by 1`.execute(database);
  for (const chosen of rows.rows) {
    await database.transaction().execute(async (transaction) => {
      await lockInvoice(transaction, chosen.invoiceId);
      await follow(transaction, chosen, now);
    });
  }
}

async function follow(transaction: LedgerTransaction, chosen: InvoiceChoice, now: Date): Promise<void> {
  const { invoiceId, choice, decidedBy: actor, decidedReason: reason } = chosen;
  await sql`
    select 1 from uninvoiced_usage where invoice_id = ${invoiceId} and state = 'open' order by uninvoiced_id for update`.execute(
    transaction,
  );
  const groups = await listUninvoiced(
    transaction,
    { states: ['open'], invoiceId },
    { afterId: 0n, limit: 100_000 },
  );
  for (const group of groups) {
    if (!INVOICE_REASONS.includes(group.reason)) continue;
    if (choice !== 'invoiced') {
      await applyDecision(transaction, { state: choice, reason, actor, now }, group);
      continue;
    }
    await restoreGroup(transaction, group.uninvoicedId, { invoiceId });
    await sql`
      update uninvoiced_usage set decided_by = ${actor}, decided_reason = ${reason}, decided_at = ${now}
      where uninvoiced_id = ${String(group.uninvoicedId)}::bigint`.execute(transaction);
    await sql`update invoices set placed_at = coalesce(placed_at, ${now}) where invoice_id = ${invoiceId}`.execute(
      transaction,
    );
  }
}
