import { type Form, readObjects, requireText } from '../http/form.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireCoupon, type WireDiscount } from '../http/wire.ts';
import { addMonths } from '../invoices/months.ts';
import type { StripeState, Subscription } from '../state.ts';
import type { DiscountTerms } from './adjust.ts';
import { parsePercent } from './round-to-total.ts';

const MAX_DISCOUNTS = 20;

/** What a discount is put on. */
export type DiscountTarget = Partial<
  Pick<WireDiscount, 'customer' | 'invoice' | 'invoice_item' | 'subscription' | 'subscription_item'>
>;

/** Each entry of `discounts`: a coupon to redeem, or a discount that is on the target already and stays. */
type DiscountChange = { coupon: WireCoupon } | { discountId: string };

/**
 * `discounts` of a call, checked and nothing done yet; undefined leaves them, an empty text takes all away.
 * @param known ids of discounts that may stay
 * @throws StripeRefusal
 */
export function readDiscounts(
  state: StripeState,
  form: Form,
  known: readonly string[],
  nowMs: number,
): DiscountChange[] | undefined {
  if (form.discounts === undefined) return undefined;
  if (form.discounts === '') return [];
  const changes = readObjects(form, 'discounts').map((entry): DiscountChange => {
    if (entry.coupon !== undefined) return { coupon: redeemable(state, requireText(entry, 'coupon'), nowMs) };
    if (entry.discount === undefined) throw refuseMissing('discounts[coupon]');
    const discountId = requireText(entry, 'discount');
    if (known.includes(discountId)) return { discountId };
    throw refuseParameter('discounts', `No such discount: '${discountId}'`, 'resource_missing');
  });
  if (changes.length > MAX_DISCOUNTS) {
    throw refuseParameter('discounts', `Array must have at most ${MAX_DISCOUNTS} elements`);
  }
  const coupons = changes.map((change) =>
    'coupon' in change ? change.coupon.id : state.discounts.get(change.discountId)?.source.coupon,
  );
  if (new Set(coupons).size < coupons.length)
    throw refuseParameter('discounts', 'Each entry has to be unique.');
  return changes;
}

/** @throws StripeRefusal when there is none, or it cannot be redeemed any more */
export function redeemable(state: StripeState, couponId: string, nowMs: number): WireCoupon {
  const coupon = state.coupons.get(couponId);
  if (coupon === undefined || state.deletedCouponIds.has(couponId)) {
    throw refuseParameter('coupon', `No such coupon: '${couponId}'`, 'resource_missing');
  }
  const isOver = coupon.redeem_by !== null && coupon.redeem_by * 1_000 < nowMs;
  const isUsedUp = coupon.max_redemptions !== null && coupon.times_redeemed >= coupon.max_redemptions;
  if (isOver || isUsedUp) throw refuseParameter('coupon', `Coupon expired: ${couponId}`, 'coupon_expired');
  return coupon;
}

/** @returns ids of the discounts that the target has now, in the order given */
export function setDiscounts(
  state: StripeState,
  changes: readonly DiscountChange[],
  target: DiscountTarget,
  atMs: number,
): string[] {
  return changes.map((change) =>
    'discountId' in change ? change.discountId : redeem(state, change.coupon, target, atMs).id,
  );
}

export function redeem(
  state: StripeState,
  coupon: WireCoupon,
  target: DiscountTarget,
  atMs: number,
): WireDiscount {
  coupon.times_redeemed += 1;
  if (coupon.max_redemptions !== null) coupon.valid = coupon.times_redeemed < coupon.max_redemptions;
  const months = coupon.duration === 'repeating' ? coupon.duration_in_months : null;
  const discount: WireDiscount = {
    id: state.nextId('di'),
    object: 'discount',
    checkout_session: null,
    customer: target.customer ?? null,
    customer_account: null,
    end: months === null ? null : toSeconds(addMonths(atMs, months)),
    invoice: target.invoice ?? null,
    invoice_item: target.invoice_item ?? null,
    promotion_code: null,
    source: { coupon: coupon.id, type: 'coupon' },
    start: toSeconds(atMs),
    subscription: target.subscription ?? null,
    subscription_item: target.subscription_item ?? null,
  };
  state.discounts.set(discount.id, discount);
  return discount;
}

/**
 * Discounts of an invoice that a subscription makes: its own, and only without any those of the customer ("a coupon
 * attached to a subscription takes priority"). A `repeating` one is over with the instant at which it ends.
 */
export function discountsOfSubscription(
  state: StripeState,
  { wire, customerId }: Subscription,
  atMs: number,
) {
  const own = idsOf(wire.discounts).filter((id) => isInForce(state, id, atMs));
  if (own.length > 0) return own;
  const theirs = state.customers.get(customerId)?.discount?.id;
  return theirs !== undefined && isInForce(state, theirs, atMs) ? [theirs] : [];
}

/** A `repeating` discount is over with the instant at which it ends. */
export function isInForce(state: StripeState, discountId: string, atMs: number): boolean {
  const end = state.discounts.get(discountId)?.end ?? null;
  return end === null || end * 1_000 > atMs;
}

/** Discounts that an invoice has taken, and are for one invoice only, are no longer on what they came from. */
export function useUpOnce(state: StripeState, subscription: Subscription, usedIds: readonly string[]): void {
  const isLeft = (id: string) => !usedIds.includes(id) || durationOf(state, id) !== 'once';
  const { wire, items, customerId } = subscription;
  wire.discounts = idsOf(wire.discounts).filter(isLeft);
  for (const item of items) item.discounts = idsOf(item.discounts).filter(isLeft);
  const customer = state.customers.get(customerId);
  if (customer?.discount && !isLeft(customer.discount.id)) customer.discount = null;
}

function durationOf(state: StripeState, discountId: string): string | undefined {
  return state.coupons.get(String(state.discounts.get(discountId)?.source.coupon))?.duration;
}

/** What a discount takes off in a currency; null: an amount that the coupon does not have in it. */
export function discountTerms(
  state: StripeState,
  discountId: string,
  currency: string,
): DiscountTerms | null {
  const coupon = state.coupons.get(String(state.discounts.get(discountId)?.source.coupon));
  if (coupon === undefined) return null;
  const productIds = coupon.applies_to?.products ?? null;
  if (coupon.percent_off !== null) {
    return { discountId, off: { percent: parsePercent(coupon.percent_off) }, productIds };
  }
  const amount =
    coupon.currency === currency ? coupon.amount_off : coupon.currency_options?.[currency]?.amount_off;
  return amount == null ? null : { discountId, off: { amount: BigInt(amount) }, productIds };
}

/** Discounts travel as ids until they are expanded. */
export function idsOf(discounts: readonly (string | { id: string })[]): string[] {
  return discounts.map((discount) => (typeof discount === 'string' ? discount : discount.id));
}
