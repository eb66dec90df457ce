import type Stripe from 'stripe';
import { idOf, meteredPeriod, readMeteredLines, toInvoiceHeader } from '../invoices.ts';
import { legacyMeterIdOf } from '../legacy-usage.ts';
import type {
  BillingCustomer,
  BillingInvoiceHeader,
  BillingMeter,
  BillingSubscriptionItem,
} from '../port.ts';
import { toRatePriceIn } from '../rate-price.ts';

/** What `sendMeterEvent` writes. */
const CUSTOMER_KEY = 'stripe_customer_id';
const VALUE_KEY = 'value';

const AGGREGATIONS = ['sum', 'count', 'last'] as const;
const EVENT_TIME_WINDOWS = ['hour', 'day'] as const;

/** Statuses under which usage is still billed. */
const BILLED_STATUSES = new Set(['active', 'trialing', 'past_due', 'unpaid', 'paused']);

/** Whether usage is still billed under a subscription's status; an ended or a never-started one takes none. */
export function isBilledStatus(status: string): boolean {
  return BILLED_STATUSES.has(status);
}

/** A customer as it is; Stripe tells a deleted one by nothing but its id. */
export function toCustomer(customer: Stripe.Customer | Stripe.DeletedCustomer): BillingCustomer {
  if (customer.deleted === true) {
    const { id } = customer;
    return { stripeCustomerId: id, name: id, email: null, currency: null, metadata: {}, deleted: true };
  }
  return {
    stripeCustomerId: customer.id,
    name: customer.name ?? customer.email ?? customer.id,
    email: customer.email,
    currency: customer.currency ?? null,
    metadata: customer.metadata,
    deleted: false,
  };
}

/** Null for an aggregation or window we do not know: to bill through it would be a guess. */
export function toMeter(meter: Stripe.Billing.Meter): BillingMeter | null {
  const { formula } = meter.default_aggregation;
  const eventTimeWindow = meter.event_time_window;
  if (!isOneOf(formula, AGGREGATIONS)) return null;
  if (eventTimeWindow !== null && !isOneOf(eventTimeWindow, EVENT_TIME_WINDOWS)) return null;
  const payloadKeys = {
    customer: meter.customer_mapping.event_payload_key,
    value: meter.value_settings.event_payload_key,
  };
  const isFed = payloadKeys.customer === CUSTOMER_KEY && payloadKeys.value === VALUE_KEY;
  return {
    stripeMeterId: meter.id,
    eventName: meter.event_name,
    displayName: meter.display_name,
    aggregation: formula,
    eventTimeWindow,
    status: meter.status === 'active' && isFed ? 'active' : 'inactive',
    payloadKeys,
  };
}

function isOneOf<Word extends string>(text: string, words: readonly Word[]): text is Word {
  return (words as readonly string[]).includes(text);
}

/** A metered item with what its subscription says of it. */
export function toSubscriptionItem(
  subscription: Stripe.Subscription,
  item: Stripe.SubscriptionItem,
  known: {
    /** Null: its product is not known by name. */
    productName: string | null;
    isKnownMeter: (meterId: string) => boolean;
    /** Usage records serve items without a meter. */
    servesLegacyItems: boolean;
    /** The item's price with what must be asked for, tiers and other currencies; absent: it needs neither. */
    price: Stripe.Price | undefined;
  },
): BillingSubscriptionItem {
  const { price } = item;
  const { currency } = subscription;
  const rated = toRatePriceIn(known.price ?? price, currency);
  const productId = idOf(price.product) ?? '';
  const meterId = price.recurring?.meter ?? null;
  const legacyId = known.servesLegacyItems ? legacyMeterIdOf(price.metadata) : null;
  return {
    subscriptionItemId: item.id,
    subscriptionId: subscription.id,
    subscriptionStatus: subscription.status,
    stripeCustomerId: idOf(subscription.customer) ?? '',
    priceId: price.id,
    priceMetadata: price.metadata,
    productName: known.productName ?? productId,
    productId,
    currency,
    price: rated.price,
    priceProblem: rated.problem,
    stripeMeterId: meterId === null ? legacyId : known.isKnownMeter(meterId) ? meterId : null,
    // On the item since Basil; the subscription itself has no period any more.
    currentPeriodStart: toDate(item.current_period_start),
    currentPeriodEnd: toDate(item.current_period_end),
    startedAt: toDate(startOf(subscription, item)),
    endsAt: toDateOrNull(endOf(subscription, item)),
    trialEndsAt: toDateOrNull(subscription.trial_end),
    billingMode: subscription.billing_mode.type,
    collectionPause: subscription.pause_collection?.behavior ?? null,
  };
}

/** An item made together with its subscription began when that did, which may have been backdated. */
function startOf(subscription: Stripe.Subscription, item: Stripe.SubscriptionItem): number {
  const madeTogether = item.created - subscription.created < 60;
  return madeTogether ? Math.min(subscription.start_date, item.created) : item.created;
}

function endOf(subscription: Stripe.Subscription, item: Stripe.SubscriptionItem): number | null {
  if (isBilledStatus(subscription.status)) {
    const endsWithPeriod = subscription.cancel_at_period_end ? item.current_period_end : null;
    return subscription.cancel_at ?? endsWithPeriod;
  }
  return subscription.ended_at ?? subscription.canceled_at ?? null;
}

const toDate = (seconds: number): Date => new Date(seconds * 1_000);
const toDateOrNull = (seconds: number | null | undefined): Date | null =>
  seconds === null || seconds === undefined ? null : toDate(seconds);

/** An invoice as the catalog keeps it: the period of its metered lines, and their quantities. */
export function toCatalogInvoice(
  invoice: Stripe.Invoice,
  items: { meteredItemIds: ReadonlySet<string>; perUnitItemIds: ReadonlySet<string> },
): BillingInvoiceHeader {
  const { lines } = invoice;
  return {
    ...toInvoiceHeader(invoice, meteredPeriod(lines.data, items.meteredItemIds)),
    // Of a tiered item some lines may be on the next page, which is not read.
    meteredLines: readMeteredLines(
      invoice,
      lines.data,
      lines.has_more ? items.perUnitItemIds : items.meteredItemIds,
    ),
  };
}
