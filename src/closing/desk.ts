import { sql } from 'kysely';
import type { CloseComparison, CloseDifference } from '../../pricing/closing/certificate.ts';
import type { CloseState } from '../billing/states.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import { moveClose } from './closes.ts';
import { sealInvoice } from './progress.ts';

/** A close as a person sees it. */
export interface CloseRow {
  invoiceId: string;
  invoiceNumber: string | null;
  customerId: string;
  customerName: string;
  subscriptionId: string;
  currency: string;
  periodStart: Date;
  periodEnd: Date;
  state: CloseState;
  stateAt: Date;
  foundAt: Date;
  deadline: Date | null;
  nextLookAt: Date | null;
  attemptCount: number;
  lastError: string | null;
  difference: readonly CloseDifference[] | null;
  releasedBy: string | null;
  releasedReason: string | null;
  totalMinor: bigint | null;
  endedAt: Date | null;
  confirmedAt: Date | null;
  certificateSha256: string | null;
}

export interface CloseFilter {
  /** Periods that end in `(from, to]`. */
  periodEndsAfter?: Date | undefined;
  periodEndsUntil?: Date | undefined;
  customerId?: string | undefined;
  state?: CloseState | undefined;
}

/** One page, the latest period first. */
export async function listCloses(
  database: LedgerDatabase,
  filter: CloseFilter,
  page: { after: { periodEnd: Date; invoiceId: string } | null; limit: number },
): Promise<CloseRow[]> {
  const { periodEndsAfter, periodEndsUntil, customerId, state } = filter;
  return await select(
    database,
    sql`${periodEndsAfter === undefined ? sql`true` : sql`c.period_end > ${periodEndsAfter}`}
      and ${periodEndsUntil === undefined ? sql`true` : sql`c.period_end <= ${periodEndsUntil}`}
      and ${customerId === undefined ? sql`true` : sql`c.customer_id = ${customerId}`}
      and ${state === undefined ? sql`true` : sql`c.state = ${state}`}
      and ${page.after === null ? sql`true` : sql`(c.period_end, c.invoice_id) < (${page.after.periodEnd}::timestamptz, ${page.after.invoiceId})`}`,
    page.limit,
  );
}

export interface CloseStep {
  state: CloseState;
  at: Date;
  note: string | null;
}

/** @throws TallystickError NOT_FOUND */
export async function getClose(
  database: LedgerDatabase,
  invoiceId: string,
): Promise<{ close: CloseRow; steps: CloseStep[]; comparison: CloseComparison | null }> {
  const [close] = await select(database, sql`c.invoice_id = ${invoiceId}`, 1);
  if (close === undefined) throw notFound(invoiceId);
  const steps = await database
    .selectFrom('close_steps')
    .select(['state', 'at', 'note'])
    .where('invoice_id', '=', invoiceId)
    .orderBy('close_step_id')
    .execute();
  const row = await database
    .selectFrom('closes')
    .select('comparison')
    .where('invoice_id', '=', invoiceId)
    .executeTakeFirst();
  return { close, steps, comparison: (row?.comparison ?? null) as CloseComparison | null };
}

/**
 * Lets a held invoice go in spite of what differs. The difference, the person and the reason are part of its
 * certificate; the audit row is in the same transaction, the caller's.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND, CONFLICT when it is not held
 */
export async function releaseClose(
  transaction: LedgerTransaction,
  release: { invoiceId: string; reason: string; actor: string; now: Date },
): Promise<void> {
  const { invoiceId, actor, now } = release;
  const reason = release.reason.trim();
  if (reason === '') throw new ValidationError('reason', 'is missing', 'Say why it may go as it is.');
  const { close } = await getClose(transaction, invoiceId);
  const voided =
    await sql`select 1 from invoices where invoice_id = ${invoiceId} and status = 'void'`.execute(
      transaction,
    );
  if (voided.rows.length > 0) {
    throw new TallystickError(`Invoice ${invoiceId} is void: there is nothing to let go.`, {
      code: 'CONFLICT',
      retry: false,
      fix: 'Say what becomes of its usage instead.',
    });
  }
  await sql`update closes set released_by = ${actor}, released_reason = ${reason} where invoice_id = ${invoiceId} and state = 'held'`.execute(
    transaction,
  );
  if (!(await moveClose(transaction, { invoiceId, from: ['held'], to: 'released', now, note: reason }))) {
    throw new TallystickError(`The close of ${invoiceId} is ${close.state}, not held.`, {
      code: 'CONFLICT',
      retry: false,
      fix: 'Only a held invoice can be released.',
    });
  }
  await sealInvoice(transaction, invoiceId, now);
  await writeAudit(transaction, {
    actor,
    action: 'close.release',
    target: invoiceId,
    details: { reason, difference: close.difference },
    now,
  });
}

