import { PICO_DIGITS } from '../money.ts';
import type { RatePrice } from './rate-price.ts';
import { exactAmountPicoMinor, inSteps, type RatedLine, rateQuantity, roundToMinor } from './rating.ts';

/** What instalments have billed of a period's usage before. */
export interface BilledBefore {
  tokenCount: bigint;
  amountMinor: bigint;
}

const PICO = 10n ** BigInt(PICO_DIGITS);

/**
 * The lines of a quantity of which a part was billed before, within the same period: tiers go on where they stood, a flat
 * amount is charged once, and a price by volume is charged for all, less what was charged
 * (docs.stripe.com/billing/subscriptions/usage-based/thresholds).
 * @throws RangeError when the price is malformed
 */
export function rateFurther(quantity: bigint, price: RatePrice, before: BilledBefore | null): RatedLine[] {
  const all = rateQuantity(quantity, price);
  if (before === null) return all;
  if (isChargedForAll(price)) {
    if (before.amountMinor === 0n) return all;
    const amountPicoMinor = -before.amountMinor * PICO;
    const none = { quantity: 0n, unitAmountDecimal: '0', flatAmountDecimal: null, tierIndex: null };
    return [...all, { ...none, amountPicoMinor, amountMinor: -before.amountMinor }];
  }
  const billed = rateQuantity(before.tokenCount, price);
  if (price.kind === 'per_package') return all.map((line) => lessThan(line, billed[0], before.tokenCount));
  const further = all.flatMap((line) => {
    const known = billed.find(({ tierIndex }) => tierIndex === line.tierIndex);
    if (known === undefined) return [line];
    const more = line.quantity - known.quantity;
    return more > 0n ? [lineOf(line, more)] : [];
  });
  const last = billed.at(-1);
  return further.length > 0 || last === undefined ? further : [lineOf(last, 0n)];
}

/** The same with each line rounded to what can be charged; see `inSteps`. */
export function rateFurtherInSteps(
  quantity: bigint,
  price: RatePrice,
  before: BilledBefore | null,
  step: bigint,
): RatedLine[] {
  return rateFurther(quantity, price, before).map((line) => inSteps(line, step));
}

/** Whether a line shows all of a period's usage, whatever was billed before. */
export function isChargedForAll(price: RatePrice | null): boolean {
  return price?.kind === 'tiered' && price.mode === 'volume';
}

/** What was used in the whole period, by what is left of it after instalments; a price by volume shows all. */
export function wholeOf(shown: bigint, price: RatePrice | null, before: BilledBefore | null): bigint {
  return before === null || isChargedForAll(price) ? shown : shown + before.tokenCount;
}

/** The other way round. */
export function shownOf(whole: bigint, price: RatePrice | null, before: BilledBefore | null): bigint {
  return before === null || isChargedForAll(price)
    ? whole
    : whole > before.tokenCount
      ? whole - before.tokenCount
      : 0n;
}

/** Packages that were begun before are charged already. */
function lessThan(line: RatedLine, billed: RatedLine | undefined, tokenCount: bigint): RatedLine {
  const more = line.amountPicoMinor - (billed?.amountPicoMinor ?? 0n);
  const amountPicoMinor = more > 0n ? more : 0n;
  const quantity = line.quantity > tokenCount ? line.quantity - tokenCount : 0n;
  return { ...line, quantity, amountPicoMinor, amountMinor: roundToMinor(amountPicoMinor) };
}

function lineOf(line: RatedLine, quantity: bigint): RatedLine {
  const amountPicoMinor = exactAmountPicoMinor(quantity, line.unitAmountDecimal);
  return {
    ...line,
    quantity,
    flatAmountDecimal: null,
    amountPicoMinor,
    amountMinor: roundToMinor(amountPicoMinor),
  };
}
