import { DAY_MS } from '../../../src/platform/clock.ts';
import type { BillingAccount } from '../account.ts';
import { toSeconds } from '../http/wire.ts';
import { beginPeriods, nextEndMs, periodOf } from '../periods.ts';
import type { MeteredItem, Subscription } from '../state.ts';
import { emitSubscription, isEnded, meteredNow } from '../subscriptions.ts';
import type { BillingCycle } from './billing-cycle.ts';
import { emitInvoice } from './fate.ts';
import { joinPendingItems } from './items.ts';
import { type Charge, chargesOf, computeLines, quantityOf } from './lines.ts';
import { newDraft } from './renewals.ts';

/** "Billing thresholds are not evaluated during the 24 hours prior to a subscription's period ending." */
const NOT_BEFORE_END_MS = DAY_MS;

/**
 * Billing thresholds: usage that comes to an amount, or to a number of units of an item, is invoiced within the period. What
 * comes later is not added to that invoice; it is on the next one, tiers going on where they stood, unless the anchor is
 * reset, which ends the period (docs.stripe.com/billing/subscriptions/usage-based/thresholds). They are looked at when a
 * meter event is seen by invoices.
 */
export function watchThresholds(cycle: BillingCycle, customerId: string, receivedMs: number): void {
  const { account } = cycle;
  const { state } = account;
  for (const subscription of state.subscriptions.values()) {
    if (subscription.customerId !== customerId || !hasThreshold(subscription)) continue;
    const atMs = receivedMs + account.aggregationDelayMs;
    cycle.schedule(atMs, () => checkThresholds(account, subscription, atMs));
  }
}

function hasThreshold({ wire, items }: Subscription): boolean {
  return wire.billing_thresholds !== null || items.some((item) => item.billing_thresholds !== null);
}

function checkThresholds(account: BillingAccount, subscription: Subscription, atMs: number): void {
  const { wire } = subscription;
  if (isEnded(subscription) || wire.status === 'trialing' || wire.status === 'paused') return;
  if (atMs > nextEndMs(subscription) - NOT_BEFORE_END_MS) return;
  const used = usedOf(account, subscription, atMs);
  const amount = used.reduce((sum, { charges }) => sum + amountOf(charges), 0n);
  const amountGte = wire.billing_thresholds?.amount_gte ?? null;
  const isReached =
    (amountGte !== null && amount >= BigInt(amountGte)) ||
    used.some(({ metered: { item, billedEarlier }, quantity }) => {
      const usageGte = item.billing_thresholds?.usage_gte ?? null;
      return usageGte !== null && quantity - (billedEarlier?.quantity ?? 0n) >= BigInt(usageGte);
    });
  if (isReached) invoiceThreshold(account, subscription, used, atMs);
}

interface UsedItem {
  metered: MeteredItem;
  quantity: bigint;
  charges: Charge[];
}

function usedOf(
  { state, aggregationDelayMs }: BillingAccount,
  subscription: Subscription,
  atMs: number,
): UsedItem[] {
  const { customerId, wire } = subscription;
  const receivedUntilMs = atMs - aggregationDelayMs;
  return meteredNow(state, subscription).map((metered) => {
    const quantity = quantityOf({ state, customerId, periodEndMs: atMs, receivedUntilMs }, metered);
    const charges = chargesOf(state, metered.item, quantity, wire.currency, metered.billedEarlier);
    return { metered, quantity, charges };
  });
}

function invoiceThreshold(
  account: BillingAccount,
  subscription: Subscription,
  used: readonly UsedItem[],
  atMs: number,
): void {
  const { state, aggregationDelayMs } = account;
  const { wire, customerId } = subscription;
  const endMs = toSeconds(atMs) * 1_000;
  const resets = wire.billing_thresholds?.reset_billing_cycle_anchor === true;
  const metered = used.map((item) => item.metered);
  const invoice = newDraft(account, subscription, {
    billingReason: 'subscription_threshold',
    periodEndMs: endMs,
    metered,
  });
  const isWhole = state.thresholdPeriods === 'whole' && !resets;
  invoice.metered = [];
  for (const item of metered) {
    invoice.fixedLines.push(
      ...computeLines({
        state,
        customerId,
        subscriptionId: wire.id,
        metered: [item],
        periodEndMs: endMs,
        ...(isWhole ? { shownEndMs: periodOf(subscription, item.item).periodEndMs } : {}),
        receivedUntilMs: atMs - aggregationDelayMs,
        invoiceId: invoice.wire.id,
        linePrefix: `il_${invoice.wire.id.slice('in_'.length)}`,
      }),
    );
  }
  joinPendingItems(state, invoice);
  state.invoices.set(invoice.wire.id, invoice);
  wire.latest_invoice = invoice.wire.id;
  if (resets) {
    subscription.anchorMs = endMs;
    wire.billing_cycle_anchor = toSeconds(endMs);
    subscription.billedEarlier.clear();
    beginPeriods(subscription, endMs, true);
  } else {
    for (const {
      metered: { item, billedEarlier },
      quantity,
      charges,
    } of used) {
      const amount = (billedEarlier?.amount ?? 0n) + amountOf(charges);
      subscription.billedEarlier.set(item.id, { quantity, amount, untilMs: endMs });
    }
  }
  emitInvoice(account, 'invoice.created', invoice, atMs);
  emitSubscription(account, subscription, atMs);
}

function amountOf(charges: readonly Charge[]): bigint {
  return charges.reduce((sum, { amount }) => sum + amount, 0n);
}
