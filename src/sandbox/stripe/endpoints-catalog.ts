import type Stripe from 'stripe';
import { renderSubscription } from './billing-cycle.ts';
import { type Endpoint, idOf } from './endpoint.ts';
import { type FormShape, readMap, readText, requireText } from './form.ts';
import { newCustomer } from './objects.ts';
import { PAGING_SHAPE, toPage } from './paging.ts';
import { refuseUnknown } from './refusal.ts';
import type { StripeState } from './state.ts';
import { toSeconds } from './wire.ts';

const RETRIEVE_SHAPE = { expand: 'any' } as const;

/** Customers, products, prices, subscriptions and their items. */
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
    list('/v1/products', () => [...state.products.values()]),
    retrieve('/v1/products/:id', (id) => found(state.products, 'product', id)),
    {
      method: 'GET',
      path: '/v1/prices',
      shape: {
        ...PAGING_SHAPE,
        active: 'text',
        currency: 'text',
        product: 'text',
      } satisfies FormShape<Stripe.PriceListParams>,
      mutates: false,
      run: ({ form }) => {
        const { active, currency, product } = form;
        const prices = [...state.prices.values()].filter(
          (price) =>
            (active === undefined || String(price.active) === active) &&
            (currency === undefined || price.currency === currency) &&
            (product === undefined || price.product === product),
        );
        return toPage(prices, form, '/v1/prices');
      },
    },
    retrieve('/v1/prices/:id', (id) => found(state.prices, 'price', id)),
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
    retrieve('/v1/subscription_items/:id', (id) => found(state.items, 'subscription_item', id)),
  ];

  function list<Item extends { id: string }>(path: string, items: () => Item[]): Endpoint {
    return {
      method: 'GET',
      path,
      shape: PAGING_SHAPE,
      mutates: false,
      run: ({ form }) => toPage(items(), form, path),
    };
  }
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
