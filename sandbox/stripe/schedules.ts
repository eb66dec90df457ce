import type { BillingAccount } from './account.ts';
import { toSeconds, type WireSubscriptionItem } from './http/wire.ts';
import { emitInvoice } from './invoices/fate.ts';
import { invoicePending, newDraft } from './invoices/renewals.ts';
import type { Schedule, SchedulePhase, StripeState, Subscription } from './state.ts';
import { addItem, emitSubscription, isEnded, meteredNow, removeItem } from './subscriptions.ts';

/** The phase of a subscription's schedule that begins next; null: none does. */
export function nextPhase(state: StripeState, subscription: Subscription): SchedulePhase | null {
  const schedule = state.schedules.get(String(subscription.wire.schedule ?? ''));
  return schedule?.phases.find((phase) => !phase.isBegun) ?? null;
}

/**
 * A phase begins: items whose price it has not leave, others join. What was used of those that leave is billed as the phase's
 * `proration_behavior` says; in the classic mode by an invoice, and no item. Where a period ends with the phase before, that
 * is on its invoice, and nothing is left to bill (docs.stripe.com/billing/subscriptions/billing-mode/compare).
 */
export function beginPhase(account: BillingAccount, subscription: Subscription, phase: SchedulePhase): void {
  const { startMs: atMs, prorationBehavior: proration } = phase;
  phase.isBegun = true;
  if (isEnded(subscription)) return;
  const isClassic = subscription.wire.billing_mode.type === 'classic';
  const leaving = subscription.items.filter(
    ({ price }) => !phase.items.some(({ priceId }) => priceId === price.id),
  );
  if (isClassic) invoiceLeaving(account, subscription, leaving, atMs);
  for (const item of leaving) removeItem(account, subscription, item, atMs, proration !== 'none');
  for (const { priceId, quantity } of phase.items) {
    if (subscription.items.some(({ price }) => price.id === priceId)) continue;
    addItem(account, subscription, priceId, atMs, { quantity: quantity ?? 1, proration });
  }
  if (proration === 'always_invoice') invoicePending(account, subscription, atMs);
  const schedule = account.state.schedules.get(String(subscription.wire.schedule ?? ''));
  if (schedule !== undefined) writeSchedule(schedule);
  emitSubscription(account, subscription, atMs);
}

function invoiceLeaving(
  account: BillingAccount,
  subscription: Subscription,
  leaving: readonly WireSubscriptionItem[],
  atMs: number,
): void {
  const { state } = account;
  const ids = new Set(leaving.map(({ id }) => id));
  const metered = meteredNow(state, subscription).filter(
    ({ item, fromMs }) => ids.has(item.id) && fromMs < atMs,
  );
  if (metered.length === 0) return;
  const invoice = newDraft(account, subscription, {
    billingReason: 'subscription_update',
    periodEndMs: atMs,
    metered,
  });
  state.invoices.set(invoice.wire.id, invoice);
  emitInvoice(account, 'invoice.created', invoice, atMs);
}

/** What the schedule says of itself once its phases have changed, or the next one has begun. */
export function writeSchedule(schedule: Schedule): void {
  const current = schedule.phases.findLast((phase) => phase.isBegun);
  schedule.wire.status = current === undefined ? 'not_started' : 'active';
  schedule.wire.current_phase =
    current === undefined
      ? null
      : { start_date: toSeconds(current.startMs), end_date: toSeconds(current.endMs ?? current.startMs) };
}
