import { toSeconds, type WirePrice, type WireSubscriptionItem } from './http/wire.ts';
import { type BillingInterval, nextBoundary } from './invoices/months.ts';
import type { BillingPeriod, Subscription } from './state.ts';

/**
 * The periods of a subscription's items. Items whose prices bill as often share one; in the flexible billing mode they
 * may differ, all counted from the subscription's anchor, and an invoice has those items whose period ends with it
 * (docs.stripe.com/billing/subscriptions/mixed-interval).
 */
export function intervalOf(price: Pick<WirePrice, 'recurring'>): BillingInterval {
  const { interval, interval_count: count } = price.recurring ?? { interval: 'month', interval_count: 1 };
  return { unit: interval as BillingInterval['unit'], count };
}

function keyOf({ unit, count }: BillingInterval): string {
  return `${unit} ${count}`;
}

export function periodOf(subscription: Subscription, item: WireSubscriptionItem): BillingPeriod {
  return subscription.otherPeriods.get(keyOf(intervalOf(item.price))) ?? subscription;
}

/** When the next of them ends. */
export function nextEndMs(subscription: Subscription): number {
  return Math.min(
    subscription.periodEndMs,
    ...[...subscription.otherPeriods.values()].map(({ periodEndMs }) => periodEndMs),
  );
}

/** Whether an item's period is over at an instant. */
export function endsAt(subscription: Subscription, item: WireSubscriptionItem, atMs: number): boolean {
  return periodOf(subscription, item).periodEndMs <= atMs;
}

/** Makes sure that there is a period for a price that bills as often as none before it. */
export function openPeriod(subscription: Subscription, price: WirePrice, startMs: number): void {
  const interval = intervalOf(price);
  const key = keyOf(interval);
  if (key === keyOf(subscription.interval) || subscription.otherPeriods.has(key)) return;
  const inTrial = subscription.wire.status === 'trialing';
  const periodEndMs = inTrial
    ? subscription.periodEndMs
    : nextBoundary(subscription.anchorMs, startMs, interval);
  subscription.otherPeriods.set(key, { interval, periodStartMs: startMs, periodEndMs });
}

/** Those that end by then begin anew; `all`: every one does, as when the anchor is moved. */
export function beginPeriods(subscription: Subscription, atMs: number, all = false): void {
  for (const period of [subscription, ...subscription.otherPeriods.values()]) {
    if (!all && period.periodEndMs > atMs) continue;
    period.periodStartMs = atMs;
    period.periodEndMs = nextBoundary(subscription.anchorMs, atMs, period.interval);
  }
  writePeriods(subscription);
}

/** Tells the items what their periods are. One that joined, or got its price, within its period began then. */
export function writePeriods(subscription: Subscription): void {
  for (const item of subscription.items) {
    const { periodStartMs, periodEndMs } = periodOf(subscription, item);
    const sinceMs = Math.max(periodStartMs, subscription.itemSinceMs.get(item.id) ?? 0);
    item.current_period_start = toSeconds(sinceMs);
    item.current_period_end = toSeconds(periodEndMs);
  }
}
