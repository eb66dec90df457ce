import { sumOf } from '../statistics.ts';
import { weekdayOf } from './days.ts';

/** What a day of each weekday holds, in tokens. */
export interface Levels {
  byWeekday: readonly number[];
  countByWeekday: readonly number[];
  /** From 0 (weekdays differ by chance alone: all have the mean) to 1 (each has its own mean). */
  trust: number;
  /** How many figures were estimated. */
  parameterCount: number;
}

/**
 * Means by weekday, drawn towards the mean of all days as far as their differences may be chance: what remains of them is
 * one less the ratio of the variance within weekdays to that between them (James and Stein).
 */
export function estimateLevels(days: readonly number[], tokens: readonly number[]): Levels {
  const mean = sumOf(tokens) / Math.max(1, tokens.length);
  const sums = new Array<number>(7).fill(0);
  const countByWeekday = new Array<number>(7).fill(0);
  for (const [place, day] of days.entries()) {
    const weekday = weekdayOf(day);
    sums[weekday] = (sums[weekday] ?? 0) + (tokens[place] ?? 0);
    countByWeekday[weekday] = (countByWeekday[weekday] ?? 0) + 1;
  }
  const means = sums.map((total, weekday) => {
    const count = countByWeekday[weekday] ?? 0;
    return count === 0 ? mean : total / count;
  });
  const seen = countByWeekday.filter((count) => count > 0).length;
  const between = sumOf(
    means.map((value, weekday) => (countByWeekday[weekday] ?? 0) * (value - mean) * (value - mean)),
  );
  const within = sumOf(
    days.map((day, place) => {
      const distance = (tokens[place] ?? 0) - (means[weekdayOf(day)] ?? 0);
      return distance * distance;
    }),
  );
  const noise = (within / Math.max(1, days.length - seen)) * Math.max(1, seen - 1);
  const trust = between === 0 ? 0 : Math.max(0, 1 - noise / between);
  return {
    byWeekday: means.map((value) => (1 - trust) * mean + trust * value),
    countByWeekday,
    trust,
    parameterCount: 1 + 6 * trust,
  };
}
