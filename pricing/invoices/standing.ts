import type { RatePrice } from '../rating/rate-price.ts';
import { exactAmount } from '../rating/rating.ts';

interface Standing {
  rateId: string;
  price: RatePrice | null;
}

/** Rates are read-only and live long: each list is looked through once. */
const standingByRates = new WeakMap<readonly Standing[], readonly Standing[]>();

/** Rates that charge something for no usage: they are on an invoice whether they are used or not. Of several under one id, one. */
export function standingRates<Rate extends Standing>(rates: readonly Rate[]): readonly Rate[] {
  const known = standingByRates.get(rates);
  if (known !== undefined) return known as readonly Rate[];
  const charging = rates.filter(({ price }) => price !== null && exactAmount(0n, price) > 0n);
  const standing = charging.filter(
    (rate, index) => charging.findIndex(({ rateId }) => rateId === rate.rateId) === index,
  );
  standingByRates.set(rates, standing);
  return standing;
}
