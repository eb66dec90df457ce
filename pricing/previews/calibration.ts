import { divideHalfUp } from '../money.ts';
import type { ProjectedRange } from './projection.ts';

/** One projection, and what came of it. */
export interface JudgedCase {
  /** As it was projected, for the end of the period; of tokens, or of money. */
  range: ProjectedRange;
  /** What there was when it was projected. */
  held: bigint;
  /** What there was at the end. */
  actual: bigint;
}

/** How often projections meant what they said. Parts are in thousandths; null of none. */
export interface Calibration {
  caseCount: number;
  /** By how much all that was expected to come was more than all that came. */
  biasPermille: bigint | null;
  /** How many lay above p50; one that lies on it counts half. */
  abovePermille: bigint | null;
  /** How many lay from p10 to p90. */
  heldPermille: bigint | null;
}

/** What a range that means what it says keeps to, in thousandths. */
const LIMITS = { bias: 50n, above: [400n, 600n], held: [750n, 850n] } as const;

export function calibrate(cases: readonly JudgedCase[]): Calibration {
  let [expected, came, above, held] = [0n, 0n, 0n, 0n];
  for (const { range, held: before, actual } of cases) {
    expected += range.expected - before;
    came += actual - before;
    if (actual >= range.p50) above += actual > range.p50 ? 2n : 1n;
    if (actual >= range.p10 && actual <= range.p90) held += 1n;
  }
  const count = BigInt(cases.length);
  return {
    caseCount: cases.length,
    biasPermille: came <= 0n ? null : divideHalfUp((expected - came) * 1_000n, came),
    abovePermille: count === 0n ? null : divideHalfUp(above * 1_000n, count * 2n),
    heldPermille: count === 0n ? null : divideHalfUp(held * 1_000n, count),
  };
}

/** Whether ranges mean what they say: expected within 5 %, 40 to 60 of 100 above the middle, 75 to 85 within. */
export function isCalibrated({ biasPermille, abovePermille, heldPermille }: Calibration): boolean {
  if (biasPermille === null || abovePermille === null || heldPermille === null) return false;
  return (
    biasPermille <= LIMITS.bias &&
    biasPermille >= -LIMITS.bias &&
    abovePermille >= LIMITS.above[0] &&
    abovePermille <= LIMITS.above[1] &&
    heldPermille >= LIMITS.held[0] &&
    heldPermille <= LIMITS.held[1]
  );
}
