import { sql } from 'kysely';
import type { CannotBillReason, EarlyBillEnd, EarlyBillState } from '../../../pricing/budgets/early-bill.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';

/** What came of a step that bills early. */
export interface ToldEarlyBill {
  stepEventId: bigint;
  /** Null: the customer has none. */
  subscriptionId: string | null;
  state: EarlyBillState;
  reason: CannotBillReason | EarlyBillEnd | null;
  problem: string | null;
  askedAt: Date | null;
  invoiceId: string | null;
  invoiceNumber: string | null;
  /** Of the invoice that was made. */
  totalMinor: bigint | null;
  currency: string | null;
}

/** By the step that was reached. */
export async function readEarlyBills(
  database: LedgerDatabase | LedgerTransaction,
  stepEventIds: readonly bigint[],
): Promise<Map<bigint, ToldEarlyBill[]>> {
  if (stepEventIds.length === 0) return new Map();
  const { rows } = await sql<ToldEarlyBill>`
    select bill.budget_step_event_id as "stepEventId", bill.subscription_id as "subscriptionId", bill.state, bill.reason, bill.problem,
      bill.asked_at as "askedAt", bill.invoice_id as "invoiceId", made.number as "invoiceNumber", made.total_minor as "totalMinor",
      made.currency
    from early_bills as bill left join invoices as made using (invoice_id)
    where bill.budget_step_event_id = any(${stepEventIds.map(String)}::bigint[]) order by 1, bill.early_bill_id`.execute(
    database,
  );
  return Map.groupBy(rows, ({ stepEventId }) => stepEventId);
}
