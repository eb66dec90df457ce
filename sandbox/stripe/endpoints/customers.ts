import type Stripe from 'stripe';
import { moveBalance } from '../adjustments/balance.ts';
import { redeem, redeemable } from '../adjustments/discounts.ts';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readChange,
  readInteger,
  readMap,
  readNested,
  readText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseUnknown } from '../http/refusal.ts';
import { toSeconds, type Wire, type WireCustomer } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { newCustomer } from '../objects.ts';
import type { StripeState } from '../state.ts';
import { isEnded, renderSubscription } from '../subscriptions.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';

/** Customers. */
export function customerEndpoints(cycle: BillingCycle): Endpoint[] {
  const { state, emit } = cycle.account;
  return [
    {
      method: 'GET',
      path: '/v1/customers',
      shape: {
        ...PAGING_SHAPE,
        email: 'text',
        test_clock: 'text',
      } satisfies FormShape<Stripe.CustomerListParams>,
      mutates: false,
      run: ({ form }) => {
        const email = readText(form, 'email');
        const customers = [...state.customers.values()].filter(
          (customer) =>
            (email === undefined || customer.email === email) &&
            (customer.test_clock ?? undefined) === readText(form, 'test_clock'),
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
        test_clock: 'text',
        address: ADDRESS_SHAPE,
        balance: 'text',
        invoice_settings: { default_payment_method: 'text' },
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.CustomerCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const clockId = readText(form, 'test_clock');
        const clock = clockId === undefined ? null : found(state.testClocks, 'test_clock', clockId);
        const customer = newCustomer(state, {
          name: readText(form, 'name') ?? null,
          email: readText(form, 'email') ?? null,
          currency: null,
          metadata: readMap(form, 'metadata'),
          created: clock?.wire.frozen_time ?? toSeconds(nowMs),
          paymentMethodId: readPaymentMethod(form) ?? null,
          address: readAddress(form) ?? null,
        });
        customer.balance = readInteger(form, 'balance') ?? 0;
        customer.test_clock = clock?.wire.id ?? null;
        emit('customer.created', customer, nowMs);
        return customer;
      },
    },
    {
      method: 'POST',
      path: '/v1/customers/:id',
      shape: {
        name: 'text',
        email: 'text',
        address: ADDRESS_SHAPE,
        balance: 'text',
        invoice_settings: { default_payment_method: 'text' },
        metadata: 'any',
        expand: 'any',
        // Of API versions before this one; people do it in the dashboard.
        ...({ coupon: 'text' } as object),
      } satisfies FormShape<Stripe.CustomerUpdateParams>,
      mutates: true,
      run: (call) => {
        const customer = found(state.customers, 'customer', idOf(call));
        changeCustomer(state, customer, call);
        emit('customer.updated', customer, call.nowMs);
        return customer;
      },
    },
    {
      method: 'DELETE',
      path: '/v1/customers/:id',
      shape: {},
      mutates: true,
      run: (call) => {
        const { nowMs } = call;
        const customer = found(state.customers, 'customer', idOf(call));
        state.customers.delete(customer.id);
        for (const subscription of state.subscriptions.values()) {
          if (subscription.customerId !== customer.id || isEnded(subscription)) continue;
          subscription.wire.status = 'canceled';
          subscription.wire.ended_at = toSeconds(nowMs);
          emit('customer.subscription.deleted', renderSubscription(subscription), nowMs);
        }
        emit('customer.deleted', customer, nowMs);
        cycle.reconsider();
        return { id: customer.id, object: 'customer', deleted: true } satisfies Stripe.DeletedCustomer;
      },
    },
    {
      method: 'DELETE',
      path: '/v1/customers/:id/discount',
      shape: {},
      mutates: true,
      run: (call) => {
        const customer = found(state.customers, 'customer', idOf(call));
        const { discount } = customer;
        if (discount == null) throw refuseUnknown('discount', customer.id);
        customer.discount = null;
        const { end: _end, ...shown } = discount;
        return { ...shown, deleted: true } satisfies Wire<Stripe.DeletedDiscount>;
      },
    },
    retrieve('/v1/customers/:id', (id) => found(state.customers, 'customer', id)),
  ];
}

function changeCustomer(state: StripeState, customer: WireCustomer, { form, nowMs }: Call): void {
  const address = readAddress(form);
  const couponId = readText(form, 'coupon');
  const coupon = couponId === undefined ? null : redeemable(state, couponId, nowMs);
  const balance = readInteger(form, 'balance');
  if (coupon !== null) {
    customer.discount = redeem(state, coupon, { customer: customer.id }, state.timeOf(customer.id, nowMs));
  }
  if (balance !== undefined) {
    const amount = balance - customer.balance;
    const currency = customer.currency ?? 'usd';
    moveBalance(state, customer, { amount, type: 'adjustment', currency, at: toSeconds(nowMs) });
  }
  if (address !== undefined) customer.address = address;
  customer.name = readText(form, 'name') ?? customer.name ?? null;
  customer.email = readText(form, 'email') ?? customer.email;
  const paymentMethod = readPaymentMethod(form);
  if (paymentMethod !== undefined) {
    customer.invoice_settings = { ...customer.invoice_settings, default_payment_method: paymentMethod };
  }
  customer.metadata = mergeMetadata(customer.metadata, form);
}

const ADDRESS_SHAPE = {
  city: 'text',
  country: 'text',
  line1: 'text',
  line2: 'text',
  postal_code: 'text',
  state: 'text',
} as const;

function readAddress(form: Form): WireCustomer['address'] | undefined {
  if (form.address === undefined) return undefined;
  if (form.address === '') return null;
  const address = readNested(form, 'address');
  const part = (name: string) => readText(address, name) ?? null;
  return {
    city: part('city'),
    country: part('country'),
    line1: part('line1'),
    line2: part('line2'),
    postal_code: part('postal_code'),
    state: part('state'),
  };
}

/** Payment methods are ids without an object behind them. */
function readPaymentMethod(form: Form): string | null | undefined {
  return readChange(readNested(form, 'invoice_settings'), 'default_payment_method');
}
