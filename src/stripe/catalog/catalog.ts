import type Stripe from 'stripe';
import { UpstreamError } from '../../platform/errors.ts';
import { idOf } from '../invoices.ts';
import { isLegacyMeter, toLegacyMeter } from '../legacy-usage.ts';
import type { BillingCatalog } from '../port.ts';
import { type RetryPolicy, withRetry } from '../retry.ts';
import { isBilledStatus, toCatalogInvoice, toCustomer, toMeter, toSubscriptionItem } from './objects.ts';
import { readWholePrice } from './read-price.ts';

const PAGE_SIZE = 100;

/**
 * Reads what billing needs to know, page by page, one call after the other: reads are rationed by Stripe.
 * Every list is oldest first.
 * @throws UpstreamError
 */
export async function readCatalog(
  stripe: Stripe,
  policy: RetryPolicy,
  options: { invoicesSince: Date; servesLegacyItems: boolean; mayHaveTestClocks: boolean },
  signal?: AbortSignal,
): Promise<BillingCatalog> {
  const readAll: ReadAll = (action, list) =>
    withRetry(policy, { action, writes: false }, () => collect(list(), signal), signal);

  const clocks = options.mayHaveTestClocks ? await readTestClocks(stripe, readAll) : [];
  const customers = await readAll('list customers', () => stripe.customers.list({ limit: PAGE_SIZE }));
  const clocked: Stripe.Customer[] = [];
  for (const { id } of clocks) {
    const list = () => stripe.customers.list({ limit: PAGE_SIZE, test_clock: id });
    clocked.push(...(await readAll('list customers of a test clock', list)));
  }
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
  for (const { id } of clocks) {
    const list = () => stripe.subscriptions.list({ limit: PAGE_SIZE, test_clock: id });
    subscriptions.push(...(await readAll('list subscriptions of a test clock', list)));
  }

  const metered: { subscription: Stripe.Subscription; item: Stripe.SubscriptionItem }[] = [];
  for (const subscription of subscriptions) {
    if (!isBilledStatus(subscription.status)) continue;
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
  const pricesById = metered.some(needsWholePrice)
    ? await readPrices(stripe, readAll)
    : new Map<string, Stripe.Price>();
  // Where a price has tiers in the subscription's currency, they come with the price alone.
  for (const { subscription, item } of metered) {
    if (item.price.billing_scheme !== 'tiered' || item.price.currency === subscription.currency) continue;
    if (pricesById.get(item.price.id)?.currency_options?.[subscription.currency]?.tiers !== undefined)
      continue;
    const call = { action: 'read a price', writes: false };
    const whole = await readWholePrice((expand) =>
      withRetry(policy, call, () => stripe.prices.retrieve(item.price.id, { expand }), signal),
    );
    if (whole !== null) pricesById.set(whole.id, whole);
  }
  const subscriptionItems = metered.map(({ subscription, item }) =>
    toSubscriptionItem(subscription, item, {
      productName: productNames.get(idOf(item.price.product) ?? '') ?? null,
      isKnownMeter: (meterId) => meterIds.has(meterId),
      servesLegacyItems: options.servesLegacyItems,
      price: pricesById.get(item.price.id),
    }),
  );

  const invoicesSince = Math.floor(options.invoicesSince.getTime() / 1_000);
  const invoices = await readAll('list invoices', () =>
    stripe.invoices.list({ created: { gte: invoicesSince }, limit: PAGE_SIZE }),
  );
  // Of a clock's own time, which may be any; and only customer by customer.
  for (const { id } of clocked) {
    const list = () => stripe.invoices.list({ customer: id, limit: PAGE_SIZE });
    invoices.push(...(await readAll('list invoices of a test clock', list)));
  }
  const meteredItemIds = new Set(subscriptionItems.map((item) => item.subscriptionItemId));
  const perUnitItemIds = new Set(
    subscriptionItems
      .filter((item) => item.price?.kind === 'per_unit')
      .map((item) => item.subscriptionItemId),
  );
  const legacyMeters = new Set(
    subscriptionItems.flatMap(({ stripeMeterId: id }) => (id !== null && isLegacyMeter(id) ? id : [])),
  );
  return {
    customers: [...customers, ...clocked].map(toCustomer),
    meters: [...meters, ...[...legacyMeters].map(toLegacyMeter)],
    subscriptionItems,
    invoices: invoices.map((invoice) => toCatalogInvoice(invoice, { meteredItemIds, perUnitItemIds })),
  };
}

type ReadAll = <Item>(action: string, list: () => AsyncIterable<Item>) => Promise<Item[]>;

/**
 * Lists leave the objects of test clocks out unless a clock is named (docs.stripe.com/billing/testing/test-clocks), so what
 * webhooks had brought of them would seem to be gone.
 */
async function readTestClocks(
  stripe: Stripe,
  readAll: ReadAll,
): Promise<Pick<Stripe.TestHelpers.TestClock, 'id'>[]> {
  try {
    return await readAll('list test clocks', () => stripe.testHelpers.testClocks.list({ limit: PAGE_SIZE }));
  } catch (error) {
    // A restricted key without the right: nothing is rehearsed with it.
    if (error instanceof UpstreamError && error.statusCode === 403) return [];
    throw error;
  }
}

/** Whether the price that came with the item does not say what the item charges. */
export function needsWholePrice({
  subscription,
  item: { price },
}: {
  subscription: Pick<Stripe.Subscription, 'currency'>;
  item: Pick<Stripe.SubscriptionItem, 'price'>;
}): boolean {
  const lacksTiers = price.billing_scheme === 'tiered' && price.tiers === undefined;
  return lacksTiers || price.currency !== subscription.currency;
}

/**
 * All metered prices, with tiers and other currencies. These come only where they are asked for, and below
 * `data.items.data.price` they would be a fifth level of expansion: so prices are a list of their own.
 */
async function readPrices(stripe: Stripe, readAll: ReadAll): Promise<Map<string, Stripe.Price>> {
  const prices = await readAll('list prices', () =>
    stripe.prices.list({
      limit: PAGE_SIZE,
      recurring: { usage_type: 'metered' },
      expand: ['data.tiers', 'data.currency_options'],
    }),
  );
  return new Map(prices.map((price) => [price.id, price]));
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
