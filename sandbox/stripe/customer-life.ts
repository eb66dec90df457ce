import { DAY_MS } from '../../src/platform/clock.ts';
import type { CustomerLife } from '../scenario.ts';
import type { BillingAccount } from './account.ts';
import { toSeconds, type WirePrice } from './http/wire.ts';
import type { BillingCycle } from './invoices/billing-cycle.ts';
import { cancelNow } from './invoices/renewals.ts';
import { formatDecimal, parseDecimal } from './money.ts';
import { newPrice } from './prices.ts';
import type { Subscription } from './state.ts';
import { emitSubscription, isEnded, replacePrice } from './subscriptions.ts';

/** Plans what the scenario has in store for a customer's subscriptions; a replay plans the same. */
export function scheduleLife(
  cycle: BillingCycle,
  subscriptions: readonly Subscription[],
  life: CustomerLife,
  startMs: number,
): void {
  const { account } = cycle;
  const plan = (day: number, act: (subscription: Subscription, atMs: number) => void) => {
    const atMs = startMs + day * DAY_MS;
    cycle.schedule(atMs, () => {
      for (const subscription of subscriptions) if (!isEnded(subscription)) act(subscription, atMs);
    });
  };
  const { pause, upgrade, cancel } = life;
  if (pause !== undefined) {
    const resumes_at = pause.untilDay === undefined ? null : toSeconds(startMs + pause.untilDay * DAY_MS);
    plan(pause.fromDay, (subscription, atMs) => {
      subscription.wire.pause_collection = { behavior: pause.behavior, resumes_at };
      emitSubscription(account, subscription, atMs);
    });
  }
  if (upgrade !== undefined) {
    plan(upgrade.day, (subscription, atMs) => {
      replaceAllPrices(account, subscription, upgrade.priceThousandths, atMs);
      emitSubscription(account, subscription, atMs);
    });
  }
  if (cancel !== undefined) {
    plan(cancel.day, (subscription, atMs) => {
      if (!cancel.atPeriodEnd) {
        cancelNow(account, subscription, atMs, true);
        return;
      }
      subscription.wire.cancel_at_period_end = true;
      subscription.wire.cancel_at = toSeconds(subscription.periodEndMs);
      subscription.wire.canceled_at = toSeconds(atMs);
      emitSubscription(account, subscription, atMs);
    });
  }
}

/** Per-unit prices only: a tiered one is kept. */
function replaceAllPrices(
  account: BillingAccount,
  subscription: Subscription,
  thousandths: number,
  atMs: number,
): void {
  const { state } = account;
  for (const item of [...subscription.items]) {
    const old: WirePrice = item.price;
    if (old.unit_amount_decimal === null || state.priceTiers.has(old.id)) continue;
    const cents = (parseDecimal(old.unit_amount_decimal) * BigInt(thousandths)) / 1_000n;
    const price = newPrice(state, {
      productId: String(old.product),
      meterId: old.recurring?.meter ?? null,
      currency: old.currency,
      scheme: { unitAmountDecimal: formatDecimal(cents) },
      nickname: old.nickname,
      metadata: old.metadata,
      created: toSeconds(atMs),
    });
    account.emit('price.created', price, atMs);
    replacePrice(account, subscription, item, price.id, atMs);
  }
}
