// Of counts and amounts: whole numbers throughout. Estimates of counts that nobody has yet are binary floats, here and in
// `previews/`, of + - * / and the square root alone, which every machine and version rounds alike (IEEE 754; Math.exp and
// powers are not so bound). No float ever becomes money: an estimate is rounded to whole tokens, and those are rated.

/** The sum of whole numbers; 0 of none. */
export function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

/**
 * The percentile by nearest rank: the least value that at least so many per cent of all do not exceed.
 * @param sorted in ascending order; 0 of none
 */
export function nearestRank(sorted: readonly bigint[], percent: number): bigint {
  return sorted[rankOf(sorted.length, percent)] ?? 0n;
}

/** Where the percentile by nearest rank lies among so many values in ascending order, from 0. */
export function rankOf(count: number, percent: number): number {
  return Math.max(1, Math.ceil((count * percent) / 100)) - 1;
}

/** Order of whole numbers, for sorting. */
export function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The sum of estimates; 0 of none. */
export function sumOf(values: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < values.length; index += 1) total += values[index] ?? 0;
  return total;
}
