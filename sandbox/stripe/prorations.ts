import type { BillingAccount } from './account.ts';
import { toSeconds, type WireInvoiceLine, type WireSubscriptionItem } from './http/wire.ts';
import { itemLine } from './invoices/item-line.ts';
import { newInvoiceItem } from './invoices/items.ts';
import { priceLine } from './money.ts';
import { periodOf } from './periods.ts';
import { amountsIn } from './prices.ts';
import type { BillingPeriod, StripeState, Subscription } from './state.ts';

export type Proration = 'create_prorations' | 'always_invoice' | 'none';

/**
 * Licensed items are billed ahead, for the period that begins; what changes within it is credited and charged for the time
 * that is left, by the second, as items for the next invoice (docs.stripe.com/billing/subscriptions/prorations).
 */
export function prorate(
  account: BillingAccount,
  subscription: Subscription,
  item: WireSubscriptionItem,
  { from, to }: { from: number; to: number },
  atMs: number,
): void {
  const { state } = account;
  if (item.price.recurring?.usage_type !== 'licensed' || subscription.wire.status === 'trialing') return;
  const { periodStartMs, periodEndMs } = periodOf(subscription, item);
  const left = toSeconds(periodEndMs) - toSeconds(atMs);
  const whole = toSeconds(periodEndMs) - toSeconds(periodStartMs);
  for (const [quantity, sign] of [
    [from, -1],
    [to, 1],
  ] as const) {
    if (quantity === 0 || left <= 0) continue;
    const amount = Math.round((Number(amountOf(state, subscription, item, quantity)) * left) / whole);
    const name = nameOf(state, item);
    newInvoiceItem(state, {
      customerId: subscription.customerId,
      subscriptionId: subscription.wire.id,
      subscriptionItemId: item.id,
      currency: subscription.wire.currency,
      description: `${sign < 0 ? 'Unused' : 'Remaining'} time on ${quantity} × ${name}`,
      amount: BigInt(sign * amount),
      quantity: BigInt(quantity),
      unitAmountDecimal: item.price.unit_amount_decimal ?? '0',
      price: { priceId: item.price.id, productId: String(item.price.product) },
      periodStart: toSeconds(atMs),
      periodEnd: toSeconds(periodEndMs),
      metadata: {},
      date: toSeconds(atMs),
      proration: true,
    });
  }
}

/** Lines in advance, of the licensed items among these and the period that begins. */
export function advanceLines(
  state: StripeState,
  subscription: Subscription,
  items: readonly WireSubscriptionItem[],
  invoice: { id: string | null; linePrefix: string; periodOf: (item: WireSubscriptionItem) => BillingPeriod },
): WireInvoiceLine[] {
  const inTrial = subscription.wire.status === 'trialing';
  return items
    .filter(({ price }) => price.recurring?.usage_type === 'licensed')
    .map((item) => {
      const quantity = item.quantity ?? 1;
      const amount = inTrial ? 0n : amountOf(state, subscription, item, quantity);
      const name = nameOf(state, item);
      const description = inTrial ? `Free trial for ${quantity} × ${name}` : `${quantity} × ${name}`;
      return fixedLine(subscription, item, { ...invoice, quantity, amount, description });
    });
}

/** A line of an item for the time ahead; of a metered one it is the zero that the classic mode shows. */
export function fixedLine(
  subscription: Subscription,
  item: WireSubscriptionItem,
  given: {
    id: string | null;
    linePrefix: string;
    periodOf: (item: WireSubscriptionItem) => BillingPeriod;
    quantity: number;
    amount: bigint;
    description: string;
  },
): WireInvoiceLine {
  const { periodStartMs, periodEndMs } = given.periodOf(item);
  return itemLine(item, {
    id: `${given.linePrefix}${item.id.slice(-4)}a`,
    invoiceId: given.id,
    subscriptionId: subscription.wire.id,
    currency: subscription.wire.currency,
    description: given.description,
    amount: given.amount,
    quantity: given.quantity,
    unitAmountDecimal: item.price.unit_amount_decimal,
    startMs: periodStartMs,
    endMs: periodEndMs,
  });
}

function amountOf(
  state: StripeState,
  subscription: Subscription,
  { price }: WireSubscriptionItem,
  quantity: number,
): bigint {
  const amounts = amountsIn(state, price, subscription.wire.currency);
  return priceLine(BigInt(quantity), amounts?.unitAmountDecimal ?? '0');
}

function nameOf(state: StripeState, { price }: WireSubscriptionItem): string {
  const productId = String(price.product);
  return state.products.get(productId)?.name ?? productId;
}
