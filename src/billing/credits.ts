import { sql } from 'kysely';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import type { PaidPart } from '../stripe/closing/port.ts';
import type { CreditCause, CreditState } from './states.ts';

/** Who proposes, and gives back what a person approved. */
export const JOB = 'job:close-invoices';

/** An invoice that billed more than was used, and what would be given back. */
export interface CreditProposal {
  creditProposalId: bigint;
  customerId: string;
  invoiceId: string;
  stripeMeterId: string;
  productName: string;
  lineId: string | null;
  periodStart: Date;
  periodEnd: Date;
  tokenCount: bigint;
  currency: string;
  amountMinor: bigint;
  cause: CreditCause;
  state: CreditState;
  idempotencyKey: string;
  creditNoteId: string | null;
  /** What the note gave back, tax included and discounts taken off. */
  creditedMinor: bigint | null;
  /** At most so much can be credited; null: Stripe was not asked, or it is enough. */
  creditableMinor: bigint | null;
  paidPart: PaidPart;
  decidedBy: string | null;
  decidedReason: string | null;
  proposedAt: Date;
  decidedAt: Date | null;
  createdAt: Date | null;
  lastError: string | null;
}

/** Proposals in these states, the oldest first unless the newest are wanted. */
export async function listCreditProposals(
  database: LedgerDatabase,
  query: {
    states?: readonly CreditState[] | undefined;
    customerId?: string | undefined;
    invoiceId?: string | undefined;
    afterId: bigint;
    limit: number;
    isNewestFirst?: boolean;
  },
): Promise<CreditProposal[]> {
  return await select(
    database,
    sql`credit_proposal_id > ${query.afterId}
      and ${query.states === undefined ? sql`true` : sql`state = any(${query.states}::text[])`}
      and ${query.customerId === undefined ? sql`true` : sql`customer_id = ${query.customerId}`}
      and ${query.invoiceId === undefined ? sql`true` : sql`invoice_id = ${query.invoiceId}`}`,
    query.limit,
    query.isNewestFirst,
  );
}

/** @throws TallystickError NOT_FOUND */
export async function getCreditProposal(
  database: LedgerDatabase | LedgerTransaction,
  creditProposalId: bigint,
): Promise<CreditProposal> {
  const [found] = await select(database, sql`credit_proposal_id = ${creditProposalId}`, 1);
  if (found !== undefined) return found;
  throw new TallystickError('There is no such credit proposal.', { code: 'NOT_FOUND', retry: false });
}

/**
 * A person decides. Approved, the jobs create the credit note once; rejected, nothing is ever given back for it and its
 * corrections count as written off. The audit row is in the same transaction, the caller's.
 * @throws TallystickError NOT_FOUND, CONFLICT when it was decided before
 */
export async function decideCredit(
  transaction: LedgerTransaction,
  decision: {
    creditProposalId: bigint;
    state: 'approved' | 'rejected';
    reason: string | null;
    /** Where what was paid goes; absent: to the customer's balance. */
    paidPart?: PaidPart | undefined;
    actor: string;
    now: Date;
  },
): Promise<CreditProposal> {
  const { creditProposalId, state, reason, paidPart = 'customer_balance', actor, now } = decision;
  const before = await getCreditProposal(transaction, creditProposalId);
  const decided = await sql`
    update credit_proposals set state = ${state}, decided_by = ${actor}, decided_reason = ${reason}, decided_at = ${now},
      paid_part = ${paidPart}
    where credit_proposal_id = ${creditProposalId} and state = 'proposed'`.execute(transaction);
  if (decided.numAffectedRows !== 1n) {
    throw new TallystickError(`Credit proposal ${creditProposalId} is ${before.state} already.`, {
      code: 'CONFLICT',
      retry: false,
    });
  }
  if (state === 'rejected') {
    await sql`update hourly_usage set written_off_at = ${now} where credit_proposal_id = ${creditProposalId}`.execute(
      transaction,
    );
  }
  await writeAudit(transaction, {
    actor,
    action: state === 'approved' ? 'credit.approve' : 'credit.reject',
    target: `credit-${creditProposalId}`,
    details: {
      invoice_id: before.invoiceId,
      token_count: String(before.tokenCount),
      amount_minor: String(amountToCredit(before)),
      ...(state === 'approved' ? { paid_part: paidPart } : {}),
      reason,
    },
    now,
  });
  return await getCreditProposal(transaction, creditProposalId);
}

