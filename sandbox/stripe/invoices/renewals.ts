import { HOUR_MS } from '../../../src/platform/clock.ts';
import type { BillingAccount } from '../account.ts';
import { idsOf, useUpOnce } from '../adjustments/discounts.ts';
import { toSeconds, type WireSubscriptionItem } from '../http/wire.ts';
import { beginPeriods, endsAt, nextEndMs, periodOf } from '../periods.ts';
import { advanceLines, fixedLine } from '../prorations.ts';
import type { Invoice, StripeState, Subscription } from '../state.ts';
import { emitSubscription, meteredNow, renderSubscription } from '../subscriptions.ts';
import { emitInvoice, finalizeByItself, voidInvoice, writeOffInvoice } from './fate.ts';
import { newInvoiceWire, type SubscriptionReason } from './invoices.ts';
import { joinPendingItems } from './items.ts';

/** The period is over: its invoice is drafted, and the next one begins, or the subscription ends with it. */
export function endPeriod(account: BillingAccount, subscription: Subscription): void {
  const { state } = account;
  const { wire } = subscription;
  const atMs = nextEndMs(subscription);
  const inTrial = wire.status === 'trialing';
  const pauses = inTrial && pausesWithoutPayment(account, subscription);
  const ends = wire.cancel_at_period_end === true;
  const invoice =
    inTrial && !state.showsTrials && !hasLicensed(subscription)
      ? null
      : draftInvoice(account, subscription, 'subscription_cycle', atMs);
  if (inTrial && !ends) wire.status = pauses ? 'paused' : 'active';
  const due = subscription.items.filter((item) => endsAt(subscription, item, atMs));
  if (ends) markEnded(subscription, atMs);
  else {
    beginPeriods(subscription, atMs);
    for (const item of due) subscription.billedEarlier.delete(item.id);
  }
  if (invoice !== null && !ends && !pauses) addAdvanceLines(state, subscription, invoice, due);
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
  const endMs = toSeconds(atMs) * 1_000;
  for (const period of [subscription, ...subscription.otherPeriods.values()]) period.periodEndMs = endMs;
  for (const item of subscription.items) item.current_period_end = toSeconds(atMs);
  const invoice =
    invoiceNow && !inTrial ? draftInvoice(account, subscription, 'subscription_update', endMs) : null;
  wire.canceled_at ??= toSeconds(atMs);
  markEnded(subscription, atMs);
  if (invoice !== null) announce(account, subscription, invoice, atMs);
  account.emit('customer.subscription.deleted', renderSubscription(subscription), atMs);
}

/**
 * A new period begins now, and the one that ran is invoiced as far as it went
 * (docs.stripe.com/billing/subscriptions/billing-cycle).
 */
export function resetAnchor(account: BillingAccount, subscription: Subscription, atMs: number): void {
  const endMs = toSeconds(atMs) * 1_000;
  for (const period of [subscription, ...subscription.otherPeriods.values()]) period.periodEndMs = endMs;
  const invoice = draftInvoice(account, subscription, 'subscription_update', endMs);
  subscription.anchorMs = endMs;
  subscription.wire.billing_cycle_anchor = toSeconds(endMs);
  subscription.billedEarlier.clear();
  beginPeriods(subscription, endMs, true);
  addAdvanceLines(account.state, subscription, invoice, subscription.items);
  announce(account, subscription, invoice, endMs);
}

