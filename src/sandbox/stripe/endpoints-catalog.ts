import type Stripe from 'stripe';
import { renderSubscription } from './billing-cycle.ts';
import { type Endpoint, idOf } from './endpoint.ts';
import { type Form, type FormShape, readMap, readText, requireText } from './form.ts';
import { newCustomer, newSubscriptionItem } from './objects.ts';
import { PAGING_SHAPE, toPage } from './paging.ts';
import { refuseParameter, refuseUnknown } from './refusal.ts';
import type { StripeState } from './state.ts';
import { toSeconds } from './wire.ts';

const RETRIEVE_SHAPE = { expand: 'any' } as const;

/** Customers, subscriptions and their items. */
export function catalogEndpoints(state: StripeState): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/v1/customers',
      shape: { ...PAGING_SHAPE, email: 'text' } satisfies FormShape<Stripe.CustomerListParams>,
      mutates: false,
      run: ({ form }) => {
        const email = readText(form, 'email');
        const customers = [...state.customers.values()].filter(
          (customer) => email === undefined || customer.email === email,
        );
        return toPage(customers, form, '/v1/customers');
      },
    },
    {
      method: 'POST',
      path: '/v1/customers',
      shape: {
        name: 'text',
        email: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.CustomerCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) =>
        newCustomer(state, {
          name: readText(form, 'name') ?? null,
          email: readText(form, 'email') ?? null,
          currency: null,
          metadata: readMap(form, 'metadata'),
          created: toSeconds(nowMs),
        }),
    },
    {
      method: 'POST',
      path: '/v1/customers/:id',
      shape: {
        name: 'text',
        email: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.CustomerUpdateParams>,
      mutates: true,
      run: (call) => {
        const customer = found(state.customers, 'customer', idOf(call));
        customer.name = readText(call.form, 'name') ?? customer.name ?? null;
        customer.email = readText(call.form, 'email') ?? customer.email;
        customer.metadata = { ...customer.metadata, ...readMap(call.form, 'metadata') };
        return customer;
      },
    },
    {
      method: 'DELETE',
      path: '/v1/customers/:id',
      shape: {},
      mutates: true,
      run: (call) => {
        const customer = found(state.customers, 'customer', idOf(call));
        state.customers.delete(customer.id);
        for (const subscription of state.subscriptions.values()) {
          if (subscription.customerId === customer.id) subscription.wire.status = 'canceled';
        }
        return { id: customer.id, object: 'customer', deleted: true } satisfies Stripe.DeletedCustomer;
      },
    },
    retrieve('/v1/customers/:id', (id) => found(state.customers, 'customer', id)),
    {
      method: 'GET',
      path: '/v1/subscriptions',
      shape: {
        ...PAGING_SHAPE,
        customer: 'text',
        price: 'text',
        status: 'text',
      } satisfies FormShape<Stripe.SubscriptionListParams>,
      mutates: false,
      run: ({ form }) => {
        const { customer, price, status = '' } = form;
        const subscriptions = [...state.subscriptions.values()].filter(
          (subscription) =>
            (customer === undefined || subscription.customerId === customer) &&
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
    {
      method: 'POST',
      path: '/v1/subscription_items',
      shape: {
        subscription: 'text',
        price: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionItemCreateParams>,
      mutates: true,
      run: ({ form }) => createItem(state, form),
    },
    {
      method: 'DELETE',
      path: '/v1/subscription_items/:id',
      shape: {},
      mutates: true,
      run: (call) => {
        const item = found(state.items, 'subscription_item', idOf(call));
        const subscription = found(state.subscriptions, 'subscription', item.subscription);
        subscription.items.splice(subscription.items.indexOf(item), 1);
        state.items.delete(item.id);
        return { id: item.id, object: 'subscription_item', deleted: true };
      },
    },
    retrieve('/v1/subscription_items/:id', (id) => found(state.items, 'subscription_item', id)),
  ];
}

/** Stripe's cap on a subscription. */
const MAX_ITEMS = 20;

function createItem(state: StripeState, form: Form): object {
  const subscription = found(state.subscriptions, 'subscription', requireText(form, 'subscription'));
  const price = found(state.prices, 'price', requireText(form, 'price'));
  if (!price.active) throw refuseParameter('price', 'The price specified is inactive.');
  if (price.currency !== subscription.wire.currency) {
    throw refuseParameter('price', `The price is in ${price.currency}, the subscription is not.`);
  }
  if (subscription.items.some((item) => item.price.id === price.id)) {
    throw refuseParameter('price', 'A subscription item with this price exists already.');
  }
  if (subscription.items.length >= MAX_ITEMS) {
    throw refuseParameter('items', `Subscriptions may have at most ${MAX_ITEMS} items.`);
  }
  const item = newSubscriptionItem(state, subscription, price.id);
  item.metadata = readMap(form, 'metadata');
  return item;
}

export function retrieve(path: string, find: (id: string, nowMs: number) => object): Endpoint {
  return {
    method: 'GET',
    path,
    shape: RETRIEVE_SHAPE,
    mutates: false,
    run: (call) => find(idOf(call), call.nowMs),
  };
}

/** @throws StripeRefusal 404 resource_missing */
export function found<Item>(items: ReadonlyMap<string, Item>, kind: string, id: string): Item {
  const item = items.get(id);
  if (item === undefined) throw refuseUnknown(kind, id);
  return item;
}
