import type Stripe from 'stripe';
import { idOf, meteredPeriod, readMeteredLines, toInvoiceHeader } from './invoices.ts';
import type {
  BillingCatalog,
  BillingCustomer,
  BillingInvoiceHeader,
  BillingMeter,
  BillingSubscriptionItem,
} from './port.ts';
import { toRatePrice } from './rate-price.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

const PAGE_SIZE = 100;

const AGGREGATIONS = ['sum', 'count', 'last'] as const;
const EVENT_TIME_WINDOWS = ['hour', 'day'] as const;

/** Statuses under which usage is still billed. */
const BILLED_STATUSES = new Set(['active', 'trialing', 'past_due', 'unpaid', 'paused']);

/**
 * Reads what billing needs to know, page by page, one call after the other: reads are rationed by Stripe.
 * Every list is oldest first.
 * @throws UpstreamError
 */
export async function readCatalog(
  stripe: Stripe,
  policy: RetryPolicy,
  options: { invoicesSince: Date },
  signal?: AbortSignal,
): Promise<BillingCatalog> {
  const readAll: ReadAll = (action, list) =>
    withRetry(policy, { action, writes: false }, () => collect(list(), signal), signal);

  const customers = await readAll('list customers', () => stripe.customers.list({ limit: PAGE_SIZE }));
  const meters = (
    await readAll('list meters', () => stripe.billing.meters.list({ limit: PAGE_SIZE }))
  ).flatMap((meter) => toMeter(meter) ?? []);
  const meterIds = new Set(meters.map((meter) => meter.stripeMeterId));
  // Products come as a list of their own: below `data.items.data.price`, `product` would be a fifth level of
  // expansion, and Stripe expands four.
  const products = await readAll('list products', () => stripe.products.list({ limit: PAGE_SIZE }));
  const productNames = new Map(products.map((product) => [product.id, product.name]));
  const subscriptions = await readAll('list subscriptions', () =>
    stripe.subscriptions.list({ limit: PAGE_SIZE }),
  );

  const metered: { subscription: Stripe.Subscription; item: Stripe.SubscriptionItem }[] = [];
  for (const subscription of subscriptions) {
    if (!BILLED_STATUSES.has(subscription.status)) continue;
    const items = subscription.items.has_more
      ? await readAll('list subscription items', () =>
          stripe.subscriptionItems.list({ subscription: subscription.id, limit: PAGE_SIZE }),
        )
      : subscription.items.data;
    for (const item of items) {
      if (item.price.recurring?.usage_type !== 'metered') continue;
      metered.push({ subscription, item });
    }
  }
  const tiersByPrice = metered.some(({ item }) => item.price.billing_scheme === 'tiered')
    ? await readTiers(stripe, readAll)
    : new Map<string, Stripe.Price['tiers']>();
  const subscriptionItems = metered.map(({ subscription, item }) =>
    toSubscriptionItem(subscription, item, { productNames, meterIds, tiersByPrice }),
  );

  const invoicesSince = Math.floor(options.invoicesSince.getTime() / 1_000);
  const invoices = await readAll('list invoices', () =>
    stripe.invoices.list({ created: { gte: invoicesSince }, limit: PAGE_SIZE }),
  );
  const meteredItemIds = new Set(subscriptionItems.map((item) => item.subscriptionItemId));
  const perUnitItemIds = new Set(
    subscriptionItems
      .filter((item) => item.price?.kind === 'per_unit')
      .map((item) => item.subscriptionItemId),
  );
  return {
    customers: customers.map(toCustomer),
    meters,
    subscriptionItems,
    invoices: invoices.map(
      (invoice): BillingInvoiceHeader => ({
        ...toInvoiceHeader(invoice, meteredPeriod(invoice.lines.data, meteredItemIds)),
        // Of a tiered item some lines may be on the next page, which is not read.
        meteredLines: readMeteredLines(
          invoice.lines.data,
          invoice.lines.has_more ? perUnitItemIds : meteredItemIds,
        ),
      }),
    ),
  };
}

type ReadAll = <Item>(action: string, list: () => AsyncIterable<Item>) => Promise<Item[]>;

/**
 * The tiers of all metered prices. They come only where they are asked for, and below
 * `data.items.data.price` they would be a fifth level of expansion: so prices are a list of their own.
 */
async function readTiers(stripe: Stripe, readAll: ReadAll): Promise<Map<string, Stripe.Price['tiers']>> {
  const prices = await readAll('list prices', () =>
    stripe.prices.list({
      limit: PAGE_SIZE,
      recurring: { usage_type: 'metered' },
      expand: ['data.tiers'],
    }),
  );
  return new Map(prices.map((price) => [price.id, price.tiers]));
}

/**
 * All pages, turned round: Stripe gives the newest first, and where two objects claim the same thing the one
 * that was there first must keep it.
 */
async function collect<Item>(list: AsyncIterable<Item>, signal?: AbortSignal): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of list) {
    signal?.throwIfAborted();
    items.push(item);
  }
  return items.reverse();
}

function toCustomer(customer: Stripe.Customer): BillingCustomer {
  return {
    stripeCustomerId: customer.id,
    name: customer.name ?? customer.email ?? customer.id,
    email: customer.email,
    currency: customer.currency ?? null,
    metadata: customer.metadata,
    // Stripe lists living customers only; a deleted one is known by its absence.
    deleted: false,
  };
}

/** Null for an aggregation or window we do not know: to bill through it would be a guess. */
function toMeter(meter: Stripe.Billing.Meter): BillingMeter | null {
  const { formula } = meter.default_aggregation;
  const eventTimeWindow = meter.event_time_window;
  if (!isOneOf(formula, AGGREGATIONS)) return null;
  if (eventTimeWindow !== null && !isOneOf(eventTimeWindow, EVENT_TIME_WINDOWS)) return null;
  return {
    stripeMeterId: meter.id,
    eventName: meter.event_name,
    displayName: meter.display_name,
    aggregation: formula,
    eventTimeWindow,
    status: meter.status === 'active' ? 'active' : 'inactive',
  };
}

function isOneOf<Word extends string>(text: string, words: readonly Word[]): text is Word {
  return (words as readonly string[]).includes(text);
}

function toSubscriptionItem(
  subscription: Stripe.Subscription,
  item: Stripe.SubscriptionItem,
  known: {
    productNames: ReadonlyMap<string, string>;
    meterIds: ReadonlySet<string>;
    tiersByPrice: ReadonlyMap<string, Stripe.Price['tiers']>;
  },
): BillingSubscriptionItem {
  const { productNames, meterIds } = known;
  const { price } = item;
  const productId = idOf(price.product) ?? '';
  const meterId = price.recurring?.meter ?? null;
  return {
    subscriptionItemId: item.id,
    subscriptionId: subscription.id,
    subscriptionStatus: subscription.status,
    stripeCustomerId: idOf(subscription.customer) ?? '',
    priceId: price.id,
    priceMetadata: price.metadata,
    productName: productNames.get(productId) ?? productId,
    currency: price.currency,
    price: toRatePrice(price, known.tiersByPrice.get(price.id)),
    stripeMeterId: meterId !== null && meterIds.has(meterId) ? meterId : null,
    // On the item since Basil; the subscription itself has no period any more.
    currentPeriodStart: new Date(item.current_period_start * 1_000),
    currentPeriodEnd: new Date(item.current_period_end * 1_000),
  };
}
