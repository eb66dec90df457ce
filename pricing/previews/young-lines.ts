import { sumOf } from '../statistics.ts';
import type { Outlook } from './outlook.ts';

/**
 * The deviations of each line for every known day. A line that began among them has none of the days before: a day of its
 * own stands in that was as high among its days, by all that the older lines used, as that day was among all.
 */
export function spreadOverDays(outlooks: readonly Outlook[], knownDayCount: number): number[][] {
  const used = outlooks.filter(({ deviations }) => deviations.length > 0);
  const oldest = Math.min(...used.map(({ start }) => start));
  const older = used.filter(({ start }) => start === oldest);
  const heights = Array.from({ length: knownDayCount }, (_, day) =>
    sumOf(older.map(({ weights, deviations }) => sumOf(weights) * (deviations[day - oldest] ?? 0))),
  );
  const ranked = orderByHeight(heights, 0);
  return outlooks.map(({ start, deviations }) => {
    const count = deviations.length;
    if (count === 0) return [];
    const own = orderByHeight(heights, start);
    const standIn = new Map(
      ranked.map((day, rank) => [day, own[Math.floor((rank * own.length) / ranked.length)] ?? start]),
    );
    return heights.map(
      (_, day) => deviations[(day < start ? (standIn.get(day) ?? start) : day) - start] ?? 0,
    );
  });
}

/** The days from `start` on, the lowest first. */
function orderByHeight(heights: readonly number[], start: number): number[] {
  return heights
    .map((_, day) => day)
    .slice(start)
    .sort((left, right) => (heights[left] ?? 0) - (heights[right] ?? 0) || left - right);
}
