import { HOUR_MS } from '../../../src/platform/clock.ts';
import type { BillingAccount } from '../account.ts';
import { toSeconds } from '../http/wire.ts';
import type { Invoice, Subscription } from '../state.ts';
import { emitSubscription, meteredNow, renderSubscription } from '../subscriptions.ts';
import { emitInvoice, finalizeInvoice, voidInvoice, writeOffInvoice } from './fate.ts';
import { newInvoiceWire } from './invoices.ts';
import { joinPendingItems } from './items.ts';
import { nextBoundary } from './months.ts';

/** The period is over: its invoice is drafted, and the next one begins, or the subscription ends with it. */
export function endPeriod(account: BillingAccount, subscription: Subscription): void {
  const { wire, periodEndMs: atMs } = subscription;
  const inTrial = wire.status === 'trialing';
  const invoice = inTrial ? null : draftInvoice(account, subscription, 'subscription_cycle');
  if (inTrial && wire.cancel_at_period_end !== true) wire.status = 'active';
  const ends = wire.cancel_at_period_end === true;
  if (ends) markEnded(subscription, atMs);
  else beginPeriod(subscription, atMs);
  if (invoice !== null) announce(account, subscription, invoice, atMs);
  if (ends) account.emit('customer.subscription.deleted', renderSubscription(subscription), atMs);
  else emitSubscription(account, subscription, atMs);
}

/**
 * Ends a subscription now, its period cut. With `invoiceNow` what was used until now is billed; else it is lost, as
 * Stripe's default has it.
 */
export function cancelNow(
  account: BillingAccount,
  subscription: Subscription,
  atMs: number,
  invoiceNow: boolean,
): void {
  const { wire } = subscription;
  const inTrial = wire.status === 'trialing';
  subscription.periodEndMs = toSeconds(atMs) * 1_000;
  for (const item of subscription.items) item.current_period_end = toSeconds(atMs);
  const invoice = invoiceNow && !inTrial ? draftInvoice(account, subscription, 'subscription_update') : null;
  wire.canceled_at ??= toSeconds(atMs);
  markEnded(subscription, atMs);
  if (invoice !== null) announce(account, subscription, invoice, atMs);
  account.emit('customer.subscription.deleted', renderSubscription(subscription), atMs);
}

/** What waits for the next invoice, on one of its own that is final at once; none where nothing waits. */
export function invoicePending(account: BillingAccount, subscription: Subscription, atMs: number): void {
  const { state } = account;
  const invoice = newDraft(account, subscription, {
    billingReason: 'subscription_update',
    periodEndMs: toSeconds(atMs) * 1_000,
    metered: [],
  });
  joinPendingItems(state, invoice);
  if (invoice.itemIds.length === 0) return;
  state.invoices.set(invoice.wire.id, invoice);
  subscription.wire.latest_invoice = invoice.wire.id;
  emitInvoice(account, 'invoice.created', invoice, atMs);
  finalizeInvoice(account, invoice, atMs, true);
}

/** `pause_collection` may say until when. */
function isPaused({ wire }: Subscription, atMs: number): boolean {
  const pause = wire.pause_collection;
  return pause !== null && (pause.resumes_at === null || pause.resumes_at * 1_000 > atMs);
}

function markEnded({ wire }: Subscription, atMs: number): void {
  wire.status = 'canceled';
  wire.ended_at = toSeconds(atMs);
}

function beginPeriod(subscription: Subscription, atMs: number): void {
  subscription.periodStartMs = atMs;
  subscription.periodEndMs = nextBoundary(subscription.anchorMs, atMs);
  for (const item of subscription.items) {
    item.current_period_start = toSeconds(subscription.periodStartMs);
    item.current_period_end = toSeconds(subscription.periodEndMs);
  }
}

function draftInvoice(
  account: BillingAccount,
  subscription: Subscription,
  billingReason: 'subscription_cycle' | 'subscription_update',
): Invoice {
  const { state } = account;
  const { periodEndMs, wire } = subscription;
  const metered = meteredNow(subscription);
  const invoice = newDraft(account, subscription, { billingReason, periodEndMs, metered });
  joinPendingItems(state, invoice);
  state.invoices.set(invoice.wire.id, invoice);
  wire.latest_invoice = invoice.wire.id;
  return invoice;
}

function newDraft(
  { state, gracePeriodHours }: BillingAccount,
  subscription: Subscription,
  given: Pick<Invoice, 'metered' | 'periodEndMs'> & {
    billingReason: 'subscription_cycle' | 'subscription_update';
  },
): Invoice {
  const { customerId, periodStartMs, wire } = subscription;
  const { billingReason, periodEndMs, metered } = given;
  const id = state.nextId('in');
  const paused = isPaused(subscription, periodEndMs);
  return {
    subscriptionId: wire.id,
    customerId,
    periodStartMs,
    periodEndMs,
    metered,
    itemIds: [],
    lineEdits: new Map(),
    frozenLines: null,
    wire: newInvoiceWire(state, {
      id,
      customerId,
      subscription,
      billingReason,
      createdMs: periodEndMs,
      periodStartMs,
      periodEndMs,
      finalizesAtMs: paused ? null : periodEndMs + gracePeriodHours * HOUR_MS,
    }),
  };
}

/** What comes while collection is paused is void or written off at once, or stays a draft. */
function announce(account: BillingAccount, subscription: Subscription, invoice: Invoice, atMs: number): void {
  emitInvoice(account, 'invoice.created', invoice, atMs);
  if (!isPaused(subscription, atMs)) return;
  const behavior = subscription.wire.pause_collection?.behavior;
  if (behavior === 'keep_as_draft') return;
  finalizeInvoice(account, invoice, atMs, false);
  if (behavior === 'void') voidInvoice(account, invoice, atMs);
  else writeOffInvoice(account, invoice, atMs);
}
