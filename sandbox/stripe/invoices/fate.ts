import type { BillingAccount } from '../account.ts';
import { moveBalance } from '../adjustments/balance.ts';
import { reinstateCredits, useCredit } from '../adjustments/credits.ts';
import { checkLocation } from '../adjustments/taxes.ts';
import { sumLines, type UseCredit } from '../adjustments/wire-lines.ts';
import { refuseParameter, StripeRefusal } from '../http/refusal.ts';
import { toSeconds, type WireInvoice, type WireInvoiceLine } from '../http/wire.ts';
import type { Invoice } from '../state.ts';
import { renderSubscription } from '../subscriptions.ts';
import { amountDue, linesOf, renderInvoice } from './invoices.ts';

/** An invoice with lines and sums as they stand at an instant. */
export function renderAt(account: BillingAccount, invoice: Invoice, nowMs: number): WireInvoice {
  return renderInvoice(account.state, invoice.wire, linesAt(account, invoice, nowMs));
}

/** Lines as they stand at an instant: of a draft by the usage until then, or until it was made. */
export function linesAt(
  account: BillingAccount,
  invoice: Invoice,
  nowMs: number,
  useCredit?: UseCredit,
): WireInvoiceLine[] {
  const { state, aggregationDelayMs, draftQuantities } = account;
  const asOfMs = draftQuantities === 'stand_still' ? Math.min(nowMs, invoice.wire.created * 1_000) : nowMs;
  return linesOf(state, invoice, asOfMs - aggregationDelayMs, useCredit);
}

/** Tells the world what an invoice has become. */
export function emitInvoice(account: BillingAccount, type: string, invoice: Invoice, atMs: number): void {
  account.emit(type, renderAt(account, invoice, atMs), atMs);
}

/** @throws StripeRefusal invoice_not_editable */
export function requireDraft(
  invoice: Invoice,
  message = 'Finalized invoices can not be changed in this way.',
) {
  if (invoice.wire.status !== 'draft')
    throw new StripeRefusal(400, { code: 'invoice_not_editable', message });
}

/**
 * Freezes the lines with the usage that has been aggregated, gives the number, uses up billing credits and then the
 * customer's credit balance, and collects.
 * @throws StripeRefusal when it is no draft any more, cannot be taxed where the customer is, or is not to be finalized
 */
export function finalizeInvoice(
  account: BillingAccount,
  invoice: Invoice,
  atMs: number,
  collect: boolean,
): void {
  requireDraft(invoice, `This invoice is already finalized, you can't re-finalize a non-draft invoice.`);
  const { state, aggregationDelayMs } = account;
  const { wire } = invoice;
  const at = toSeconds(atMs);
  const code = state.finalizationRefusals.get(invoice.customerId);
  if (code !== undefined) throw new StripeRefusal(400, { code, message: `Not as things are: ${code}.` });
  if (wire.automatic_tax.enabled) checkLocation(state, invoice.customerId);
  invoice.frozenLines = linesOf(state, invoice, atMs - aggregationDelayMs, (used) =>
    useCredit(state, { ...used, invoiceId: wire.id }, at),
  );
  const { total } = sumLines(invoice.frozenLines);
  const customer = state.customers.get(invoice.customerId);
  if (customer !== undefined) {
    const sequence = customer.next_invoice_sequence ?? 1;
    wire.number = `${customer.invoice_prefix}-${String(sequence).padStart(4, '0')}`;
    customer.next_invoice_sequence = sequence + 1;
    wire.starting_balance = customer.balance;
    moveBalance(state, customer, {
      amount: total - amountDue(wire, total),
      type: 'applied_to_invoice',
      invoiceId: wire.id,
      currency: wire.currency,
      at,
    });
    wire.ending_balance = customer.balance;
  }
  wire.status = 'open';
  wire.last_finalization_error = null;
  wire.auto_advance = collect;
  wire.automatically_finalizes_at = null;
  wire.effective_at = at;
  wire.hosted_invoice_url = `https://invoice.stripe.com/i/acct_sandbox/test_${wire.id}`;
  wire.status_transitions = { ...wire.status_transitions, finalized_at: at };
  emitInvoice(account, 'invoice.finalized', invoice, atMs);
  if (collect) collectPayment(account, invoice, atMs);
}

