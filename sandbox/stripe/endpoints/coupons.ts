import type Stripe from 'stripe';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readInteger,
  readList,
  readMap,
  readNested,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter, refuseUnknown } from '../http/refusal.ts';
import { toSeconds, type WireCoupon } from '../http/wire.ts';
import { checkChargeable } from '../money.ts';
import type { StripeState } from '../state.ts';
import { type Call, type Endpoint, idOf, retrieve } from './endpoint.ts';

const DURATIONS = ['forever', 'once', 'repeating'] as const;

/** Coupons: what discounts are made of. */
export function couponEndpoints(state: StripeState): Endpoint[] {
  const find = (id: string) => {
    const coupon = state.coupons.get(id);
    if (coupon === undefined || state.deletedCouponIds.has(id)) throw refuseUnknown('coupon', id);
    return coupon;
  };
  return [
    {
      method: 'GET',
      path: '/v1/coupons',
      shape: PAGING_SHAPE,
      mutates: false,
      run: ({ form }) => {
        const coupons = [...state.coupons.values()].filter(({ id }) => !state.deletedCouponIds.has(id));
        return toPage(coupons, form, '/v1/coupons');
      },
    },
    retrieve('/v1/coupons/:id', find),
    {
      method: 'POST',
      path: '/v1/coupons',
      shape: {
        id: 'text',
        name: 'text',
        amount_off: 'text',
        currency: 'text',
        currency_options: 'any',
        percent_off: 'text',
        duration: 'text',
        duration_in_months: 'text',
        applies_to: { products: 'any' },
        max_redemptions: 'text',
        redeem_by: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.CouponCreateParams>,
      mutates: true,
      run: (call) => createCoupon(state, call),
    },
    {
      method: 'POST',
      path: '/v1/coupons/:id',
      shape: { name: 'text', metadata: 'any', expand: 'any' } satisfies FormShape<Stripe.CouponUpdateParams>,
      mutates: true,
      run: (call) => {
        const coupon = find(idOf(call));
        coupon.name = readText(call.form, 'name') ?? coupon.name;
        coupon.metadata = mergeMetadata(coupon.metadata ?? {}, call.form);
        return coupon;
      },
    },
    {
      method: 'DELETE',
      path: '/v1/coupons/:id',
      shape: {},
      mutates: true,
      run: (call) => {
        const { id } = find(idOf(call));
        state.deletedCouponIds.add(id);
        return { id, object: 'coupon', deleted: true } satisfies Stripe.DeletedCoupon;
      },
    },
  ];
}

function createCoupon(state: StripeState, { form, nowMs }: Call): WireCoupon {
  const asked = readText(form, 'duration') ?? 'once';
  const duration = DURATIONS.find((known) => known === asked);
  if (duration === undefined) throw refuseParameter('duration', `must be one of ${DURATIONS.join(', ')}`);
  const months = readInteger(form, 'duration_in_months') ?? null;
  if ((duration === 'repeating') !== (months !== null && months > 0)) {
    throw refuseParameter('duration_in_months', 'A repeating coupon, and no other, has a number of months.');
  }
  const off = readOff(form);
  const products = readList(readNested(form, 'applies_to'), 'products');
  const id = readText(form, 'id');
  if (id !== undefined && state.coupons.has(id)) {
    throw refuseParameter('id', 'Coupon already exists.', 'resource_already_exists');
  }
  const coupon: WireCoupon = {
    id: id ?? state.nextId('coupon'),
    object: 'coupon',
    ...off,
    ...(products === null ? {} : { applies_to: { products } }),
    created: toSeconds(nowMs),
    duration,
    duration_in_months: months,
    livemode: false,
    max_redemptions: readInteger(form, 'max_redemptions') ?? null,
    metadata: readMap(form, 'metadata'),
    name: readText(form, 'name') ?? null,
    redeem_by: readInteger(form, 'redeem_by') ?? null,
    times_redeemed: 0,
    valid: true,
  };
  state.coupons.set(coupon.id, coupon);
  return coupon;
}

/** A percentage, or an amount in a currency and perhaps in others. */
function readOff(
  form: Form,
): Pick<WireCoupon, 'amount_off' | 'currency' | 'currency_options' | 'percent_off'> {
  const percent = readText(form, 'percent_off');
  const amount = readInteger(form, 'amount_off');
  if ((percent === undefined) === (amount === undefined)) {
    throw refuseParameter('percent_off', 'One of percent_off and amount_off is needed, not both.');
  }
  if (percent !== undefined) {
    const isFine = /^\d{1,3}(\.\d{1,2})?$/.test(percent) && Number(percent) > 0 && Number(percent) <= 100;
    if (!isFine) throw refuseParameter('percent_off', `Invalid percentage: ${percent}`);
    return { amount_off: null, currency: null, percent_off: Number(percent) };
  }
  const currency = requireText(form, 'currency').toLowerCase();
  const options = readNested(form, 'currency_options');
  const amounts = Object.keys(options).map((name) => {
    const option = readInteger(readNested(options, name), 'amount_off');
    if (option === undefined) throw refuseMissing('currency_options[amount_off]');
    return [name, { amount_off: checkedOff(option, name) }] as const;
  });
  return {
    amount_off: checkedOff(amount ?? 0, currency),
    currency,
    ...(amounts.length === 0 ? {} : { currency_options: Object.fromEntries(amounts) }),
    percent_off: null,
  };
}

function checkedOff(amount: number, currency: string): number {
  if (amount <= 0) throw refuseParameter('amount_off', 'must be above 0', 'parameter_invalid_integer');
  checkChargeable(BigInt(amount), currency);
  return amount;
}
