import { sql } from 'kysely';
import type { Span, UninvoicedReason } from '../../../pricing/closing/fate.ts';
import type { LedgerTransaction } from '../../platform/database/database.ts';

/** The reason under which rows of hourly usage wait; their group says the cause. */
export const UNINVOICED = 'uninvoiced';

/** A stretch of a customer's meter that no invoice has, and why. */
export interface UninvoicedSpan {
  customerId: string;
  stripeMeterId: string;
  span: Span;
  reason: UninvoicedReason;
  subscriptionId: string | null;
  /** The invoice that would have had it, or had it. */
  invoiceId: string | null;
}

/**
 * Takes the usage of pushes out of them and keeps it as uninvoiced, with its reason: in the open group of the same cause,
 * or in a new one. Stripe's meter counts the pushes all the same. The pushes are locked by the caller.
 * @returns how many tokens
 */
export async function holdPushes(
  transaction: LedgerTransaction,
  held: UninvoicedSpan,
  pushIds: readonly bigint[],
  now: Date,
): Promise<bigint> {
  if (pushIds.length === 0) return 0n;
  const ids = sql`any(${pushIds.map(String)}::bigint[])`;
  await sql`update meter_pushes set fate = 'uninvoiced', invoice_id = null where meter_push_id = ${ids}`.execute(
    transaction,
  );
  const usage = await sql<{ tokenCount: bigint; rowCount: number }>`
    select coalesce(sum(delta_token_count), 0)::bigint as "tokenCount", count(*)::int as "rowCount"
    from hourly_usage where meter_push_id = ${ids}`.execute(transaction);
  const { tokenCount = 0n, rowCount = 0 } = usage.rows[0] ?? {};
  // A push that takes back another has no usage of its own.
  if (rowCount === 0) return 0n;
  const uninvoicedId = await joinGroup(transaction, { ...held, lateItemId: null, tokenCount }, now);
  await sql`
    update hourly_usage set former_push_id = meter_push_id, meter_push_id = null, quarantine_reason = ${UNINVOICED},
      quarantine_detail = ${held.reason}, uninvoiced_id = ${String(uninvoicedId)}::bigint
    where meter_push_id = ${ids}`.execute(transaction);
  return tokenCount;
}

/** Keeps usage in the open group of its cause, or in a new one, which follows what a person said of its invoice. */
export async function joinGroup(
  transaction: LedgerTransaction,
  joining: UninvoicedSpan & { lateItemId: bigint | null; tokenCount: bigint },
  now: Date,
): Promise<bigint> {
  const { customerId, stripeMeterId, reason, subscriptionId, invoiceId, lateItemId, tokenCount, span } =
    joining;
  const joined = await sql<{ id: bigint }>`
    update uninvoiced_usage set token_count = token_count + ${String(tokenCount)}::bigint,
      period_start = least(period_start, ${span.start}::timestamptz), period_end = greatest(period_end, ${span.end}::timestamptz)
    where uninvoiced_id = (
      select uninvoiced_id from uninvoiced_usage
      where customer_id = ${customerId} and stripe_meter_id = ${stripeMeterId} and reason = ${reason} and state in ('open', 'due_again')
        and subscription_id is not distinct from ${subscriptionId} and invoice_id is not distinct from ${invoiceId}
        and late_item_id is not distinct from ${lateItemId === null ? null : String(lateItemId)}::bigint
        and period_start <= ${span.end} and period_end >= ${span.start}
      order by uninvoiced_id limit 1 for update)
    returning uninvoiced_id as id`.execute(transaction);
  if (joined.rows[0] !== undefined) return joined.rows[0].id;
  const made = await sql<{ id: bigint }>`
    insert into uninvoiced_usage (customer_id, stripe_meter_id, subscription_id, invoice_id, late_item_id, reason, period_start,
      period_end, token_count, found_at)
    values (${customerId}, ${stripeMeterId}, ${subscriptionId}, ${invoiceId}, ${lateItemId === null ? null : String(lateItemId)}::bigint,
      ${reason}, ${span.start}, ${span.end}, ${String(tokenCount)}::bigint, ${now})
    returning uninvoiced_id as id`.execute(transaction);
  const [group] = made.rows;
  if (group === undefined) throw new RangeError('the group was not made');
  return group.id;
}

export const UNINVOICED_STATES = ['open', 'due_again', 'taken_up', 'written_off', 'invoiced'] as const;
export type UninvoicedState = (typeof UNINVOICED_STATES)[number];

/** Usage that waits although it was delivered, by one cause. */
export interface UninvoicedGroup {
  uninvoicedId: bigint;
  customerId: string;
  stripeMeterId: string;
  subscriptionId: string | null;
  invoiceId: string | null;
  reason: UninvoicedReason;
  periodStart: Date;
  periodEnd: Date;
  tokenCount: bigint;
  state: UninvoicedState;
  foundAt: Date;
  decidedBy: string | null;
  decidedReason: string | null;
  decidedAt: Date | null;
}

/**
 * An item of a later invoice has it, or a credit counts it: nobody gives it up any more. A group of which a part waits for a
 * price, or for more usage, stays as it is.
 */
export async function markTakenUp(
  transaction: LedgerTransaction,
  uninvoicedIds: readonly bigint[],
): Promise<void> {
  if (uninvoicedIds.length === 0) return;
  await sql`
    update uninvoiced_usage u set state = 'taken_up'
    where u.uninvoiced_id = any(${uninvoicedIds.map(String)}::bigint[]) and u.state in ('open', 'due_again')
      and not exists (select 1 from hourly_usage h where h.uninvoiced_id = u.uninvoiced_id and h.late_item_id is null
        and h.credit_proposal_id is null and h.written_off_at is null)`.execute(transaction);
}