/** The credit note exists. Audited. */
export async function markCreditCreated(
  database: LedgerDatabase,
  created: { creditProposalId: bigint; creditNoteId: string; totalMinor: bigint; now: Date },
): Promise<void> {
  const { creditProposalId, creditNoteId, totalMinor, now } = created;
  await database.transaction().execute(async (transaction) => {
    const marked = await sql`
      update credit_proposals set state = 'created', credit_note_id = ${creditNoteId}, credited_minor = ${totalMinor}, created_at = ${now}, last_error = null
      where credit_proposal_id = ${creditProposalId} and state = 'approved'`.execute(transaction);
    if (marked.numAffectedRows !== 1n) return;
    await writeAudit(transaction, {
      actor: JOB,
      action: 'credit.create',
      target: `credit-${creditProposalId}`,
      details: { credit_note_id: creditNoteId, total_minor: String(totalMinor) },
      now,
    });
  });
}

/** What is credited when it is approved: all of it, or what can be at most. */
export function amountToCredit({ amountMinor, creditableMinor }: CreditProposal): bigint {
  return creditableMinor === null || creditableMinor === 0n || creditableMinor > amountMinor
    ? amountMinor
    : creditableMinor;
}

/** Less is left than was approved: a person decides again, on what is left. Audited. */
export async function returnCredit(
  database: LedgerDatabase,
  returned: { creditProposalId: bigint; creditableMinor: bigint; error: string; now: Date },
): Promise<void> {
  const { creditProposalId, creditableMinor, error, now } = returned;
  await database.transaction().execute(async (transaction) => {
    const moved = await sql`
      update credit_proposals set state = 'proposed', creditable_minor = ${creditableMinor}, last_error = ${error},
        decided_by = null, decided_reason = null, decided_at = null
      where credit_proposal_id = ${creditProposalId} and state = 'approved'`.execute(transaction);
    if (moved.numAffectedRows !== 1n) return;
    await writeAudit(transaction, {
      actor: JOB,
      action: 'credit.return',
      target: `credit-${creditProposalId}`,
      details: { creditable_minor: String(creditableMinor), reason: error },
      now,
    });
  });
}

/** Stripe refused; a person sees why, and the next run tries again. */
export async function markCreditFailed(
  database: LedgerDatabase,
  creditProposalId: bigint,
  error: string,
): Promise<void> {
  await sql`update credit_proposals set last_error = ${error} where credit_proposal_id = ${creditProposalId}`.execute(
    database,
  );
}

async function select(
  database: LedgerDatabase | LedgerTransaction,
  where: ReturnType<typeof sql>,
  limit: number,
  isNewestFirst = false,
): Promise<CreditProposal[]> {
  const rows = await sql<CreditProposal>`
    select credit_proposal_id as "creditProposalId", customer_id as "customerId", invoice_id as "invoiceId",
      stripe_meter_id as "stripeMeterId", product_name as "productName", line_id as "lineId", period_start as "periodStart",
      period_end as "periodEnd", token_count as "tokenCount", currency, amount_minor as "amountMinor", cause, state,
      idempotency_key as "idempotencyKey", credit_note_id as "creditNoteId", credited_minor as "creditedMinor",
      creditable_minor as "creditableMinor", paid_part as "paidPart", decided_by as "decidedBy",
      decided_reason as "decidedReason", proposed_at as "proposedAt", decided_at as "decidedAt", created_at as "createdAt",
      last_error as "lastError"
    from credit_proposals where ${where}
    order by credit_proposal_id ${isNewestFirst ? sql`desc` : sql`asc`} limit ${limit}`.execute(database);
  return rows.rows;
}
