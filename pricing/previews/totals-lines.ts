import { divideHalfUp, PICO_DIGITS, parseDecimal } from '../money.ts';
import type { RatedLine } from '../rating/rating.ts';
import type { PreviewLine } from './preview.ts';

/** A line of Stripe's preview, and what came off it; amounts in minor units. */
export interface StripeTotalsLine {
  subscriptionItemId: string | null;
  priceId: string | null;
  isDiscountable: boolean;
  amountMinor: bigint;
  creditMinor: bigint;
  /** After discounts and billing credits. */
  netMinor: bigint;
}

/**
 * The lines that the invoice will have, as it will have them: Stripe's own in their order, those of an item that we rate in
 * lines of its tiers at the place of its first, and behind them what Stripe does not have yet.
 */
export function totalsLines(
  lines: readonly PreviewLine[],
  stripeLines: readonly StripeTotalsLine[],
): StripeTotalsLine[] {
  const byItem = new Map(
    lines.flatMap((line) =>
      line.kind === 'usage' && line.ratedLines.length > 0 && line.subscriptionItemId !== null
        ? [[line.subscriptionItemId, line] as const]
        : [],
    ),
  );
  const placed = new Set<PreviewLine>();
  const known = stripeLines.flatMap((line) => {
    const rated = byItem.get(line.subscriptionItemId ?? '');
    if (rated === undefined) return [line];
    if (placed.has(rated)) return [];
    placed.add(rated);
    return rated.ratedLines.flatMap((each) =>
      amountsOf(each).map((amountMinor) => ({ ...line, amountMinor })),
    );
  });
  const added = lines.filter(
    (line) =>
      line.stripeAmountMinor === null ||
      (line.kind === 'usage' &&
        !placed.has(line) &&
        stripeLines.every(({ subscriptionItemId: id }) => id !== line.subscriptionItemId)),
  );
  return [
    ...known,
    ...added.flatMap((line) =>
      (line.ratedLines.length > 0 ? line.ratedLines.flatMap(amountsOf) : [line.amountMinor ?? 0n]).map(
        (amountMinor) => ({
          subscriptionItemId: line.subscriptionItemId,
          priceId: line.priceId,
          isDiscountable: true,
          amountMinor,
          creditMinor: 0n,
          netMinor: amountMinor,
        }),
      ),
    ),
  ];
}

/** A tier's flat amount is a line of its own. */
function amountsOf({ amountMinor, flatAmountDecimal }: RatedLine): bigint[] {
  if (flatAmountDecimal === null) return [amountMinor];
  const flat = divideHalfUp(parseDecimal(flatAmountDecimal, PICO_DIGITS), 10n ** BigInt(PICO_DIGITS));
  return [amountMinor - flat, flat];
}
