import type { Random } from '../random.ts';

/** A whole number in `[low, high]`, both included. */
export function drawBetween(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** True in `percent` of 100 cases. */
export function drawPercent(random: Random, percent: number): boolean {
  return random() * 100 < percent;
}

/** An index into `weights`, each with a chance in proportion to its whole-number weight. */
export function drawIndex(random: Random, weights: readonly number[]): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let remaining = Math.floor(random() * total);
  for (const [index, weight] of weights.entries()) {
    remaining -= weight;
    if (remaining < 0) return index;
  }
  return weights.length - 1;
}
