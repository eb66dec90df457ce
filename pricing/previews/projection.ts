import type { RatePrice } from '../rating/rate-price.ts';
import { prepareRate, rateQuantity } from '../rating/rating.ts';
import { compare, rankOf } from '../statistics.ts';
import { type ComingDay, comingDays, DAY_MS, projectionHistoryStart, weekdayOf } from './days.ts';
import { findStart } from './line-start.ts';
import { lookAhead, NOTHING_TO_COME, type Outlook } from './outlook.ts';
import { amountOf } from './preview.ts';
import { playScenarios, wholeTokens } from './scenarios.ts';

/** Fewer known days than two of each weekday say nothing about a week. */
const LEAST_PROJECTION_DAYS = 14;

/** The method in words, as answers give it. */
export const PROJECTION_METHOD =
  'Each day still to come is expected to hold the mean of its weekday in the eight weeks before, as far as weekdays ' +
  'differ by more than chance, with the growth that is told from chance, between a straight line and equal shares as ' +
  'the days tell; a line that began in that time is judged by the days since. 200 ways to go on are drawn from how far those days were from what was to be expected of them, the ' +
  'same day for all lines, widened by how alike days in a row are and by the error of estimation: 80 in 100 lie from ' +
  'p10 to p90, half of them above p50. expected is the mean, and its amount is the price of the expected quantity.';

export interface ProjectedItem {
  itemId: string;
  price: RatePrice | null;
  /** What the period's preview holds now. */
  quantity: bigint;
  /** Tokens by UTC day (its first millisecond), from the history's first day on. */
  dailyTokens: ReadonlyMap<number, bigint>;
}

export interface ProjectionInput {
  period: { start: Date; end: Date };
  /** Midnight UTC: days before it are known, days from it on are not, or not wholly. */
  knownThrough: Date;
  /** Of days from `knownThrough` on, how many milliseconds are known; nothing of those left out (`knownOfDays`). */
  knownMs: ReadonlyMap<number, number>;
  /** First millisecond of days before `knownThrough` that are not wholly settled: they stand for no other day. */
  openDays: ReadonlySet<number>;
  items: readonly ProjectedItem[];
}

/** `expected` is the mean; the truth lies above p50 in half of all cases, and from p10 to p90 in eight of ten. */
export interface ProjectedRange {
  expected: bigint;
  p10: bigint;
  p50: bigint;
  p90: bigint;
}

export interface ItemProjection {
  itemId: string;
  /** Null: the line began less than 14 days ago. */
  quantity: ProjectedRange | null;
  /** In minor units; null when the quantity is, or the price is unknown. */
  amountMinor: ProjectedRange | null;
}

export type Projection =
  | {
      status: 'projected';
      knownDayCount: number;
      historyStart: Date;
      items: ItemProjection[];
      /** Of all items together, in minor units; null when one of them has no amount, for `totalReason`. */
      totalMinor: ProjectedRange | null;
      totalReason: 'too_little_history' | 'unpriced_line' | null;
    }
  | { status: 'refused'; reason: 'too_little_history' | 'period_is_over'; knownDayCount: number };

/** What each item will hold when the period ends, and what all of them will cost. */
export function projectPeriod(input: ProjectionInput): Projection {
  const { period, openDays, items, knownThrough } = input;
  const historyStart = projectionHistoryStart(knownThrough, period.start);
  const known = findKnownDays(historyStart.getTime(), knownThrough.getTime(), items, openDays);
  const knownDayCount = known.days.length;
  const coming = comingDays(period, knownThrough, input.knownMs);
  if (coming.length === 0) return { status: 'refused', reason: 'period_is_over', knownDayCount };
  if (knownDayCount < LEAST_PROJECTION_DAYS || isThin(known.days, coming)) {
    return { status: 'refused', reason: 'too_little_history', knownDayCount };
  }
  const outlooks = items.map((item) => lookAtItem(item, known, coming));
  const played = playScenarios(
    outlooks.map((outlook) => outlook ?? NOTHING_TO_COME),
    { knownDayCount, comingDayCount: coming.length },
  );
  const paths = items.map((item, place): ItemPaths | null => {
    const outlook = outlooks[place] ?? null;
    if (outlook === null) return null;
    return {
      item,
      expected: item.quantity + wholeTokens(outlook.expected),
      quantities: (played[place] ?? []).map((tokens) => item.quantity + tokens),
    };
  });
  const isYoung = paths.some((path) => path === null);
  const isUnpriced = items.some(({ price }) => price === null);
  return {
    status: 'projected',
    knownDayCount,
    historyStart,
    items: items.map(({ itemId, price }, place) => {
      const path = paths[place] ?? null;
      return {
        itemId,
        quantity: path === null ? null : rangeOf(path.expected, path.quantities),
        amountMinor: path === null || price === null ? null : priceRange([path]),
      };
    }),
    totalMinor: isYoung || isUnpriced ? null : priceRange(paths.filter((path) => path !== null)),
    totalReason: isUnpriced ? 'unpriced_line' : isYoung ? 'too_little_history' : null,
  };
}

