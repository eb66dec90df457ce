import type { BillingAccount } from '../account.ts';
import { readItemTerms, readTerms } from '../adjustments/terms.ts';
import {
  type Form,
  mergeMetadata,
  readBoolean,
  readChange,
  readInteger,
  readNested,
  readObjects,
  readText,
  requireText,
} from '../http/form.ts';
import { refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireSubscriptionItem } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { endPeriod, invoicePending, resetAnchor } from '../invoices/renewals.ts';
import type { Subscription } from '../state.ts';
import {
  addItem,
  changeQuantity,
  checkItemCount,
  checkPrice,
  removeItem,
  replacePrice,
} from '../subscriptions.ts';
import type { Call } from './endpoint.ts';

const PAUSE_BEHAVIORS = ['keep_as_draft', 'mark_uncollectible', 'void'];
const PRORATION_BEHAVIORS = ['create_prorations', 'always_invoice', 'none'] as const;

/**
 * What becomes of the usage under a price that goes: it waits for the next invoice, is invoiced at once, or is forgone.
 * @throws StripeRefusal
 */
export function readProration(form: Form): (typeof PRORATION_BEHAVIORS)[number] {
  const asked = readText(form, 'proration_behavior') ?? 'create_prorations';
  const behavior = PRORATION_BEHAVIORS.find((known) => known === asked);
  if (behavior !== undefined) return behavior;
  throw refuseParameter('proration_behavior', `must be one of ${PRORATION_BEHAVIORS.join(', ')}`);
}

/** Undefined: not said. @throws StripeRefusal */
export function readThresholds(form: Form): Subscription['wire']['billing_thresholds'] | undefined {
  if (form.billing_thresholds === undefined) return undefined;
  if (form.billing_thresholds === '') return null;
  const given = readNested(form, 'billing_thresholds');
  const amount = readInteger(given, 'amount_gte');
  if (amount !== undefined && amount < 50)
    throw refuseParameter('billing_thresholds[amount_gte]', 'must be at least 50');
  return {
    amount_gte: amount ?? null,
    reset_billing_cycle_anchor: readBoolean(given, 'reset_billing_cycle_anchor') ?? false,
  };
}

/** A trial ends when that is said, or now; billing begins with it. @throws StripeRefusal */
function endTrial(account: BillingAccount, subscription: Subscription, form: Form, nowMs: number): void {
  const { wire } = subscription;
  const end = readText(form, 'trial_end') === 'now' ? toSeconds(nowMs) : readInteger(form, 'trial_end');
  if (wire.status !== 'trialing' || end === undefined || end < toSeconds(nowMs))
    throw refuseParameter('trial_end', 'must be now, or later, of a subscription in its trial');
  wire.trial_end = end;
  const endMs = end * 1_000;
  if (subscription.anchorMs === subscription.periodEndMs) {
    subscription.anchorMs = endMs;
    wire.billing_cycle_anchor = end;
  }
  for (const period of [subscription, ...subscription.otherPeriods.values()]) period.periodEndMs = endMs;
  for (const item of subscription.items) item.current_period_end = end;
  if (endMs <= nowMs) endPeriod(account, subscription);
}

function definedQuantity(quantity: number | undefined): { quantity?: number } {
  return quantity === undefined ? {} : { quantity };
}

export function updateSubscription(
  cycle: BillingCycle,
  subscription: Subscription,
  { form, nowMs }: Call,
): void {
  const { account } = cycle;
  const { state } = account;
  const { wire } = subscription;
  const pause = readPause(form);
  const cancelAtPeriodEnd = readBoolean(form, 'cancel_at_period_end');
  const paymentMethod = readChange(form, 'default_payment_method');
  const proration = readProration(form);
  const billsUsage = proration !== 'none';
  const setTerms = readTerms(state, form, wire, nowMs);
  const target = { customer: subscription.customerId, subscription: wire.id };
  const atMs = state.timeOf(subscription.customerId, nowMs);
  // All of them are checked before the first is made: a refused call must leave nothing behind.
  const changes = readObjects(form, 'items').map((change) => {
    const id = readText(change, 'id');
    const item = subscription.items.find((candidate) => candidate.id === id);
    if (id !== undefined && item === undefined) {
      throw refuseParameter('items', `No such subscription item: '${id}'`, 'resource_missing');
    }
    const setItem = readItemTerms(state, change, item ?? null, nowMs);
    if (item !== undefined && readBoolean(change, 'deleted') === true)
      return { item, priceId: null, quantity: undefined, setItem };
    const quantity = readInteger(change, 'quantity');
    if (item !== undefined && change.price === undefined)
      return { item, priceId: item.price.id, quantity, setItem };
    const priceId = requireText(change, 'price');
    checkPrice(account, subscription, priceId, item);
    return { item, priceId, quantity, setItem };
  });
  checkItemCount(
    subscription.items.length +
      changes.filter(({ item }) => item === undefined).length -
      changes.filter(({ priceId }) => priceId === null).length,
  );
  // What was used until then is of the old price: its period ends first.
  if (readText(readNested(form, 'billing_cycle_anchor'), 'type') === 'now')
    resetAnchor(account, subscription, nowMs);
  for (const { item, priceId } of changes) {
    if (item !== undefined && priceId === null) removeItem(account, subscription, item, nowMs, billsUsage);
  }
  const added: WireSubscriptionItem[] = [];
  for (const { item, priceId, quantity, setItem } of changes) {
    if (priceId === null) continue;
    if (item === undefined) {
      const made = addItem(account, subscription, priceId, nowMs, {
        ...definedQuantity(quantity),
        proration,
      });
      setItem(made, { ...target, subscription_item: made.id }, atMs);
      added.push(made);
      continue;
    }
    replacePrice(account, subscription, item, priceId, nowMs, billsUsage);
    if (quantity !== undefined) changeQuantity(account, subscription, item, quantity, nowMs, proration);
    setItem(item, { ...target, subscription_item: item.id }, atMs);
  }
  setTerms(wire, target, atMs);
  if (proration === 'always_invoice') invoicePending(account, subscription, nowMs, added);
  const thresholds = readThresholds(form);
  if (thresholds !== undefined) wire.billing_thresholds = thresholds;
  if (form.trial_end !== undefined) endTrial(account, subscription, form, nowMs);
  if (cancelAtPeriodEnd !== undefined) {
    wire.cancel_at_period_end = cancelAtPeriodEnd;
    wire.cancel_at = cancelAtPeriodEnd ? toSeconds(subscription.periodEndMs) : null;
    wire.canceled_at = cancelAtPeriodEnd ? toSeconds(nowMs) : null;
  }
  if (pause !== undefined) wire.pause_collection = pause;
  if (paymentMethod !== undefined) wire.default_payment_method = paymentMethod;
  wire.metadata = mergeMetadata(wire.metadata, form);
}

function readPause(form: Form): Subscription['wire']['pause_collection'] | undefined {
  if (form.pause_collection === undefined) return undefined;
  if (form.pause_collection === '') return null;
  const pause = readNested(form, 'pause_collection');
  const behavior = requireText(pause, 'behavior');
  if (!PAUSE_BEHAVIORS.includes(behavior)) {
    throw refuseParameter('pause_collection[behavior]', `must be one of ${PAUSE_BEHAVIORS.join(', ')}`);
  }
  return { behavior, resumes_at: readInteger(pause, 'resumes_at') ?? null };
}
