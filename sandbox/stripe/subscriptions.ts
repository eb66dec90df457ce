import type { BillingAccount } from './account.ts';
import { idsOf } from './adjustments/discounts.ts';
import { TAX_BEHAVIORS } from './adjustments/tax-parameters.ts';
import { refuseParameter } from './http/refusal.ts';
import { toSeconds, type WireSubscriptionItem } from './http/wire.ts';
import { newInvoiceItem } from './invoices/items.ts';
import { chargesOf, quantityOf } from './invoices/lines.ts';
import { newSubscriptionItem } from './objects.ts';
import { openPeriod, periodOf, writePeriods } from './periods.ts';
import { amountsIn, toPlan } from './prices.ts';
import { type Proration, prorate } from './prorations.ts';
import type { ItemTaxes, MeteredItem, StripeState, Subscription } from './state.ts';

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

/** What the period at hand bills, as the metered items are now. Usage in a trial is given away. */
export function meteredNow(state: StripeState, subscription: Subscription): MeteredItem[] {
  const isTrial = subscription.wire.status === 'trialing';
  return subscription.items.filter(isMetered).map((item) => {
    const { periodStartMs, periodEndMs } = periodOf(subscription, item);
    const fromMs = Math.max(periodStartMs, subscription.itemSinceMs.get(item.id) ?? 0);
    const billedEarlier = subscription.billedEarlier.get(item.id);
    return {
      item: { ...item },
      fromMs: isTrial && !state.showsTrials ? periodEndMs : fromMs,
      ...(billedEarlier === undefined ? {} : { billedEarlier }),
      ...(isTrial && state.showsTrials ? { isTrial } : {}),
    };
  });
}

function isMetered({ price }: WireSubscriptionItem): boolean {
  return price.recurring?.usage_type !== 'licensed';
}

/** An item that is added counts from then on. @throws StripeRefusal */
export function addItem(
  account: BillingAccount,
  subscription: Subscription,
  priceId: string,
  atMs: number,
  { quantity = 1, proration = 'none' }: { quantity?: number; proration?: Proration } = {},
): WireSubscriptionItem {
  checkPrice(account, subscription, priceId);
  checkItemCount(subscription.items.length + 1);
  const item = newSubscriptionItem(account.state, subscription, priceId, atMs, quantity);
  if (proration !== 'none') prorate(account, subscription, item, { from: 0, to: quantity }, atMs);
  return item;
}

/** @throws StripeRefusal */
export function checkItemCount(count: number): void {
  if (count > MAX_ITEMS) {
    throw refuseParameter('items', `Subscriptions may have at most ${MAX_ITEMS} items.`);
  }
}

/**
 * The item gets another price. Under the flexible billing mode what was reported until now is billed at the old price by an
 * item on the next invoice, and usage from now on at the new one; under the classic one what was reported until now is
 * billed by nothing (docs.stripe.com/billing/subscriptions/billing-mode/compare). What is reported later with an earlier
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
  leavePrice(account, subscription, item, atMs, billUsage);
  item.price = price;
  item.plan = toPlan(price);
  if (isMetered(item)) delete item.quantity;
  else item.quantity ??= 1;
  subscription.itemSinceMs.set(item.id, toSeconds(atMs) * 1_000);
  openPeriod(subscription, price, toSeconds(atMs) * 1_000);
  writePeriods(subscription);
  if (billUsage) prorate(account, subscription, item, { from: 0, to: item.quantity ?? 0 }, atMs);
}

/** Another number of a licensed item: what is left of its period is credited at the old number, and charged at the new. */
export function changeQuantity(
  account: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  quantity: number,
  atMs: number,
  proration: Proration,
): void {
  const from = item.quantity ?? 0;
  if (isMetered(item)) throw refuseParameter('quantity', 'A metered item has no quantity.');
  if (from === quantity) return;
  item.quantity = quantity;
  if (proration !== 'none') prorate(account, subscription, item, { from, to: quantity }, atMs);
}

