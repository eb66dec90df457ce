import { formatDecimal, formatMinor, formatPico, minorUnitDigits, PICO_DIGITS } from '../../pricing/money.ts';
import type { Figure } from '../../pricing/quotes/figures.ts';

export type Formats = ReturnType<typeof formatsOf>;

/** How a quote in a currency shows its figures: as decimal text, or null with the reason. */
export function formatsOf(currency: string) {
  // Pico of a minor unit has the minor unit's decimals more than pico of the unit.
  const priceDigits = PICO_DIGITS + minorUnitDigits(currency);
  return {
    cost: formatPico,
    price: (value: bigint) => formatDecimal(value, priceDigits, 2),
    percent: (value: bigint) => formatDecimal(value, 2, 2),
    minor: (value: bigint) => formatMinor(value, currency),
    show: (figure: Figure, format: (value: bigint) => string) =>
      figure.value === null
        ? {
            amount: null,
            reason: figure.reason,
            ...(figure.between === undefined
              ? {}
              : { atLeast: format(figure.between.least), atMost: format(figure.between.most) }),
          }
        : { amount: format(figure.value), reason: null },
  };
}
