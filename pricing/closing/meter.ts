import { chargeStep } from '../money.ts';
import { type BilledBefore, rateFurther } from '../rating/rate-further.ts';
import { packagesOf, type RatePrice } from '../rating/rate-price.ts';
import { inSteps } from '../rating/rating.ts';

/** One meter on the invoice, from the ledger's pushes to the line. */
export interface CloseMeterFigures {
  stripeMeterId: string;
  eventName: string;
  productName: string;
  subscriptionItemId: string;
  priceId: string | null;
  price: unknown;
  period: { start: string; end: string };
  /** Invoice items for usage at a price that the item has left: nothing is added to them; absent: lines of the item. */
  standsStill?: true;
  /** What instalments within the period have billed of it before; absent: nothing. */
  earlier?: { tokenCount: string; amountMinor: string };
  pushedTokens: string;
  pushCount: string;
  /** Stripe's own sum of the meter before it was final; null: not asked, because the line agreed. */
  stripeTokens: string | null;
  invoiceQuantity: string;
  invoiceAmountMinor: string;
  /** By our own rating; null: the price is of a kind that this version cannot rate. */
  ratedAmountMinor: string | null;
  /** Its lines; a flat amount has no quantity. */
  lines: readonly { lineId: string; quantity: string | null; amountMinor: string }[];
}

/**
 * What an invoice charges of what was delivered: Stripe bills a total below zero as none, and not again what instalments have
 * billed.
 */
export function billedTokens({
  pushedTokens,
  earlier,
}: Pick<CloseMeterFigures, 'pushedTokens' | 'earlier'>): bigint {
  const tokens = BigInt(pushedTokens) - BigInt(earlier?.tokenCount ?? 0);
  return tokens < 0n ? 0n : tokens;
}

/** What the lines show of it: all, where a price by volume takes back the amount that was billed. */
export function shownTokens(meter: CloseMeterFigures): bigint {
  const price = meter.price as { kind?: string; mode?: string } | null;
  return price?.mode === 'volume' ? billedTokens({ pushedTokens: meter.pushedTokens }) : billedTokens(meter);
}

/** The same in packages, where the price counts by them: Stripe's documents do not say which of the two a line shows. */
export function shownPackages(meter: CloseMeterFigures): bigint | null {
  const price = meter.price as { kind?: string; packageSize?: string; round?: 'up' | 'down' } | null;
  if (price?.kind !== 'per_package') return null;
  const count = (tokens: bigint) =>
    packagesOf(
      {
        kind: 'per_package',
        unitAmountDecimal: '0',
        packageSize: BigInt(price.packageSize ?? '1'),
        round: price.round ?? 'up',
      },
      tokens,
    );
  const before = BigInt(meter.earlier?.tokenCount ?? 0);
  const all = billedTokens({ pushedTokens: meter.pushedTokens });
  return all > before ? count(all) - count(before) : 0n;
}

/** What the lines would show if Stripe's own sum was charged; null: it was not asked for. */
export function shownOfStripe(meter: CloseMeterFigures): string | null {
  if (meter.stripeTokens === null) return null;
  return meter.earlier === undefined
    ? meter.stripeTokens
    : String(shownTokens({ ...meter, pushedTokens: meter.stripeTokens }));
}

/**
 * What a meter's quantity is charged in minor units, each line rounded once, less what instalments have billed; null without
 * a price that can be rated.
 */
export function rateMeter(
  quantity: bigint,
  price: RatePrice | null,
  before: BilledBefore | null = null,
): bigint | null {
  if (price === null) return null;
  return rateFurther(quantity, price, before).reduce((sum, line) => sum + line.amountMinor, 0n);
}

/** The same with each line rounded to what can be charged in the currency; see `inSteps`. */
export function rateMeterInSteps(
  quantity: bigint,
  price: RatePrice | null,
  currency: string,
  before: BilledBefore | null = null,
): bigint | null {
  if (price === null) return null;
  const step = chargeStep(currency);
  return rateFurther(quantity, price, before).reduce(
    (sum, line) => sum + inSteps(line, step).amountMinor,
    0n,
  );
}
