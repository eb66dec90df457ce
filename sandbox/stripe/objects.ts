import {
  toSeconds,
  type WireCustomer,
  type WireMeter,
  type WireProduct,
  type WireSubscriptionItem,
} from './http/wire.ts';
import { type BillingInterval, MONTHLY, nextBoundary } from './invoices/months.ts';
import { openPeriod, periodOf } from './periods.ts';
import { toPlan } from './prices.ts';
import type { StripeState, Subscription } from './state.ts';

/** Makers of the account's objects; each puts what it makes into the state. `created` is in seconds. */

export interface NewProduct {
  name: string;
  created: number;
  /** Given by the caller; made up otherwise. */
  id?: string;
  description?: string | null;
  unitLabel?: string | null;
  taxCode?: string | null;
  metadata?: Record<string, string>;
}

export function newProduct(state: StripeState, input: NewProduct): WireProduct {
  const product: WireProduct = {
    id: input.id ?? state.nextId('prod'),
    object: 'product',
    active: true,
    created: input.created,
    default_price: null,
    description: input.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: input.metadata ?? {},
    name: input.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: input.taxCode ?? null,
    tax_details: null,
    type: 'service',
    unit_label: input.unitLabel ?? null,
    updated: input.created,
    url: null,
  };
  state.products.set(product.id, product);
  return product;
}

export interface NewMeter {
  eventName: string;
  displayName: string;
  formula: string;
  eventTimeWindow: string | null;
  customerKey?: string;
  valueKey?: string;
  created: number;
}

export function newMeter(state: StripeState, input: NewMeter): WireMeter {
  const meter: WireMeter = {
    id: state.nextId('mtr_test'),
    object: 'billing.meter',
    created: input.created,
    customer_mapping: { event_payload_key: input.customerKey ?? 'stripe_customer_id', type: 'by_id' },
    default_aggregation: { formula: input.formula },
    display_name: input.displayName,
    event_name: input.eventName,
    event_time_window: input.eventTimeWindow,
    livemode: false,
    status: 'active',
    status_transitions: { deactivated_at: null },
    updated: input.created,
    value_settings: { event_payload_key: input.valueKey ?? 'value' },
  };
  state.meters.set(meter.id, meter);
  state.activeMeters.set(meter.event_name, meter);
  if (meter.event_name.endsWith('_tokens')) state.tokenMeterIds.add(meter.id);
  return meter;
}

export interface NewCustomer {
  name: string | null;
  email: string | null;
  currency: string | null;
  metadata: Record<string, string>;
  created: number;
  /** Absent: invoices stay open. */
  paymentMethodId?: string | null;
  address?: WireCustomer['address'];
}

export function newCustomer(state: StripeState, input: NewCustomer): WireCustomer {
  const id = state.nextId('cus');
  const customer: WireCustomer = {
    id,
    object: 'customer',
    address: input.address ?? null,
    balance: 0,
    created: input.created,
    currency: input.currency,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    email: input.email,
    invoice_prefix: id.slice(-8).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: input.paymentMethodId ?? null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: input.metadata,
    name: input.name,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
  state.customers.set(id, customer);
  return customer;
}

export interface NewSubscription {
  customerId: string;
  currency: string;
  startMs: number;
  /** On this instant plus whole intervals periods end; see `nextBoundary`. */
  anchorMs: number;
  /** Default: monthly. */
  interval?: BillingInterval;
  /** Nothing is billed before; the first period then ends here. */
  trialEndMs?: number;
  paymentMethodId?: string | null;
  metadata?: Record<string, string>;
}

export function newSubscription(state: StripeState, input: NewSubscription): Subscription {
  const start = toSeconds(input.startMs);
  const { interval = MONTHLY } = input;
  const trialEnd = input.trialEndMs === undefined ? null : toSeconds(input.trialEndMs);
  const subscription: Subscription = {
    customerId: input.customerId,
    anchorMs: input.anchorMs,
    periodStartMs: input.startMs,
    interval,
    periodEndMs: input.trialEndMs ?? nextBoundary(input.anchorMs, input.startMs, interval),
    otherPeriods: new Map(),
    billedEarlier: new Map(),
    items: [],
    itemSinceMs: new Map(),
    wire: {
      id: state.nextId('sub'),
      object: 'subscription',
      application: null,
      application_fee_percent: null,
      automatic_tax: { disabled_reason: null, enabled: false, liability: null },
      billing_cycle_anchor: toSeconds(input.anchorMs),
      billing_cycle_anchor_config: null,
      billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible' },
      billing_schedules: [],
      billing_thresholds: null,
      cancel_at: null,
      cancel_at_period_end: false,
      canceled_at: null,
      cancellation_details: null,
      collection_method: 'charge_automatically',
      created: start,
      currency: input.currency,
      customer: input.customerId,
      customer_account: null,
      days_until_due: null,
      default_payment_method: input.paymentMethodId ?? null,
      default_source: null,
      default_tax_rates: [],
      description: null,
      discounts: [],
      ended_at: null,
      invoice_settings: {
        account_tax_ids: null,
        custom_fields: null,
        description: null,
        footer: null,
        issuer: { type: 'self' },
      },
      latest_invoice: null,
      livemode: false,
      managed_payments: null,
      metadata: input.metadata ?? {},
      next_pending_invoice_item_invoice: null,
      on_behalf_of: null,
      pause_collection: null,
      payment_settings: null,
      pending_invoice_item_interval: null,
      pending_setup_intent: null,
      pending_update: null,
      schedule: null,
      start_date: start,
      status: trialEnd === null ? 'active' : 'trialing',
      test_clock: null,
      transfer_data: null,
      trial_end: trialEnd,
      trial_settings: null,
      trial_start: trialEnd === null ? null : start,
    },
  };
  state.subscriptions.set(subscription.wire.id, subscription);
  return subscription;
}

/** `sinceMs`: it was added to a subscription that ran already, and counts from then on. */
export function newSubscriptionItem(
  state: StripeState,
  subscription: Subscription,
  priceId: string,
  sinceMs?: number,
  quantity = 1,
): WireSubscriptionItem {
  const price = state.prices.get(priceId);
  if (price === undefined) throw new RangeError(`no price ${priceId}`);
  openPeriod(subscription, price, sinceMs ?? subscription.periodStartMs);
  const item: WireSubscriptionItem = {
    id: state.nextId('si'),
    object: 'subscription_item',
    billing_thresholds: null,
    created: sinceMs === undefined ? subscription.wire.created : toSeconds(sinceMs),
    current_period_end: 0,
    current_period_start: 0,
    current_trial: null,
    discounts: [],
    metadata: {},
    plan: toPlan(price),
    price,
    ...(price.recurring?.usage_type === 'licensed' ? { quantity } : {}),
    subscription: subscription.wire.id,
    tax_rates: [],
  };
  const { periodStartMs, periodEndMs } = periodOf(subscription, item);
  item.current_period_start = toSeconds(sinceMs ?? periodStartMs);
  item.current_period_end = toSeconds(periodEndMs);
  subscription.items.push(item);
  if (sinceMs !== undefined) subscription.itemSinceMs.set(item.id, toSeconds(sinceMs) * 1_000);
  state.items.set(item.id, item);
  return item;
}
