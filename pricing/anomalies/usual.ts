/** A median absolute deviation of so much is one standard deviation of what is normally distributed. */
const MAD_TO_SIGMA = 1.4826;

/** The middle of values; the mean of the two in the middle of an even number. 0 of none. */
export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** How far values scatter around a middle, as a standard deviation would say it of what is normally distributed. */
export function scatterOf(values: readonly number[], middle: number): number {
  return MAD_TO_SIGMA * medianOf(values.map((value) => Math.abs(value - middle)));
}
