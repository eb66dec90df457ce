import type Stripe from 'stripe';
import { type FormShape, readNested, readText } from '../http/form.ts';
import { refuseParameter } from '../http/refusal.ts';
import { toSeconds } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { lastBoundary, nextBoundary } from '../invoices/months.ts';
import { invoicePending } from '../invoices/renewals.ts';
import { beginPeriods, writePeriods } from '../periods.ts';
import type { Subscription } from '../state.ts';
import { billUsedSoFar, emitSubscription, renderSubscription } from '../subscriptions.ts';
import { type Endpoint, found, idOf } from './endpoint.ts';
import { living } from './subscriptions.ts';

/**
 * Subscriptions that pause and are resumed. A pause takes effect at once: what was used until then is billed by items, and
 * nothing is invoiced until the subscription is resumed, in a new period or in the one that then runs
 * (docs.stripe.com/billing/subscriptions/pause, docs.stripe.com/api/subscriptions/resume). Whether usage during the pause
 * is billed later is not said; here it is not.
 */
export function subscriptionPauseEndpoints(cycle: BillingCycle): Endpoint[] {
  const { account } = cycle;
  const { state, emit } = account;
  return [
    {
      method: 'POST',
      path: '/v1/subscriptions/:id/pause',
      shape: {
        bill_for: { outstanding_usage_through: { type: 'text' }, unused_time_from: { type: 'text' } },
        invoicing_behavior: 'text',
        type: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionPauseParams>,
      mutates: true,
      run: (call) => {
        const { form, nowMs } = call;
        const subscription = living(found(state.subscriptions, 'subscription', idOf(call)));
        if (subscription.wire.billing_mode.type !== 'flexible' || subscription.wire.status !== 'active')
          throw refuseParameter('id', 'Only an active subscription of the flexible billing mode can pause.');
        const through = readNested(readNested(form, 'bill_for'), 'outstanding_usage_through');
        if ((readText(through, 'type') ?? 'now') === 'now')
          for (const item of subscription.items) billUsedSoFar(account, subscription, item, nowMs);
        if (readText(form, 'invoicing_behavior') === 'invoice') invoicePending(account, subscription, nowMs);
        subscription.wire.status = 'paused';
        emit('customer.subscription.paused', renderSubscription(subscription), nowMs);
        emitSubscription(account, subscription, nowMs);
        cycle.reconsider();
        return renderSubscription(subscription);
      },
    },
    {
      method: 'POST',
      path: '/v1/subscriptions/:id/resume',
      shape: {
        billing_cycle_anchor: { type: 'text' },
        proration_behavior: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionResumeParams>,
      mutates: true,
      run: (call) => {
        const { form, nowMs } = call;
        const subscription = living(found(state.subscriptions, 'subscription', idOf(call)));
        if (subscription.wire.status !== 'paused')
          throw refuseParameter('id', 'Only a paused subscription can be resumed.');
        const anchor = readText(readNested(form, 'billing_cycle_anchor'), 'type') ?? 'now';
        resume(subscription, toSeconds(nowMs) * 1_000, anchor);
        emit('customer.subscription.resumed', renderSubscription(subscription), nowMs);
        emitSubscription(account, subscription, nowMs);
        cycle.reconsider();
        return renderSubscription(subscription);
      },
    },
  ];
}

function resume(subscription: Subscription, atMs: number, anchor: string): void {
  subscription.wire.status = 'active';
  subscription.billedEarlier.clear();
  if (anchor === 'now') {
    subscription.anchorMs = atMs;
    subscription.wire.billing_cycle_anchor = toSeconds(atMs);
    beginPeriods(subscription, atMs, true);
    return;
  }
  for (const period of [subscription, ...subscription.otherPeriods.values()]) {
    if (period.periodEndMs <= atMs) {
      period.periodStartMs = lastBoundary(subscription.anchorMs, atMs, period.interval);
      period.periodEndMs = nextBoundary(subscription.anchorMs, atMs, period.interval);
    }
  }
  for (const item of subscription.items) subscription.itemSinceMs.set(item.id, atMs);
  writePeriods(subscription);
}
