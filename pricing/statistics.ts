/** The sum of whole numbers; 0 of none. */
export function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

/**
 * The percentile by nearest rank: the least value that at least so many per cent of all do not exceed.
 * @param sorted in ascending order; 0 of none
 */
export function nearestRank(sorted: readonly bigint[], percent: number): bigint {
  const rank = Math.max(1, Math.ceil((sorted.length * percent) / 100));
  return sorted[rank - 1] ?? 0n;
}

/** Order of whole numbers, for sorting. */
export function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
