import type { BillingAccount } from './account.ts';
import { refuseParameter } from './http/refusal.ts';
import { toSeconds, type WireSubscriptionItem } from './http/wire.ts';
import { newInvoiceItem } from './invoices/items.ts';
import { chargesOf, quantityOf } from './invoices/lines.ts';
import { newSubscriptionItem } from './objects.ts';
import { amountsIn, toPlan } from './prices.ts';
import type { MeteredItem, Subscription } from './state.ts';

/** Stripe's cap on a subscription. */
const MAX_ITEMS = 20;
/** Items that travel inside a subscription; the rest is paged. */
const EMBEDDED_ITEM_COUNT = 10;

export function renderSubscription(subscription: Subscription) {
  return {
    ...subscription.wire,
    items: {
      object: 'list' as const,
      data: subscription.items.slice(0, EMBEDDED_ITEM_COUNT),
      has_more: subscription.items.length > EMBEDDED_ITEM_COUNT,
      url: `/v1/subscription_items?subscription=${subscription.wire.id}`,
    },
  };
}

export function emitSubscription(account: BillingAccount, subscription: Subscription, atMs: number): void {
  account.emit('customer.subscription.updated', renderSubscription(subscription), atMs);
}

/** Nothing more is billed through it. */
export function isEnded({ wire }: Subscription): boolean {
  return wire.status === 'canceled' || wire.status === 'incomplete_expired';
}

/** What the period at hand bills, as the items are now. Usage in a trial is given away. */
export function meteredNow(subscription: Subscription): MeteredItem[] {
  const free = subscription.wire.status === 'trialing';
  return subscription.items.map((item) => ({
    item: { ...item },
    fromMs: free
      ? subscription.periodEndMs
      : Math.max(subscription.periodStartMs, subscription.itemSinceMs.get(item.id) ?? 0),
  }));
}

/** An item that is added counts from then on. @throws StripeRefusal */
export function addItem(
  account: BillingAccount,
  subscription: Subscription,
  priceId: string,
  atMs: number,
): WireSubscriptionItem {
  checkPrice(account, subscription, priceId);
  checkItemCount(subscription.items.length + 1);
  return newSubscriptionItem(account.state, subscription, priceId, atMs);
}

/** @throws StripeRefusal */
export function checkItemCount(count: number): void {
  if (count > MAX_ITEMS) {
    throw refuseParameter('items', `Subscriptions may have at most ${MAX_ITEMS} items.`);
  }
}

/**
 * The item gets another price. As under the flexible billing mode: what was reported until now is billed at the old
 * price by an item on the next invoice, and usage from now on at the new one. What is reported later with an earlier
 * time belongs to neither.
 * @throws StripeRefusal
 */
export function replacePrice(
  account: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  priceId: string,
  atMs: number,
  billUsage = true,
): void {
  const { state } = account;
  checkPrice(account, subscription, priceId, item);
  const price = state.prices.get(priceId);
  if (price === undefined || price.id === item.price.id) return;
  if (billUsage) billUsedSoFar(account, subscription, item, atMs);
  item.price = price;
  item.plan = toPlan(price);
  const since = toSeconds(atMs);
  item.current_period_start = since;
  subscription.itemSinceMs.set(item.id, since * 1_000);
}

/** Takes an item away; what was used of it is billed unless that is forgone. */
export function removeItem(
  account: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  atMs: number,
  billUsage = true,
): void {
  if (billUsage) billUsedSoFar(account, subscription, item, atMs);
  subscription.items.splice(subscription.items.indexOf(item), 1);
  subscription.itemSinceMs.delete(item.id);
  account.state.items.delete(item.id);
}

function billUsedSoFar(
  { state, aggregationDelayMs }: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  atMs: number,
): void {
  const metered = meteredNow(subscription).find((candidate) => candidate.item.id === item.id);
  if (metered === undefined) return;
  const { customerId } = subscription;
  const receivedUntilMs = atMs - aggregationDelayMs;
  const used = quantityOf({ state, customerId, periodEndMs: atMs, receivedUntilMs }, metered);
  if (used === 0n) return;
  const { currency } = subscription.wire;
  for (const charge of chargesOf(state, metered.item, used, currency)) {
    newInvoiceItem(state, {
      customerId,
      subscriptionId: subscription.wire.id,
      subscriptionItemId: item.id,
      currency,
      description: charge.description,
      amount: charge.amount,
      quantity: charge.quantity,
      unitAmountDecimal: charge.unitAmountDecimal ?? '0',
      price: { priceId: item.price.id, productId: String(item.price.product) },
      periodStart: toSeconds(metered.fromMs),
      periodEnd: toSeconds(atMs),
      metadata: {},
      date: toSeconds(atMs),
    });
  }
}

/** @throws StripeRefusal */
export function checkPrice(
  { state }: BillingAccount,
  subscription: Pick<Subscription, 'items' | 'wire'>,
  priceId: string,
  except?: WireSubscriptionItem,
): void {
  const price = state.prices.get(priceId);
  if (price === undefined) throw refuseParameter('price', `No such price: '${priceId}'`, 'resource_missing');
  if (!price.active) throw refuseParameter('price', 'The price specified is inactive.');
  const { currency } = subscription.wire;
  if (amountsIn(state, price, currency) === undefined) {
    throw refuseParameter('price', `The price has no amount in ${currency}, the subscription's currency.`);
  }
  if (subscription.items.some((item) => item !== except && item.price.id === price.id)) {
    throw refuseParameter('price', 'A subscription item with this price exists already.');
  }
}