/** What an item holds at the end: as a mean, and in each scenario. */
interface ItemPaths {
  item: ProjectedItem;
  expected: bigint;
  quantities: readonly bigint[];
}

interface KnownDayList {
  days: readonly number[];
  /** Whether the first is the customer's first with usage, and not the first that was looked at. */
  isFirstChosen: boolean;
}

/** Null: it began too short a time ago. */
function lookAtItem(
  { dailyTokens }: ProjectedItem,
  { days, isFirstChosen }: KnownDayList,
  coming: readonly ComingDay[],
): Outlook | null {
  // Corrections alone could leave a day below zero; of what people use there is never less than nothing.
  const tokens = days.map((day) => Math.max(0, Number(dailyTokens.get(day) ?? 0n)));
  const found = findStart(tokens, isFirstChosen);
  if (found === null) return NOTHING_TO_COME;
  if (found.isNew && days.length - found.firstUsed < LEAST_PROJECTION_DAYS) return null;
  return lookAhead({ days, tokens }, found.start, coming);
}

function rangeOf(expected: bigint, values: readonly bigint[]): ProjectedRange {
  const sorted = values.toSorted(compare);
  const at = (percent: number) => sorted[rankOf(sorted.length, percent)] ?? expected;
  return { expected, p10: at(10), p50: at(50), p90: at(90) };
}

/**
 * What the scenarios at the ends and in the middle cost, each line rounded as an invoice rounds it. Scenarios are put in
 * order by their exact price.
 */
function priceRange(paths: readonly ItemPaths[]): ProjectedRange {
  const scenarioCount = paths[0]?.quantities.length ?? 0;
  const exact = new Array<bigint>(scenarioCount).fill(0n);
  for (const { item, quantities } of paths) {
    const rate = item.price === null ? null : prepareRate(item.price);
    for (const [scenario, quantity] of quantities.entries()) {
      exact[scenario] = (exact[scenario] ?? 0n) + (rate?.(quantity) ?? 0n);
    }
  }
  const order = exact.map((_, scenario) => scenario);
  order.sort((left, right) => compare(exact[left] ?? 0n, exact[right] ?? 0n));
  const amountIn = (quantityOf: (path: ItemPaths) => bigint) =>
    paths.reduce(
      (sum, path) =>
        sum + (path.item.price === null ? 0n : amountOf(rateQuantity(quantityOf(path), path.item.price))),
      0n,
    );
  // Lines rounded each by itself could change places by a unit.
  const [p10 = 0n, p50 = 0n, p90 = 0n] = [10, 50, 90]
    .map((percent) => {
      const scenario = order[rankOf(scenarioCount, percent)] ?? 0;
      return amountIn((path) => path.quantities[scenario] ?? path.expected);
    })
    .sort(compare);
  return { expected: amountIn((path) => path.expected), p10, p50, p90 };
}

/** Whether a weekday to come was seen less than twice. */
function isThin(days: readonly number[], coming: readonly ComingDay[]): boolean {
  const daysByWeekday = Map.groupBy(days, weekdayOf);
  return coming.some(({ day }) => (daysByWeekday.get(weekdayOf(day))?.length ?? 0) < 2);
}

/** Wholly settled days since the customer's first usage; a day without any is one too. */
function findKnownDays(
  start: number,
  end: number,
  items: readonly ProjectedItem[],
  openDays: ReadonlySet<number>,
): KnownDayList {
  let first = end;
  for (const { dailyTokens } of items) {
    for (const [day, tokens] of dailyTokens) if (tokens !== 0n && day < first) first = day;
  }
  const days: number[] = [];
  for (let day = Math.max(start, first); day < end; day += DAY_MS) if (!openDays.has(day)) days.push(day);
  return { days, isFirstChosen: first > start };
}
