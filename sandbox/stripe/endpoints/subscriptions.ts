import type Stripe from 'stripe';
import { DAY_MS } from '../../../src/platform/clock.ts';
import { ITEM_TERMS_SHAPE, readItemTerms, readTerms, TERMS_SHAPE } from '../adjustments/terms.ts';
import {
  type Form,
  type FormShape,
  readBoolean,
  readInteger,
  readMap,
  readNested,
  readObjects,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { cancelNow, invoiceStart } from '../invoices/renewals.ts';
import { newSubscription, newSubscriptionItem } from '../objects.ts';
import { intervalOf } from '../periods.ts';
import { amountsIn } from '../prices.ts';
import type { Subscription } from '../state.ts';
import { checkPrice, emitSubscription, isEnded, renderSubscription } from '../subscriptions.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';
import { readThresholds, updateSubscription } from './subscription-changes.ts';

/** Subscriptions: what a customer is billed by, from its start to its end. */
export function subscriptionEndpoints(cycle: BillingCycle): Endpoint[] {
  const { account } = cycle;
  const { state } = account;
  return [
    {
      method: 'GET',
      path: '/v1/subscriptions',
      shape: {
        ...PAGING_SHAPE,
        customer: 'text',
        price: 'text',
        status: 'text',
        test_clock: 'text',
      } satisfies FormShape<Stripe.SubscriptionListParams>,
      mutates: false,
      run: ({ form }) => {
        const { customer, price, status = '' } = form;
        const subscriptions = [...state.subscriptions.values()].filter(
          (subscription) =>
            (customer === undefined
              ? (subscription.wire.test_clock ?? undefined) === form.test_clock
              : subscription.customerId === customer) &&
            (price === undefined || subscription.items.some((item) => item.price.id === price)) &&
            // Without a status: all that are not cancelled.
            (status === 'all' ||
              (status === ''
                ? subscription.wire.status !== 'canceled'
                : subscription.wire.status === status)),
        );
        return toPage(subscriptions.map(renderSubscription), form, '/v1/subscriptions');
      },
    },
    retrieve('/v1/subscriptions/:id', (id) =>
      renderSubscription(found(state.subscriptions, 'subscription', id)),
    ),
    {
      method: 'POST',
      path: '/v1/subscriptions',
      shape: {
        customer: 'text',
        currency: 'text',
        billing_mode: { type: 'text' },
        items: {
          price: 'text',
          quantity: 'text',
          billing_thresholds: { usage_gte: 'text' },
          ...ITEM_TERMS_SHAPE,
        },
        billing_thresholds: { amount_gte: 'text', reset_billing_cycle_anchor: 'text' },
        ...TERMS_SHAPE,
        billing_cycle_anchor: 'text',
        trial_end: 'text',
        trial_period_days: 'text',
        trial_settings: { end_behavior: { missing_payment_method: 'text' } },
        cancel_at_period_end: 'text',
        default_payment_method: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionCreateParams>,
      mutates: true,
      run: (call) => {
        const subscription = createSubscription(cycle, call);
        account.emit('customer.subscription.created', renderSubscription(subscription), call.nowMs);
        invoiceStart(account, subscription, call.nowMs);
        cycle.reconsider();
        return renderSubscription(subscription);
      },
    },
    {
      method: 'POST',
      path: '/v1/subscriptions/:id',
      shape: {
        items: { id: 'text', price: 'text', quantity: 'text', deleted: 'text', ...ITEM_TERMS_SHAPE },
        billing_thresholds: { amount_gte: 'text', reset_billing_cycle_anchor: 'text' },
        trial_end: 'text',
        billing_cycle_anchor: { type: 'text' },
        ...TERMS_SHAPE,
        proration_behavior: 'text',
        cancel_at_period_end: 'text',
        pause_collection: { behavior: 'text', resumes_at: 'text' },
        default_payment_method: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionUpdateParams>,
      mutates: true,
      run: (call) => {
        const subscription = living(found(state.subscriptions, 'subscription', idOf(call)));
        updateSubscription(cycle, subscription, call);
        emitSubscription(account, subscription, call.nowMs);
        cycle.reconsider();
        return renderSubscription(subscription);
      },
    },
    {
      method: 'DELETE',
      path: '/v1/subscriptions/:id',
      shape: { invoice_now: 'text', expand: 'any' } satisfies FormShape<Stripe.SubscriptionCancelParams>,
      mutates: true,
      run: (call) => {
        const subscription = living(found(state.subscriptions, 'subscription', idOf(call)));
        cancelNow(account, subscription, call.nowMs, readBoolean(call.form, 'invoice_now') ?? false);
        cycle.reconsider();
        return renderSubscription(subscription);
      },
    },
  ];
}

/** @throws StripeRefusal when it has ended */
export function living(subscription: Subscription): Subscription {
  if (!isEnded(subscription)) return subscription;
  throw refuseParameter('subscription', 'A canceled subscription can only update its cancellation_details.');
}

function createSubscription(cycle: BillingCycle, { form, nowMs }: Call): Subscription {
  const { account } = cycle;
  const { state } = account;
  const customer = found(state.customers, 'customer', requireText(form, 'customer'));
  const asked = readObjects(form, 'items');
  const prices = asked.map((item) => requireText(item, 'price'));
  const setTerms = readTerms(state, form, null, nowMs);
  const setItemTerms = asked.map((item) => readItemTerms(state, item, null, nowMs));
  const [first] = prices;
  if (first === undefined) throw refuseMissing('items');
  const own = found(state.prices, 'price', first);
  // Asked for, else the customer's where the price has it, else the price's own.
  const theirs = customer.currency ?? null;
  const implied = theirs !== null && amountsIn(state, own, theirs) !== undefined ? theirs : own.currency;
  const currency = readText(form, 'currency')?.toLowerCase() ?? implied;
  if (customer.currency !== null && customer.currency !== undefined && customer.currency !== currency) {
    throw refuseParameter(
      'currency',
      `You cannot combine currencies on a single customer: ${customer.currency}.`,
    );
  }
  const startMs = toSeconds(state.timeOf(customer.id, nowMs)) * 1_000;
  const trialEndMs = readTrialEnd(form, startMs);
  const anchor = readInteger(form, 'billing_cycle_anchor');
  if (anchor !== undefined && anchor * 1_000 <= startMs) {
    throw refuseParameter('billing_cycle_anchor', 'must be in the future');
  }
  for (const price of prices) {
    checkPrice(account, { items: [], wire: { currency } as Subscription['wire'] }, price);
  }
  if (new Set(prices).size < prices.length) {
    throw refuseParameter('items', 'A subscription item with this price exists already.');
  }
  const subscription = newSubscription(state, {
    customerId: customer.id,
    currency,
    startMs,
    anchorMs: anchor === undefined ? (trialEndMs ?? startMs) : anchor * 1_000,
    interval: intervalOf(own),
    ...(trialEndMs === undefined ? {} : { trialEndMs }),
    paymentMethodId: readText(form, 'default_payment_method') ?? null,
    metadata: readMap(form, 'metadata'),
  });
  const mode = readText(readNested(form, 'billing_mode'), 'type');
  if (mode === 'classic') subscription.wire.billing_mode = { flexible: null, type: 'classic' };
  subscription.wire.cancel_at_period_end = readBoolean(form, 'cancel_at_period_end') ?? false;
  customer.currency = currency;
  subscription.wire.test_clock = customer.test_clock ?? null;
  const target = { customer: customer.id, subscription: subscription.wire.id };
  setTerms(subscription.wire, target, startMs);
  subscription.wire.billing_thresholds = readThresholds(form) ?? null;
  const missing = readNested(readNested(form, 'trial_settings'), 'end_behavior');
  if (readText(missing, 'missing_payment_method') === 'pause')
    subscription.wire.trial_settings = {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: 'pause' },
    };
  for (const [index, item] of asked.entries()) {
    const priceId = requireText(item, 'price');
    checkPrice(account, subscription, priceId);
    const made = newSubscriptionItem(state, subscription, priceId, undefined, readInteger(item, 'quantity'));
    const usageGte = readInteger(readNested(item, 'billing_thresholds'), 'usage_gte');
    if (usageGte !== undefined) made.billing_thresholds = { usage_gte: usageGte };
    setItemTerms[index]?.(made, { ...target, subscription_item: made.id }, startMs);
  }
  return subscription;
}

function readTrialEnd(form: Form, startMs: number): number | undefined {
  const end = readInteger(form, 'trial_end');
  const days = readInteger(form, 'trial_period_days');
  if (end === undefined) return days === undefined ? undefined : startMs + days * DAY_MS;
  if (end * 1_000 <= startMs) throw refuseParameter('trial_end', 'must be in the future');
  return end * 1_000;
}
