import { sql } from 'kysely';
import type {
  BilledEarlySubscription,
  CannotBillReason,
  EarlyBillEnd,
  EarlyBillState,
} from '../../../pricing/budgets/early-bill.ts';
import { ownMeter } from '../../catalog/bound-item.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';

const JOB = 'job:bill-early';

/** What a step that bills early asks of one subscription. */
export interface EarlyBill {
  earlyBillId: bigint;
  stepEventId: bigint;
  budgetId: string;
  customerId: string;
  subscriptionId: string;
  state: EarlyBillState;
  amountGteMinor: bigint | null;
  askedAt: Date | null;
  /** The threshold is at Stripe, or may be. */
  isSet: boolean;
  /** The step stands no more. */
  isWithdrawn: boolean;
  /** Null: the subscription has no metered item of ours any more. */
  subscription: (BilledEarlySubscription & { currency: string }) | null;
  /** Another one has its threshold at Stripe. */
  hasAnother: boolean;
  /** Of a threshold, made since it was asked for; null: there is none yet. */
  madeInvoiceId: string | null;
}

const IS_OPEN = sql`(bill.state in ('wanted', 'asking', 'asked') or bill.is_set)`;

/** Whether a step waits to be billed, or an instalment to be read: one statement. */
export async function isEarlyBillDue(database: LedgerDatabase): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    select exists (select from early_bills as bill where ${IS_OPEN}) or exists (${unreadInstalments()}) as due`.execute(
    database,
  );
  return rows[0]?.due === true;
}

/** Of periods that run: an instalment of one that is over is read with its close. */
function unreadInstalments() {
  return sql`select made.invoice_id from invoices as made left join invoice_readings as reading using (invoice_id)
    where made.is_instalment and made.status <> 'deleted' and reading.invoice_id is null
      and exists (select from subscription_items as item where item.subscription_id = made.subscription_id and item.active
        and item.current_period_start <= made.period_start)`;
}

/** Instalments whose lines are not known, the oldest first. */
export async function listUnreadInstalments(database: LedgerDatabase): Promise<string[]> {
  const { rows } = await sql<{ invoice_id: string }>`
    select invoice_id from invoices where invoice_id in (${unreadInstalments()}) order by made_at, invoice_id`.execute(
    database,
  );
  return rows.map((row) => row.invoice_id);
}

/**
 * Wants each subscription of the customer billed for every step that bills and has none yet; a customer without one is told so. In the
 * transaction in which the steps are reached.
 */
export async function wantEarlyBills(
  transaction: LedgerTransaction,
  budgetIds: readonly string[],
  now: Date,
): Promise<void> {
  await sql`
    insert into early_bills (budget_step_event_id, customer_id, subscription_id, state, reason, wanted_at, decided_at)
    select event.budget_step_event_id, budget.customer_id, item.subscription_id,
      case when item.subscription_id is null then 'cannot' else 'wanted' end,
      case when item.subscription_id is null then 'no_subscription' end, ${now}::timestamptz,
      case when item.subscription_id is null then ${now}::timestamptz end
    from budget_step_events as event
    join budgets as budget using (budget_id)
    left join lateral (
      select distinct item.subscription_id from subscription_items as item
      where item.customer_id = budget.customer_id and item.active and ${ownMeter('item')} is not null) as item on true
    where event.budget_id = any(${[...budgetIds]}::text[]) and event.step ->> 'action' = 'bill' and event.withdrawn_at is null
      and event.reached_at = ${now} and budget.customer_id is not null
      and not exists (select from early_bills as known where known.budget_step_event_id = event.budget_step_event_id)`.execute(
    transaction,
  );
}

/** The oldest that waits for something, of those after one; null: there is none. */
export async function readNextEarlyBill(database: LedgerDatabase, after: bigint): Promise<EarlyBill | null> {
  const { rows } = await sql<
    Omit<EarlyBill, 'subscription'> & {
      currency: string | null;
      trialEndsAt: Date | null;
      isPaused: boolean;
      periodEnd: Date | null;
    }
  >`
    select bill.early_bill_id as "earlyBillId", bill.budget_step_event_id as "stepEventId", event.budget_id as "budgetId",
      bill.customer_id as "customerId", bill.subscription_id as "subscriptionId", bill.state, bill.amount_gte_minor as "amountGteMinor",
      bill.asked_at as "askedAt", bill.is_set as "isSet",
      event.withdrawn_at is not null or budget.ended_at is not null as "isWithdrawn",
      item.currency, item.trial_ends_at as "trialEndsAt", coalesce(item.is_paused, false) as "isPaused", item.period_end as "periodEnd",
      exists (select from early_bills as other where other.subscription_id = bill.subscription_id and other.is_set
        and other.early_bill_id <> bill.early_bill_id) as "hasAnother",
      (select made.invoice_id from invoices as made
        where made.subscription_id = bill.subscription_id and made.billing_reason = 'subscription_threshold' and made.status <> 'deleted'
          and made.made_at >= date_trunc('second', bill.asked_at)
        order by made.made_at, made.invoice_id limit 1) as "madeInvoiceId"
    from early_bills as bill join budget_step_events as event using (budget_step_event_id) join budgets as budget using (budget_id)
    left join lateral (
      select min(item.currency) as currency, max(item.trial_ends_at) as trial_ends_at,
        bool_or(item.collection_pause is not null) as is_paused, min(item.current_period_end) as period_end
      from subscription_items as item
      where item.subscription_id = bill.subscription_id and item.active and ${ownMeter('item')} is not null
      having count(*) > 0) as item on true
    where ${IS_OPEN} and bill.early_bill_id > ${String(after)}::bigint order by 1 limit 1`.execute(database);
  if (rows[0] === undefined) return null;
  const { currency, trialEndsAt, isPaused, periodEnd, ...bill } = rows[0];
  return {
    ...bill,
    subscription:
      currency === null || periodEnd === null ? null : { currency, trialEndsAt, isPaused, periodEnd },
  };
}

/** What becomes of one; what is not given stays. */
interface EarlyBillMove {
  from: readonly EarlyBillState[];
  to: EarlyBillState;
  now: Date;
  reason?: CannotBillReason | EarlyBillEnd;
  /** What Stripe said. */
  problem?: string;
  asks?: { amountGteMinor: bigint; currency: string };
  isSet?: boolean;
  invoiceId?: string;
}

/**
 * Takes one a step on, with an audit row of what people should find.
 * @returns whether it was in one of those states
 */
export async function moveEarlyBill(
  database: LedgerDatabase,
  bill: Pick<EarlyBill, 'earlyBillId' | 'budgetId' | 'customerId' | 'subscriptionId'>,
  { from, to, now, reason, problem, asks, isSet, invoiceId }: EarlyBillMove,
): Promise<boolean> {
  const isDecided = to === 'billed' || to === 'ended' || to === 'cannot';
  return await database.transaction().execute(async (transaction) => {
    const moved = await sql`
      update early_bills set state = ${to}, reason = ${reason ?? null}, problem = ${problem ?? null},
        amount_gte_minor = coalesce(${asks === undefined ? null : String(asks.amountGteMinor)}::bigint, amount_gte_minor),
        currency = coalesce(${asks?.currency ?? null}::text, currency),
        asked_at = case when ${asks !== undefined} then ${now}::timestamptz else asked_at end,
        is_set = coalesce(${isSet ?? null}::boolean, is_set), invoice_id = ${invoiceId ?? null},
        decided_at = case when ${isDecided} then ${now}::timestamptz end
      where early_bill_id = ${String(bill.earlyBillId)}::bigint and state = any(${[...from]}::text[])`.execute(
      transaction,
    );
    if (moved.numAffectedRows !== 1n) return false;
    if (to === 'asked') return true;
    await writeAudit(transaction, {
      actor: JOB,
      action: `early_bills.${to === 'asking' ? 'ask' : to}`,
      target: bill.budgetId,
      details: {
        customer_id: bill.customerId,
        subscription_id: bill.subscriptionId,
        ...(asks === undefined
          ? {}
          : { amount_gte_minor: String(asks.amountGteMinor), currency: asks.currency }),
        ...(invoiceId === undefined ? {} : { invoice_id: invoiceId }),
        ...(reason === undefined ? {} : { reason }),
      },
      now,
    });
    return true;
  });
}

/** The threshold is at Stripe no more. */
export async function forgetThreshold(
  database: LedgerDatabase,
  { earlyBillId }: Pick<EarlyBill, 'earlyBillId'>,
): Promise<void> {
  await sql`update early_bills set is_set = false where early_bill_id = ${String(earlyBillId)}::bigint`.execute(
    database,
  );
}
