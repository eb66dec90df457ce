import { type RawBuilder, sql } from 'kysely';
import { INVOICE_REASONS, type UninvoicedReason } from '../../../pricing/closing/fate.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import type { UninvoicedGroup, UninvoicedState } from './groups.ts';

export interface UninvoicedFilter {
  states?: readonly UninvoicedState[] | undefined;
  reasons?: readonly UninvoicedReason[] | undefined;
  customerId?: string | undefined;
  invoiceId?: string | undefined;
}

/** Groups after a given one, the oldest first unless the newest are wanted. */
export async function listUninvoiced(
  database: LedgerDatabase | LedgerTransaction,
  filter: UninvoicedFilter,
  page: { afterId: bigint; limit: number; isNewestFirst?: boolean },
): Promise<UninvoicedGroup[]> {
  const { states, reasons, customerId, invoiceId } = filter;
  return await select(
    database,
    sql`uninvoiced_id > ${String(page.afterId)}::bigint
      and ${states === undefined ? sql`true` : sql`state = any(${[...states]}::text[])`}
      and ${reasons === undefined ? sql`true` : sql`reason = any(${[...reasons]}::text[])`}
      and ${customerId === undefined ? sql`true` : sql`customer_id = ${customerId}`}
      and ${invoiceId === undefined ? sql`true` : sql`invoice_id = ${invoiceId}`}`,
    page.limit,
    page.isNewestFirst,
  );
}

export async function findUninvoiced(
  database: LedgerDatabase,
  uninvoicedId: bigint,
): Promise<UninvoicedGroup | undefined> {
  const [group] = await select(database, sql`uninvoiced_id = ${String(uninvoicedId)}::bigint`, 1);
  return group;
}

/** @throws TallystickError NOT_FOUND */
export async function getUninvoiced(
  database: LedgerDatabase,
  uninvoicedId: bigint,
): Promise<UninvoicedGroup> {
  const group = await findUninvoiced(database, uninvoicedId);
  if (group !== undefined) return group;
  throw noSuchUsage(String(uninvoicedId));
}

async function select(
  database: LedgerDatabase | LedgerTransaction,
  where: RawBuilder<unknown>,
  limit: number,
  isNewestFirst = false,
): Promise<UninvoicedGroup[]> {
  const rows = await sql<UninvoicedGroup>`
    select uninvoiced_id as "uninvoicedId", customer_id as "customerId", stripe_meter_id as "stripeMeterId",
      subscription_id as "subscriptionId", invoice_id as "invoiceId", reason, period_start as "periodStart",
      period_end as "periodEnd", token_count as "tokenCount", state, found_at as "foundAt", decided_by as "decidedBy",
      decided_reason as "decidedReason", decided_at as "decidedAt"
    from uninvoiced_usage where ${where}
    order by uninvoiced_id ${isNewestFirst ? sql`desc` : sql`asc`} limit ${limit}`.execute(database);
  return rows.rows;
}

export interface UninvoicedDecision {
  uninvoicedId: bigint;
  /** `due_again`: the customer's next invoice has it as an item. */
  state: 'written_off' | 'due_again';
  /** Why, in a person's words. */
  reason: string;
  actor: string;
  now: Date;
}

/**
 * A person says what becomes of a group, with an audit row in the same transaction, the caller's. Said again it changes nothing; what is
 * an item of an invoice, or given up, is decided for good.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND, CONFLICT
 */
export async function decideUninvoiced(
  transaction: LedgerTransaction,
  decision: UninvoicedDecision,
): Promise<UninvoicedGroup> {
  const reason = decision.reason.trim();
  if (reason === '') throw new ValidationError('reason', 'is missing', 'Say why.');
  const { uninvoicedId } = decision;
  const before = await lockGroup(transaction, uninvoicedId);
  if (INVOICE_REASONS.includes(before.reason))
    throw conflict(
      `Usage ${uninvoicedId} was on invoice ${before.invoiceId}, which was taken back.`,
      'Say it of the whole invoice: POST /v1/invoices/{invoiceId}/usage, or "tallystick uninvoiced invoice".',
    );
  if (before.state === decision.state) return before;
  if (!isDecidable(before))
    throw conflict(`Uninvoiced usage ${uninvoicedId} is ${SPOKEN[before.state]} already.`);
  await applyDecision(transaction, { ...decision, reason }, before);
  return await lockGroup(transaction, uninvoicedId);
}

/** Whether a person's word still changes what becomes of a group. */
export function isDecidable({ state }: UninvoicedGroup): boolean {
  return state === 'open' || state === 'due_again';
}

/** Carries a decision out, audited. The group is open, and locked by the caller. */
export async function applyDecision(
  transaction: LedgerTransaction,
  decision: Omit<UninvoicedDecision, 'uninvoicedId'>,
  group: UninvoicedGroup,
): Promise<void> {
  const { state, reason, actor, now } = decision;
  const id = String(group.uninvoicedId);
  await sql`
    update uninvoiced_usage set state = ${state}, decided_by = ${actor}, decided_reason = ${reason}, decided_at = ${now}
    where uninvoiced_id = ${id}::bigint`.execute(transaction);
  if (state === 'written_off')
    await sql`
      update hourly_usage set written_off_at = ${now}
      where uninvoiced_id = ${id}::bigint and late_item_id is null and credit_proposal_id is null
        and written_off_at is null`.execute(transaction);
  await writeAudit(transaction, {
    actor,
    action: state === 'written_off' ? 'uninvoiced.write_off' : 'uninvoiced.due_again',
    target: `uninvoiced-${id}`,
    details: {
      customer_id: group.customerId,
      uninvoiced_reason: group.reason,
      invoice_id: group.invoiceId,
      token_count: String(group.tokenCount),
      reason,
    },
    now,
  });
}

const SPOKEN: Record<UninvoicedState, string> = {
  open: 'open',
  due_again: 'due again',
  taken_up: 'an item of a later invoice',
  written_off: 'written off',
  invoiced: 'invoiced',
};

/** @throws TallystickError NOT_FOUND */
export async function lockGroup(
  transaction: LedgerTransaction,
  uninvoicedId: bigint,
): Promise<UninvoicedGroup> {
  const id = String(uninvoicedId);
  await sql`select 1 from uninvoiced_usage where uninvoiced_id = ${id}::bigint for update`.execute(
    transaction,
  );
  const [group] = await select(transaction, sql`uninvoiced_id = ${id}::bigint`, 1);
  if (group !== undefined) return group;
  throw noSuchUsage(id);
}

function noSuchUsage(id: string): TallystickError {
  return new TallystickError(`There is no uninvoiced usage ${id}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/uninvoiced lists what there is.',
  });
}

export function conflict(message: string, fix?: string): TallystickError {
  return new TallystickError(message, {
    code: 'CONFLICT',
    retry: false,
    ...(fix === undefined ? {} : { fix }),
  });
}