/** Stripe finalizes by itself; what it cannot finalize stays a draft, and is left to people. @returns whether it is final */
export function finalizeByItself(
  account: BillingAccount,
  invoice: Invoice,
  atMs: number,
  collect = true,
): boolean {
  try {
    finalizeInvoice(account, invoice, atMs, collect);
    return true;
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error;
    const { wire } = invoice;
    const { code = '', message } = error.body.error;
    wire.auto_advance = false;
    wire.automatically_finalizes_at = null;
    wire.last_finalization_error = { code, message, type: 'invalid_request_error' };
    emitInvoice(account, 'invoice.finalization_failed', invoice, atMs);
    return false;
  }
}

/** Takes what is owed from the payment method; without one the invoice stays open and the subscription is past due. */
export function collectPayment(account: BillingAccount, invoice: Invoice, atMs: number): void {
  const { state, emit } = account;
  const { wire } = invoice;
  const { amount_remaining: owed } = renderAt(account, invoice, atMs);
  const subscription = state.subscriptions.get(invoice.subscriptionId);
  wire.attempted = true;
  wire.attempt_count += 1;
  if (owed > 0 && !hasPaymentMethod(account, invoice)) {
    emitInvoice(account, 'invoice.payment_failed', invoice, atMs);
    if (subscription?.wire.status !== 'active') return;
    subscription.wire.status = 'past_due';
    emit('customer.subscription.updated', renderSubscription(subscription), atMs);
    return;
  }
  settle(account, invoice, atMs);
  if (subscription?.wire.status !== 'past_due' || hasOpenInvoice(account, invoice.subscriptionId)) return;
  subscription.wire.status = 'active';
  emit('customer.subscription.updated', renderSubscription(subscription), atMs);
}

/** Nothing is owed any more. */
export function settle(account: BillingAccount, invoice: Invoice, atMs: number): void {
  const { wire } = invoice;
  wire.status = 'paid';
  wire.auto_advance = false;
  wire.status_transitions = { ...wire.status_transitions, paid_at: toSeconds(atMs) };
  emitInvoice(account, 'invoice.paid', invoice, atMs);
}

/** @throws StripeRefusal unless it is open or uncollectible: a draft must be deleted, a paid one credited */
export function voidInvoice(account: BillingAccount, invoice: Invoice, atMs: number): void {
  const { wire } = invoice;
  if (wire.status !== 'open' && wire.status !== 'uncollectible') {
    throw refuseParameter(
      'invoice',
      `You can only void open or uncollectible invoices, this one is ${wire.status}.`,
    );
  }
  const { state } = account;
  reinstateCredits(state, wire.id, toSeconds(atMs));
  const customer = state.customers.get(invoice.customerId);
  if (customer !== undefined) {
    moveBalance(state, customer, {
      amount: wire.starting_balance - (wire.ending_balance ?? wire.starting_balance),
      type: 'unapplied_from_invoice',
      invoiceId: wire.id,
      currency: wire.currency,
      at: toSeconds(atMs),
    });
  }
  wire.status = 'void';
  wire.auto_advance = false;
  wire.status_transitions = { ...wire.status_transitions, voided_at: toSeconds(atMs) };
  emitInvoice(account, 'invoice.voided', invoice, atMs);
}

/** @throws StripeRefusal unless it is open */
export function writeOffInvoice(account: BillingAccount, invoice: Invoice, atMs: number): void {
  const { wire } = invoice;
  if (wire.status !== 'open')
    throw refuseParameter('invoice', 'Only open invoices can be marked uncollectible.');
  wire.status = 'uncollectible';
  wire.auto_advance = false;
  wire.status_transitions = { ...wire.status_transitions, marked_uncollectible_at: toSeconds(atMs) };
  emitInvoice(account, 'invoice.marked_uncollectible', invoice, atMs);
}

/** The subscription's own, or the customer's. */
export function hasPaymentMethod({ state }: BillingAccount, invoice: Invoice): boolean {
  const subscription = state.subscriptions.get(invoice.subscriptionId)?.wire;
  const customer = state.customers.get(invoice.customerId);
  return (
    (subscription?.default_payment_method ?? customer?.invoice_settings.default_payment_method ?? null) !==
    null
  );
}

function hasOpenInvoice({ state }: BillingAccount, subscriptionId: string): boolean {
  return [...state.invoices.values()].some(
    (invoice) => invoice.subscriptionId === subscriptionId && invoice.wire.status === 'open',
  );
}