/** What waits for the next invoice, on one of its own that is final at once; none where nothing waits. */
export function invoicePending(
  account: BillingAccount,
  subscription: Subscription,
  atMs: number,
  added: readonly WireSubscriptionItem[] = [],
): void {
  const { state } = account;
  const invoice = newDraft(account, subscription, {
    billingReason: 'subscription_update',
    periodEndMs: toSeconds(atMs) * 1_000,
    metered: [],
  });
  addZeroLines(state, subscription, invoice, added);
  joinPendingItems(state, invoice);
  if (invoice.itemIds.length === 0 && invoice.fixedLines.length === 0) return;
  issueAtOnce(account, subscription, invoice, atMs);
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

/**
 * The invoice of a subscription's start: what is billed ahead, and in the classic mode a zero line for each metered item.
 * Without any of these there is none. Final at once.
 */
export function invoiceStart(account: BillingAccount, subscription: Subscription, atMs: number): void {
  const { state } = account;
  const invoice = newDraft(account, subscription, {
    billingReason: 'subscription_create',
    periodEndMs: subscription.periodStartMs,
    metered: [],
  });
  addAdvanceLines(state, subscription, invoice, subscription.items);
  addZeroLines(state, subscription, invoice, subscription.items);
  if (invoice.fixedLines.length === 0) return;
  issueAtOnce(account, subscription, invoice, atMs);
}

function issueAtOnce(account: BillingAccount, subscription: Subscription, invoice: Invoice, atMs: number) {
  account.state.invoices.set(invoice.wire.id, invoice);
  subscription.wire.latest_invoice = invoice.wire.id;
  emitInvoice(account, 'invoice.created', invoice, atMs);
  finalizeByItself(account, invoice, atMs);
  // "No longer applying to zero-cost invoices": docs.stripe.com/changelog/2013-10-29.
  const taken = invoice.frozenLines?.flatMap((line) => line.discount_amounts ?? []) ?? [];
  const usedIds = taken.flatMap(({ amount, discount }) => (amount === 0 ? [] : String(discount)));
  useUpOnce(account.state, subscription, usedIds);
}

function hasLicensed({ items }: Subscription): boolean {
  return items.some(({ price }) => price.recurring?.usage_type === 'licensed');
}

/** `trial_settings.end_behavior.missing_payment_method`. */
function pausesWithoutPayment({ state }: BillingAccount, { wire, customerId }: Subscription): boolean {
  if (wire.trial_settings?.end_behavior.missing_payment_method !== 'pause') return false;
  const customer = state.customers.get(customerId);
  return wire.default_payment_method === null && customer?.invoice_settings.default_payment_method === null;
}

function addAdvanceLines(
  state: StripeState,
  subscription: Subscription,
  invoice: Invoice,
  items: readonly WireSubscriptionItem[],
): void {
  invoice.fixedLines.push(...advanceLines(state, subscription, items, placeOf(subscription, invoice)));
}

function addZeroLines(
  state: StripeState,
  subscription: Subscription,
  invoice: Invoice,
  items: readonly WireSubscriptionItem[],
): void {
  if (subscription.wire.billing_mode.type !== 'classic') return;
  for (const item of items) {
    if (item.price.recurring?.usage_type === 'licensed') continue;
    const name = state.products.get(String(item.price.product))?.name ?? '';
    const zero = { quantity: 0, amount: 0n, description: `0 × ${name}` };
    invoice.fixedLines.push(fixedLine(subscription, item, { ...placeOf(subscription, invoice), ...zero }));
  }
}

function placeOf(subscription: Subscription, { wire: { id } }: Invoice) {
  const period = (item: WireSubscriptionItem) => {
    const own = periodOf(subscription, item);
    const sinceMs = subscription.itemSinceMs.get(item.id) ?? own.periodStartMs;
    return { ...own, periodStartMs: Math.max(own.periodStartMs, sinceMs) };
  };
  return { id, linePrefix: `il_${id.slice('in_'.length)}`, periodOf: period };
}

function draftInvoice(
  account: BillingAccount,
  subscription: Subscription,
  billingReason: 'subscription_cycle' | 'subscription_update',
  periodEndMs: number,
): Invoice {
  const { state } = account;
  const { wire } = subscription;
  const metered = meteredNow(state, subscription).filter(({ item }) =>
    endsAt(subscription, item, periodEndMs),
  );
  const invoice = newDraft(account, subscription, { billingReason, periodEndMs, metered });
  joinPendingItems(state, invoice);
  state.invoices.set(invoice.wire.id, invoice);
  useUpOnce(state, subscription, [
    ...idsOf(invoice.wire.discounts),
    ...metered.flatMap(({ item }) => idsOf(item.discounts)),
  ]);
  wire.latest_invoice = invoice.wire.id;
  return invoice;
}

export function newDraft(
  { state, gracePeriodHours }: BillingAccount,
  subscription: Subscription,
  given: Pick<Invoice, 'metered' | 'periodEndMs'> & { billingReason: SubscriptionReason },
): Invoice {
  const { customerId, wire } = subscription;
  const starts = given.metered.map(({ item }) => periodOf(subscription, item).periodStartMs);
  const periodStartMs = starts.length === 0 ? subscription.periodStartMs : Math.min(...starts);
  const { billingReason, periodEndMs, metered } = given;
  const id = state.nextId('in');
  const paused = isPaused(subscription, periodEndMs);
  return {
    subscriptionId: wire.id,
    customerId,
    periodStartMs,
    periodEndMs,
    metered,
    fixedLines: [],
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
  if (!finalizeByItself(account, invoice, atMs, false)) return;
  if (behavior === 'void') voidInvoice(account, invoice, atMs);
  else writeOffInvoice(account, invoice, atMs);
}
