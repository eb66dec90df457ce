/** Percentages come with at most four decimal places: of them a whole is so many. */
export const PERCENT_SCALE = 1_000_000n;

/** `19.975` per cent as 199750 millionths. */
export function parsePercent(percent: number): bigint {
  return BigInt(Math.round(percent * 10_000));
}

/** A fraction rounded once to a multiple of `step`, halves away from zero. The denominator is above 0. */
export function roundHalfAway(numerator: bigint, denominator: bigint, step = 1n): bigint {
  const unit = denominator * step;
  const size = numerator < 0n ? -numerator : numerator;
  const rounded = ((size * 2n + unit) / (2n * unit)) * step;
  return numerator < 0n ? -rounded : rounded;
}

/**
 * Rounds parts so that they add up to a total that is their sum rounded: each goes down to a multiple of `step`, and what
 * lacks goes a step each to those that lost most, the first of equals before the later.
 * @param numerators exact parts over `denominator` (above 0), of either sign
 */
export function roundToTotal(
  numerators: readonly bigint[],
  denominator: bigint,
  total: bigint,
  step = 1n,
): bigint[] {
  const unit = denominator * step;
  const parts = numerators.map((numerator, index) => {
    const whole = floorDivide(numerator, unit);
    return { index, whole, lost: numerator - whole * unit };
  });
  let lacking = total / step - parts.reduce((sum, part) => sum + part.whole, 0n);
  for (const part of [...parts].sort((one, other) => compare(other.lost, one.lost))) {
    if (lacking <= 0n) break;
    part.whole += 1n;
    lacking -= 1n;
  }
  return parts.map((part) => part.whole * step);
}

function floorDivide(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator < 0n && quotient * denominator !== numerator ? quotient - 1n : quotient;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