/** A draft whose period is over and that no close has taken up yet. */
export interface DueDraft {
  invoiceId: string;
  customerId: string;
  periodEnd: Date;
}

export async function findDueDrafts(
  database: LedgerDatabase,
  filter: CloseFilter & { now: Date },
): Promise<DueDraft[]> {
  const { periodEndsAfter, periodEndsUntil, customerId, now } = filter;
  const rows = await sql<DueDraft>`
    select i.invoice_id as "invoiceId", i.customer_id as "customerId", i.period_end as "periodEnd" from invoices i
    where i.status = 'draft' and i.subscription_id is not null and not i.is_instalment and i.period_end <= ${now}
      and ${periodEndsAfter === undefined ? sql`true` : sql`i.period_end > ${periodEndsAfter}`}
      and ${periodEndsUntil === undefined ? sql`true` : sql`i.period_end <= ${periodEndsUntil}`}
      and ${customerId === undefined ? sql`true` : sql`i.customer_id = ${customerId}`}
      and exists (select 1 from invoice_quantities q where q.invoice_id = i.invoice_id)
      and not exists (select 1 from closes c where c.invoice_id = i.invoice_id)
    order by i.period_end, i.invoice_id`.execute(database);
  return rows.rows;
}

export async function countOpenCloses(database: LedgerDatabase): Promise<bigint> {
  const row = await database
    .selectFrom('closes')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow();
  return row.count;
}

/**
 * Holds what the catalog says of closed invoices against their certificates: the total of a final invoice changes no
 * more, so one look is enough.
 * @returns those that differ
 */
export async function confirmCloses(
  database: LedgerDatabase,
  now: Date,
): Promise<{ invoiceId: string; certified: string; invoiced: string }[]> {
  const rows = await sql<{ invoiceId: string; certified: string; invoiced: string; agrees: boolean }>`
    with seen as (
      select c.invoice_id, c.total_minor as certified, i.total_minor as invoiced from closes c
      join invoices i on i.invoice_id = c.invoice_id
      where c.state in ('finalized', 'finalized_without_us') and c.confirmed_at is null
        and i.synced_at > c.ended_at and i.status in ('open', 'paid', 'uncollectible')),
    confirmed as (
      update closes c set confirmed_at = ${now},
        last_error = case when seen.certified <> seen.invoiced then 'the invoice is ' || seen.invoiced || ', certified was ' || seen.certified end
      from seen where c.invoice_id = seen.invoice_id returning c.invoice_id)
    select seen.invoice_id as "invoiceId", certified::text, invoiced::text
    from seen join confirmed on confirmed.invoice_id = seen.invoice_id
    where certified <> invoiced order by 1`.execute(database);
  return rows.rows;
}

async function select(
  database: LedgerDatabase,
  where: ReturnType<typeof sql>,
  limit: number,
): Promise<CloseRow[]> {
  const rows = await sql<CloseRow>`
    select c.invoice_id as "invoiceId", i.number as "invoiceNumber", c.customer_id as "customerId", k.name as "customerName",
      c.subscription_id as "subscriptionId", c.currency, c.period_start as "periodStart", c.period_end as "periodEnd", c.state,
      c.state_at as "stateAt", c.found_at as "foundAt", c.deadline, c.next_look_at as "nextLookAt",
      c.attempt_count as "attemptCount", c.last_error as "lastError", c.difference, c.released_by as "releasedBy",
      c.released_reason as "releasedReason", c.total_minor as "totalMinor", c.ended_at as "endedAt",
      c.confirmed_at as "confirmedAt", x.sha256 as "certificateSha256"
    from closes c join customers k on k.customer_id = c.customer_id join invoices i on i.invoice_id = c.invoice_id
    left join close_certificates x on x.invoice_id = c.invoice_id
    where ${where} order by c.period_end desc, c.invoice_id desc limit ${limit}`.execute(database);
  return rows.rows;
}

function notFound(invoiceId: string): TallystickError {
  return new TallystickError(`There is no close of ${JSON.stringify(invoiceId.slice(0, 100))}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/closes lists those there are; one begins when the draft of an ended period is known.',
  });
}
