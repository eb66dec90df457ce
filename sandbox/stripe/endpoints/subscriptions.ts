import type Stripe from 'stripe';
import { DAY_MS } from '../../../src/platform/clock.ts';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readBoolean,
  readChange,
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
import { cancelNow, invoicePending } from '../invoices/renewals.ts';
import { newSubscription, newSubscriptionItem } from '../objects.ts';
import { amountsIn } from '../prices.ts';
import type { Subscription } from '../state.ts';
import {
  addItem,
  checkItemCount,
  checkPrice,
  emitSubscription,
  isEnded,
  removeItem,
  renderSubscription,
  replacePrice,
} from '../subscriptions.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';

const PAUSE_BEHAVIORS = ['keep_as_draft', 'mark_uncollectible', 'void'];

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
        items: { price: 'text' },
        billing_cycle_anchor: 'text',
        trial_end: 'text',
        trial_period_days: 'text',
        cancel_at_period_end: 'text',
        default_payment_method: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionCreateParams>,
      mutates: true,
      run: (call) => {
        const subscription = createSubscription(cycle, call);
        account.emit('customer.subscription.created', renderSubscription(subscription), call.nowMs);
        cycle.reconsider();
        return renderSubscription(subscription);
      },
    },
    {
      method: 'POST',
      path: '/v1/subscriptions/:id',
      shape: {
        items: { id: 'text', price: 'text', deleted: 'text' },
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

const PRORATION_BEHAVIORS = ['create_prorations', 'always_invoice', 'none'] as const;

/**
 * What becomes of the usage under a price that goes: it waits for the next invoice, is invoiced at once, or is forgone.
 * @throws StripeRefusal
 */
export function readProration(form: Form): (typeof PRORATION_BEHAVIORS)[number] {
  const asked = readText(form, 'proration_behavior') ?? 'create_prorations';
  const behavior = PRORATION_BEHAVIORS.find((known) => known === asked);
  if (behavior !== undefined) return behavior;
  throw refuseParameter('proration_behavior', `must be one of ${PRORATION_BEHAVIORS.join(', ')}`);
}

function createSubscription(cycle: BillingCycle, { form, nowMs }: Call): Subscription {
  const { account } = cycle;
  const { state } = account;
  const customer = found(state.customers, 'customer', requireText(form, 'customer'));
  const prices = readObjects(form, 'items').map((item) => requireText(item, 'price'));
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
    ...(trialEndMs === undefined ? {} : { trialEndMs }),
    paymentMethodId: readText(form, 'default_payment_method') ?? null,
    metadata: readMap(form, 'metadata'),
  });
  const mode = readText(readNested(form, 'billing_mode'), 'type');
  // Told, and not played: what changes in the period is billed as in the flexible mode.
  if (mode === 'classic') subscription.wire.billing_mode = { flexible: null, type: 'classic' };
  subscription.wire.cancel_at_period_end = readBoolean(form, 'cancel_at_period_end') ?? false;
  customer.currency = currency;
  subscription.wire.test_clock = customer.test_clock ?? null;
  for (const price of prices) newSubscriptionItem(state, subscription, price);
  return subscription;
}

function readTrialEnd(form: Form, startMs: number): number | undefined {
  const end = readInteger(form, 'trial_end');
  const days = readInteger(form, 'trial_period_days');
  if (end === undefined) return days === undefined ? undefined : startMs + days * DAY_MS;
  if (end * 1_000 <= startMs) throw refuseParameter('trial_end', 'must be in the future');
  return end * 1_000;
}

function updateSubscription(cycle: BillingCycle, subscription: Subscription, { form, nowMs }: Call): void {
  const { account } = cycle;
  const { wire } = subscription;
  const pause = readPause(form);
  const cancelAtPeriodEnd = readBoolean(form, 'cancel_at_period_end');
  const paymentMethod = readChange(form, 'default_payment_method');
  const proration = readProration(form);
  const billsUsage = proration !== 'none';
  // All of them are checked before the first is made: a refused call must leave nothing behind.
  const changes = readObjects(form, 'items').map((change) => {
    const id = readText(change, 'id');
    const item = subscription.items.find((candidate) => candidate.id === id);
    if (id !== undefined && item === undefined) {
      throw refuseParameter('items', `No such subscription item: '${id}'`, 'resource_missing');
    }
    if (item !== undefined && readBoolean(change, 'deleted') === true) return { item, priceId: null };
    const priceId = requireText(change, 'price');
    checkPrice(account, subscription, priceId, item);
    return { item, priceId };
  });
  checkItemCount(
    subscription.items.length +
      changes.filter(({ item }) => item === undefined).length -
      changes.filter(({ priceId }) => priceId === null).length,
  );
  for (const { item, priceId } of changes) {
    if (item !== undefined && priceId === null) removeItem(account, subscription, item, nowMs, billsUsage);
  }
  for (const { item, priceId } of changes) {
    if (priceId === null) continue;
    if (item === undefined) addItem(account, subscription, priceId, nowMs);
    else replacePrice(account, subscription, item, priceId, nowMs, billsUsage);
  }
  if (proration === 'always_invoice') invoicePending(account, subscription, nowMs);
  if (cancelAtPeriodEnd !== undefined) {
    wire.cancel_at_period_end = cancelAtPeriodEnd;
    wire.cancel_at = cancelAtPeriodEnd ? toSeconds(subscription.periodEndMs) : null;
    wire.canceled_at = cancelAtPeriodEnd ? toSeconds(nowMs) : null;
  }
  if (pause !== undefined) wire.pause_collection = pause;
  if (paymentMethod !== undefined) wire.default_payment_method = paymentMethod;
  wire.metadata = mergeMetadata(wire.metadata, form);
}

function readPause(form: Form): Subscription['wire']['pause_collection'] | undefined {
  if (form.pause_collection === undefined) return undefined;
  if (form.pause_collection === '') return null;
  const pause = readNested(form, 'pause_collection');
  const behavior = requireText(pause, 'behavior');
  if (!PAUSE_BEHAVIORS.includes(behavior)) {
    throw refuseParameter('pause_collection[behavior]', `must be one of ${PAUSE_BEHAVIORS.join(', ')}`);
  }
  return { behavior, resumes_at: readInteger(pause, 'resumes_at') ?? null };
}
