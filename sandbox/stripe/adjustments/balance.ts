import type { WireBalanceTransaction, WireCustomer } from '../http/wire.ts';
import type { StripeState } from '../state.ts';

export interface BalanceMove {
  /** Minor units: below 0 is a credit, above 0 is owed with the next invoice. */
  amount: number;
  type: 'adjustment' | 'applied_to_invoice' | 'credit_note' | 'unapplied_from_invoice';
  currency: string;
  invoiceId?: string;
  creditNoteId?: string;
  description?: string | null;
  metadata?: Record<string, string>;
  /** Seconds. */
  at: number;
}

/** Moves a customer's balance, with a transaction that says why; nothing where nothing moves. */
export function moveBalance(
  state: StripeState,
  customer: WireCustomer,
  move: BalanceMove,
): WireBalanceTransaction | null {
  if (move.amount === 0) return null;
  customer.balance += move.amount;
  customer.currency ??= move.currency;
  const transaction: WireBalanceTransaction = {
    id: state.nextId('cbtxn_cus'),
    object: 'customer_balance_transaction',
    amount: move.amount,
    checkout_session: null,
    created: move.at,
    credit_note: move.creditNoteId ?? null,
    currency: move.currency,
    customer: customer.id,
    customer_account: null,
    description: move.description ?? null,
    ending_balance: customer.balance,
    invoice: move.invoiceId ?? null,
    livemode: false,
    metadata: move.metadata ?? {},
    type: move.type,
  };
  state.balanceTransactions.set(transaction.id, transaction);
  return transaction;
}
