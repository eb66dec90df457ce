import { areLinesInSteps } from '../invoices/line-steps.ts';
import { chargeStep } from '../money.ts';
import { type BilledBefore, isChargedForAll, rateFurther } from '../rating/rate-further.ts';
import { packagesOf, type RatePrice } from '../rating/rate-price.ts';
import { rateQuantity } from '../rating/rating.ts';
import { sum } from '../statistics.ts';

/** A line of Stripe's own preview. Several may belong to one item (tiers). */
export interface PreviewStripeLine {
  description: string;
  subscriptionItemId: string | null;
  priceId: string | null;
  quantity: bigint | null;
  amountMinor: bigint;
  unitAmountDecimal: string | null;
  /** Set for a line that an invoice item made. */
  invoiceItemId?: string | null;
}

/** What Stripe counts. Of a price by the package its lines may show packages: then it is what makes them, and was used. */
export function countedBy(
  lines: readonly PreviewStripeLine[],
  price: RatePrice | null,
  used: bigint,
  before: BilledBefore | null = null,
): bigint {
  const shown = sum(lines.map((line) => line.quantity ?? 0n));
  if (before !== null) return countedFurther(lines, price, used, { shown, before });
  if (price?.kind !== 'per_package' || packagesOf(price, shown) === shown) return shown;
  const charged = sum(lines.map((line) => line.amountMinor));
  const charge = (quantity: bigint) => sum(rateQuantity(quantity, price).map((line) => line.amountMinor));
  if (charge(shown) === charged) return shown;
  if (charge(shown * price.packageSize) !== charged) return shown;
  return packagesOf(price, used) === shown ? used : shown * price.packageSize;
}

/** What of it instalments have left, in tokens, of lines that may show packages begun since. */
function countedFurther(
  lines: readonly PreviewStripeLine[],
  price: RatePrice | null,
  used: bigint,
  { shown, before }: { shown: bigint; before: BilledBefore },
): bigint {
  if (price?.kind !== 'per_package') return shown;
  const charged = sum(lines.map((line) => line.amountMinor));
  const charge = (whole: bigint) => sum(rateFurther(whole, price, before).map((line) => line.amountMinor));
  if (charge(before.tokenCount + shown) === charged) return shown;
  const packages = packagesOf(price, before.tokenCount) + shown;
  const whole = packagesOf(price, used) === packages ? used : packages * price.packageSize;
  return charge(whole) === charged && whole > before.tokenCount ? whole - before.tokenCount : shown;
}

/** To what lines are rounded: told by what Stripe charges for what it counts; where it did not answer, what can be charged. */
export function lineStepOf(
  {
    items,
    stripeLines,
    left = [],
  }: {
    items: readonly { subscriptionItemId: string; price: RatePrice | null; before?: BilledBefore | null }[];
    stripeLines: readonly PreviewStripeLine[] | null;
    left?: readonly {
      price: RatePrice | null;
      before?: BilledBefore | null;
      lines: readonly PreviewStripeLine[];
    }[];
  },
  currency: string,
): bigint {
  if (chargeStep(currency) === 1n) return 1n;
  const charges = [
    ...items.map(({ subscriptionItemId, price, before }) => ({
      price,
      before,
      lines: (stripeLines ?? []).filter((line) => line.subscriptionItemId === subscriptionItemId),
    })),
    ...left,
  ].filter(({ lines }) => lines.length > 0);
  const shown = charges.map(({ price, lines, before = null }) => ({
    price,
    quantity:
      countedBy(lines, price, 0n, before) + (isChargedForAll(price) ? 0n : (before?.tokenCount ?? 0n)),
    chargedMinor: sum(lines.map((line) => line.amountMinor)),
    before,
  }));
  return areLinesInSteps(shown, currency) ? chargeStep(currency) : 1n;
}
