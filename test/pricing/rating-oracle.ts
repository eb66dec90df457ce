import type { RatePrice } from '../../pricing/rating/rate-price.ts';

const PICO = 10n ** 12n;

/** A decimal as pico, by another way than the house's: one big fraction of text. */
function pico(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole) * PICO + BigInt(`${fraction}000000000000`.slice(0, 12));
}

/**
 * The rules of tiers said again, in the plainest way and with none of the house's code: what each line of the
 * invoice is, in pico and rounded.
 */
export function oracleLines(quantity: bigint, price: RatePrice): { exact: bigint; minor: bigint }[] {
  const line = (exact: bigint) => ({ exact, minor: (exact + PICO / 2n) / PICO });
  if (price.kind === 'per_unit') return [line(quantity * pico(price.unitAmountDecimal))];
  if (price.kind === 'per_package') {
    const whole = quantity / price.packageSize;
    const begun = price.round === 'up' && whole * price.packageSize < quantity ? 1n : 0n;
    return [line((whole + begun) * pico(price.unitAmountDecimal))];
  }
  const lines: { exact: bigint; minor: bigint }[] = [];
  let below = 0n;
  for (const { upTo, unitAmountDecimal, flatAmountDecimal } of price.tiers) {
    const isLast = upTo === null || quantity <= upTo;
    const unit = pico(unitAmountDecimal);
    const flat = pico(flatAmountDecimal ?? '0');
    if (price.mode === 'volume') {
      if (isLast) return [line(quantity * unit + flat)];
    } else {
      lines.push(line(((isLast ? quantity : upTo) - below) * unit + flat));
      if (isLast) return lines;
    }
    below = upTo ?? below;
  }
  throw new Error('no tier took the quantity');
}

export function sumOf(values: readonly bigint[]): bigint {
  return values.reduce((sum, value) => sum + value, 0n);
}