function leavePrice(
  account: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  atMs: number,
  billUsage: boolean,
): void {
  const isClassic = subscription.wire.billing_mode.type === 'classic';
  if (billUsage && isMetered(item) && !isClassic) billUsedSoFar(account, subscription, item, atMs);
  if (billUsage && !isMetered(item))
    prorate(account, subscription, item, { from: item.quantity ?? 0, to: 0 }, atMs);
  subscription.billedEarlier.delete(item.id);
}

/** Takes an item away; what was used of it is billed unless that is forgone. */
export function removeItem(
  account: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  atMs: number,
  billUsage = true,
): void {
  leavePrice(account, subscription, item, atMs, billUsage);
  subscription.items.splice(subscription.items.indexOf(item), 1);
  subscription.itemSinceMs.delete(item.id);
  account.state.items.delete(item.id);
}

/** What a metered item has used and no threshold has billed, as items for the next invoice. */
export function billUsedSoFar(
  { state, aggregationDelayMs }: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  atMs: number,
): void {
  const metered = meteredNow(state, subscription).find((candidate) => candidate.item.id === item.id);
  if (metered === undefined || subscription.wire.status === 'trialing') return;
  const { customerId } = subscription;
  const receivedUntilMs = atMs - aggregationDelayMs;
  const used = quantityOf({ state, customerId, periodEndMs: atMs, receivedUntilMs }, metered);
  const { billedEarlier } = metered;
  if (used === (billedEarlier?.quantity ?? 0n)) return;
  const { currency } = subscription.wire;
  const isSliced = billedEarlier !== undefined && state.thresholdPeriods === 'slices';
  for (const charge of chargesOf(state, metered.item, used, currency, billedEarlier)) {
    newInvoiceItem(state, {
      customerId,
      subscriptionId: subscription.wire.id,
      subscriptionItemId: item.id,
      currency,
      description: charge.description,
      amount: charge.amount,
      quantity: charge.quantity ?? 0n,
      unitAmountDecimal: charge.unitAmountDecimal ?? '0',
      price: { priceId: item.price.id, productId: String(item.price.product) },
      periodStart: toSeconds(isSliced ? billedEarlier.untilMs : metered.fromMs),
      periodEnd: toSeconds(atMs),
      metadata: {},
      date: toSeconds(atMs),
      taxes: taxesOf(state, item),
      discounts: idsOf(item.discounts),
      taxRates: item.tax_rates ?? [],
    });
  }
}

/** What is billed of an item beside its line is taxed as its price is. */
function taxesOf(state: StripeState, { price }: WireSubscriptionItem): ItemTaxes {
  const code = state.products.get(String(price.product))?.tax_code ?? null;
  const behavior = TAX_BEHAVIORS.find((known) => known === price.tax_behavior) ?? 'unspecified';
  return { behavior, code: typeof code === 'string' ? code : null };
}

/** @throws StripeRefusal */
export function checkPrice(
  { state }: BillingAccount,
  subscription: Pick<Subscription, 'items' | 'wire'>,
  priceId: string,
  except?: WireSubscriptionItem,
): void {
  checkInterval(state, subscription, priceId, except);
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

/** Only the flexible mode has items of different intervals. @throws StripeRefusal */
function checkInterval(
  state: StripeState,
  { items, wire }: Pick<Subscription, 'items' | 'wire'>,
  priceId: string,
  except: WireSubscriptionItem | undefined,
): void {
  const price = state.prices.get(priceId);
  if (price === undefined || wire.billing_mode?.type !== 'classic') return;
  const others = items.filter((item) => item !== except);
  const { interval, interval_count: count } = price.recurring ?? {};
  const isSame = ({ price: { recurring } }: WireSubscriptionItem) =>
    recurring?.interval === interval && recurring?.interval_count === count;
  if (others.every(isSame)) return;
  throw refuseParameter(
    'price',
    'Currently, all items of a classic subscription must have the same billing interval.',
  );
}
