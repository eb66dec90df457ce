import { rateMeter, rateMeterInSteps } from '../closing/meter.ts';
import type { BilledBefore } from '../rating/rate-further.ts';
import type { RatePrice } from '../rating/rate-price.ts';

/** What lines of an invoice show of one price, and charge for it. */
export interface ShownCharge {
  price: RatePrice | null;
  /** All of the period, with what instalments have billed before. */
  quantity: bigint;
  chargedMinor: bigint;
  before: BilledBefore | null;
}

/**
 * Whether lines are rounded to what can be charged in the currency. Stripe does not say: a line that was rounded finer tells,
 * by the quantity that it shows. Where none does, as on a draft that stands still at nothing, a total that can be charged
 * speaks for it.
 */
export function areLinesInSteps(charges: readonly ShownCharge[], currency: string): boolean {
  return charges.every(({ price, quantity, chargedMinor, before }) => {
    const isCharged = (rate: (quantity: bigint) => bigint | null) =>
      shownAs(price, quantity).some((tokenCount) => rate(tokenCount) === chargedMinor);
    return (
      !isCharged((tokenCount) => rateMeter(tokenCount, price, before)) ||
      isCharged((tokenCount) => rateMeterInSteps(tokenCount, price, currency, before))
    );
  });
}

/** The tokens that a quantity may stand for: Stripe does not say whether a line counts these or the packages they make. */
function shownAs(price: RatePrice | null, quantity: bigint): bigint[] {
  return price?.kind === 'per_package' ? [quantity, quantity * price.packageSize] : [quantity];
}
