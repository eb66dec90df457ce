import type Stripe from 'stripe';
import type { DiscountTarget } from '../adjustments/discounts.ts';
import { ITEM_TERMS_SHAPE, readItemTerms } from '../adjustments/terms.ts';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readInteger,
  readMap,
  readNested,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import type { WireSubscriptionItem } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { invoicePending } from '../invoices/renewals.ts';
import type { Subscription } from '../state.ts';
import { addItem, changeQuantity, emitSubscription, removeItem, replacePrice } from '../subscriptions.ts';
import { type Endpoint, found, idOf, retrieve } from './endpoint.ts';
import { readProration } from './subscription-changes.ts';
import { living } from './subscriptions.ts';

/** Items of subscriptions, each one price. */
export function subscriptionItemEndpoints({ account }: BillingCycle): Endpoint[] {
  const { state } = account;
  return [
    {
      method: 'GET',
      path: '/v1/subscription_items',
      shape: { ...PAGING_SHAPE, subscription: 'text' } satisfies FormShape<Stripe.SubscriptionItemListParams>,
      mutates: false,
      run: ({ form }) => {
        const id = requireText(form, 'subscription');
        const { items } = found(state.subscriptions, 'subscription', id);
        return toPage(items, form, '/v1/subscription_items', 'as_given');
      },
    },
    retrieve('/v1/subscription_items/:id', (id) => found(state.items, 'subscription_item', id)),
    {
      method: 'POST',
      path: '/v1/subscription_items',
      shape: {
        subscription: 'text',
        price: 'text',
        quantity: 'text',
        proration_behavior: 'text',
        billing_thresholds: { usage_gte: 'text' },
        ...ITEM_TERMS_SHAPE,
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionItemCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const id = requireText(form, 'subscription');
        const subscription = living(found(state.subscriptions, 'subscription', id));
        const setTerms = readItemTerms(state, form, null, nowMs);
        const proration = readProration(form);
        const quantity = readInteger(form, 'quantity') ?? 1;
        const item = addItem(account, subscription, requireText(form, 'price'), nowMs, {
          quantity,
          proration,
        });
        setTerms(item, targetOf(item, subscription), state.timeOf(subscription.customerId, nowMs));
        item.billing_thresholds = readUsageThreshold(form) ?? null;
        if (proration === 'always_invoice') invoicePending(account, subscription, nowMs, [item]);
        item.metadata = readMap(form, 'metadata');
        emitSubscription(account, subscription, nowMs);
        return item;
      },
    },
    {
      method: 'POST',
      path: '/v1/subscription_items/:id',
      shape: {
        price: 'text',
        quantity: 'text',
        proration_behavior: 'text',
        billing_thresholds: { usage_gte: 'text' },
        ...ITEM_TERMS_SHAPE,
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionItemUpdateParams>,
      mutates: true,
      run: (call) => {
        const { form, nowMs } = call;
        const item = found(state.items, 'subscription_item', idOf(call));
        const subscription = living(found(state.subscriptions, 'subscription', item.subscription));
        const price = readText(form, 'price');
        const proration = readProration(form);
        const setTerms = readItemTerms(state, form, item, nowMs);
        if (price !== undefined)
          replacePrice(account, subscription, item, price, nowMs, proration !== 'none');
        const quantity = readInteger(form, 'quantity');
        if (quantity !== undefined) changeQuantity(account, subscription, item, quantity, nowMs, proration);
        const threshold = readUsageThreshold(form);
        if (threshold !== undefined) item.billing_thresholds = threshold;
        if (proration === 'always_invoice') invoicePending(account, subscription, nowMs);
        setTerms(item, targetOf(item, subscription), state.timeOf(subscription.customerId, nowMs));
        item.metadata = mergeMetadata(item.metadata, form);
        emitSubscription(account, subscription, nowMs);
        return item;
      },
    },
    {
      method: 'DELETE',
      path: '/v1/subscription_items/:id',
      shape: { proration_behavior: 'text' } satisfies FormShape<Stripe.SubscriptionItemDeleteParams>,
      mutates: true,
      run: (call) => {
        const item = found(state.items, 'subscription_item', idOf(call));
        const subscription = living(found(state.subscriptions, 'subscription', item.subscription));
        const proration = readProration(call.form);
        removeItem(account, subscription, item, call.nowMs, proration !== 'none');
        if (proration === 'always_invoice') invoicePending(account, subscription, call.nowMs);
        emitSubscription(account, subscription, call.nowMs);
        return { id: item.id, object: 'subscription_item', deleted: true };
      },
    },
  ];
}

/** Undefined: not said; null: taken away. */
function readUsageThreshold(form: Form): { usage_gte: number } | null | undefined {
  if (form.billing_thresholds === undefined) return undefined;
  const usageGte = readInteger(readNested(form, 'billing_thresholds'), 'usage_gte');
  return usageGte === undefined ? null : { usage_gte: usageGte };
}

function targetOf(item: WireSubscriptionItem, { customerId, wire }: Subscription): DiscountTarget {
  return { customer: customerId, subscription: wire.id, subscription_item: item.id };
}
