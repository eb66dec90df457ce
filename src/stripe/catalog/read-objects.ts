import type Stripe from 'stripe';
import { UpstreamError } from '../../platform/errors.ts';
import { idOf } from '../invoices.ts';
import { isLegacyMeter, toLegacyMeter } from '../legacy-usage.ts';
import type { BillingCatalogChange, BillingSubscriptionItem, CatalogTargets } from '../port.ts';
import { toRatePriceIn } from '../rate-price.ts';
import { type RetryPolicy, withRetry } from '../retry.ts';
import { needsWholePrice } from './catalog.ts';
import { toCatalogInvoice, toCustomer, toMeter, toSubscriptionItem } from './objects.ts';
import { readWholePrice } from './read-price.ts';

const PAGE_SIZE = 100;
/** Four levels, Stripe's most: so one read brings a subscription with all that its items say. */
const SUBSCRIPTION_EXPANSION = ['items.data.price.product', 'items.data.price.tiers'];

interface ObjectReader {
  stripe: Stripe;
  policy: RetryPolicy;
  servesLegacyItems: boolean;
}

/**
 * Single objects as they are now, one call after the other: reads are rationed by Stripe. See
 * BillingSystem.readCatalogObjects. What is not there is left out, or listed as deleted.
 * @throws UpstreamError
 */
export async function readCatalogObjects(
  client: ObjectReader,
  wanted: CatalogTargets,
  options: { invoicesSince: Date },
  signal?: AbortSignal,
): Promise<BillingCatalogChange> {
  const { stripe } = client;
  const read = <Result>(action: string, id: string, run: () => Promise<Result>) =>
    readOrNull(client.policy, { action, id }, run, signal);
  const change: BillingCatalogChange = {
    customers: [],
    meters: [],
    subscriptions: [],
    invoices: [],
    deletedInvoiceIds: [],
    prices: [],
    products: [],
  };
  for (const id of new Set(wanted.customerIds)) {
    const customer = await read('read a customer', id, () => stripe.customers.retrieve(id));
    change.customers.push(toCustomer(customer ?? { id, object: 'customer', deleted: true }));
  }
  for (const id of new Set(wanted.meterIds)) {
    if (isLegacyMeter(id)) {
      change.meters.push(toLegacyMeter(id));
      continue;
    }
    const meter = await read('read a meter', id, () => stripe.billing.meters.retrieve(id));
    const known = meter === null ? null : toMeter(meter);
    if (known !== null) change.meters.push(known);
  }
  for (const id of new Set(wanted.subscriptionIds)) {
    const subscription = await read('read a subscription', id, () =>
      stripe.subscriptions.retrieve(id, { expand: SUBSCRIPTION_EXPANSION }),
    );
    if (subscription === null) continue;
    change.subscriptions.push({ subscriptionId: id, items: await readItems(client, subscription, signal) });
    // After the subscription, never before: a period that it has left has its draft by then.
    const invoices = await read('list invoices of a subscription', id, () =>
      collect(
        stripe.invoices.list({
          subscription: id,
          created: { gte: Math.floor(options.invoicesSince.getTime() / 1_000) },
          limit: PAGE_SIZE,
        }),
      ),
    );
    change.invoices.push(...(invoices ?? []).map(toHeader));
  }
  const seen = new Set(change.invoices.map((invoice) => invoice.invoiceId));
  for (const id of new Set(wanted.invoiceIds)) {
    if (seen.has(id)) continue;
    const invoice = await read('read an invoice', id, () => stripe.invoices.retrieve(id));
    if (invoice === null || invoice.deleted) change.deletedInvoiceIds.push(id);
    else change.invoices.push(toHeader(invoice));
  }
  for (const id of new Set(wanted.priceIds)) {
    const price = await readPrice(client, id, signal);
    if (price === null) continue;
    const currencies = [price.currency, ...Object.keys(price.currency_options ?? {})];
    const rated = currencies.map((currency) => ({ currency, ...toRatePriceIn(price, currency) }));
    change.prices.push({
      priceId: id,
      stripeMeterId: price.recurring?.meter ?? null,
      productId: idOf(price.product) ?? '',
      metadata: price.metadata,
      priceByCurrency: Object.fromEntries(
        rated.filter(({ problem }) => problem === null).map((one) => [one.currency, one.price]),
      ),
    });
  }
  for (const id of new Set(wanted.productIds)) {
    const product = await read('read a product', id, () => stripe.products.retrieve(id));
    if (product !== null) change.products.push({ productId: id, name: product.name });
  }
  return change;
}

/** Every metered item; those beyond the first page that came with the subscription are asked for. */
async function readItems(
  client: ObjectReader,
  subscription: Stripe.Subscription,
  signal: AbortSignal | undefined,
): Promise<BillingSubscriptionItem[]> {
  const call = { action: 'list subscription items', writes: false };
  const items = subscription.items.has_more
    ? await withRetry(
        client.policy,
        call,
        () =>
          collect(
            client.stripe.subscriptionItems.list({
              subscription: subscription.id,
              limit: PAGE_SIZE,
              expand: ['data.price.product', 'data.price.tiers'],
            }),
          ),
        signal,
      )
    : subscription.items.data;
  const read: BillingSubscriptionItem[] = [];
  for (const item of items) {
    if (item.price.recurring?.usage_type !== 'metered') continue;
    const needsMore = needsWholePrice({ subscription, item });
    const price = needsMore ? await readPrice(client, item.price.id, signal) : item.price;
    read.push(
      toSubscriptionItem(subscription, item, {
        productName: nameOf(item.price.product),
        // Whether we can bill through it is known where the meter is.
        isKnownMeter: () => true,
        servesLegacyItems: client.servesLegacyItems,
        price: price ?? undefined,
      }),
    );
  }
  return read;
}

function readPrice(client: ObjectReader, id: string, signal: AbortSignal | undefined) {
  return readWholePrice((expand) =>
    readOrNull(
      client.policy,
      { action: 'read a price', id },
      () => client.stripe.prices.retrieve(id, { expand }),
      signal,
    ),
  );
}

function nameOf(product: Stripe.Price['product']): string | null {
  return typeof product === 'string' || product.deleted === true ? null : product.name;
}

/** Every line of an item counts as metered here; the ledger knows which of them are. */
function toHeader(invoice: Stripe.Invoice) {
  const itemIds = new Set(
    invoice.lines.data.flatMap((line) => line.parent?.subscription_item_details?.subscription_item ?? []),
  );
  return toCatalogInvoice(invoice, { meteredItemIds: itemIds, perUnitItemIds: new Set() });
}

/** Every page of a list: what lies beyond the first is there as well. */
async function collect<Item>(list: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of list) items.push(item);
  return items;
}

/** Null: Stripe has no such object (any more). */
async function readOrNull<Result>(
  policy: RetryPolicy,
  call: { action: string; id: string },
  run: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result | null> {
  try {
    return await withRetry(
      policy,
      { action: call.action, writes: false, context: { id: call.id } },
      run,
      signal,
    );
  } catch (error) {
    if (error instanceof UpstreamError && error.context.statusCode === 404) return null;
    throw error;
  }
}
