import { divideHalfUp } from '../money.ts';
import type { RatePrice } from '../rating/rate-price.ts';
import { rateQuantity } from '../rating/rating.ts';
import { nearestRank } from '../statistics.ts';
import { amountOf } from './preview.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How far back the days are looked at that stand for those to come. */
const PROJECTION_HISTORY_DAYS = 28;
/** Fewer known days than two of each weekday say nothing about a week. */
const LEAST_PROJECTION_DAYS = 14;

/** The method in words, as answers give it. */
export const PROJECTION_METHOD =
  'Each day still to come is taken from the same weekdays of the four weeks before and of the known part of this ' +
  'period: their 10th, 50th and 90th percentile by nearest rank, never less than what the day holds already, summed ' +
  'over the days. Days are not taken as independent, so the range is rather wide than narrow.';

export interface ProjectedItem {
  itemId: string;
  price: RatePrice | null;
  /** What the period's preview holds now. */
  quantity: bigint;
  /** Tokens by UTC day (its first millisecond), from the history's first day on. */
  dailyTokens: ReadonlyMap<number, bigint>;
  /** The same, of the period alone. */
  periodTokens: ReadonlyMap<number, bigint>;
}

export interface ProjectionInput {
  period: { start: Date; end: Date };
  /** Midnight UTC: days before it are known, days from it on are not, or not wholly. */
  knownThrough: Date;
  /** First millisecond of days before `knownThrough` that are not wholly settled: they stand for no other day. */
  openDays: ReadonlySet<number>;
  items: readonly ProjectedItem[];
}

export interface QuantityRange {
  p10: bigint;
  p50: bigint;
  p90: bigint;
}

export interface ItemProjection {
  itemId: string;
  quantity: QuantityRange;
  /** In minor units; null when the price is unknown. Under volume tiers p10 may belong to more tokens than p90. */
  amountMinor: QuantityRange | null;
}

export type Projection =
  | { status: 'projected'; knownDayCount: number; historyStart: Date; items: ItemProjection[] }
  | { status: 'refused'; reason: 'too_little_history' | 'period_is_over'; knownDayCount: number };

/** First day of the history that a projection from `knownThrough` looks at. */
export function projectionHistoryStart(knownThrough: Date, periodStart: Date): Date {
  const fourWeeksBack = knownThrough.getTime() - PROJECTION_HISTORY_DAYS * DAY_MS;
  return new Date(Math.min(fourWeeksBack, startOfDay(periodStart.getTime())));
}

/**
 * From when on days have to be estimated: the day of the last collected usage, or the first of the days right before
 * it that are still open. An open day further back is left as it is.
 */
export function knownThroughDay(collectedThrough: Date, openDays: ReadonlySet<number>): Date {
  let day = startOfDay(collectedThrough.getTime());
  while (openDays.has(day - DAY_MS)) day -= DAY_MS;
  return new Date(day);
}

/**
 * What each item will hold when the period ends, if the days to come are like those that were. Whole tokens and minor
 * units throughout.
 */
export function projectPeriod(input: ProjectionInput): Projection {
  const { period, openDays, items } = input;
  const historyStart = projectionHistoryStart(input.knownThrough, period.start);
  const knownDays = findKnownDays(historyStart.getTime(), input.knownThrough.getTime(), items, openDays);
  const knownDayCount = knownDays.length;
  const coming = daysOf(Math.max(startOfDay(period.start.getTime()), input.knownThrough.getTime()), period);
  if (coming.length === 0) return { status: 'refused', reason: 'period_is_over', knownDayCount };
  const daysByWeekday = Map.groupBy(knownDays, weekdayOf);
  const thin = coming.some(({ day }) => (daysByWeekday.get(weekdayOf(day))?.length ?? 0) < 2);
  if (knownDayCount < LEAST_PROJECTION_DAYS || thin) {
    return { status: 'refused', reason: 'too_little_history', knownDayCount };
  }
  return {
    status: 'projected',
    knownDayCount,
    historyStart,
    items: items.map((item) => projectItem(item, coming, daysByWeekday)),
  };
}

interface ComingDay {
  day: number;
  /** How much of the day lies in the period, in milliseconds. */
  lengthMs: bigint;
}

function projectItem(
  item: ProjectedItem,
  coming: readonly ComingDay[],
  daysByWeekday: ReadonlyMap<number, readonly number[]>,
): ItemProjection {
  const samplesByWeekday = new Map(
    [...daysByWeekday].map(([weekday, days]) => [
      weekday,
      days.map((day) => item.dailyTokens.get(day) ?? 0n).sort((one, other) => (one < other ? -1 : 1)),
    ]),
  );
  const project = (percent: number): bigint => {
    let quantity = item.quantity;
    for (const { day, lengthMs } of coming) {
      const sample = nearestRank(samplesByWeekday.get(weekdayOf(day)) ?? [], percent);
      const expected = divideHalfUp(sample * lengthMs, BigInt(DAY_MS));
      const held = item.periodTokens.get(day) ?? 0n;
      if (expected > held) quantity += expected - held;
    }
    return quantity;
  };
  const quantity = { p10: project(10), p50: project(50), p90: project(90) };
  return {
    itemId: item.itemId,
    quantity,
    amountMinor: item.price === null ? null : amountRange(item.price, quantity),
  };
}

/** Least and most that any quantity of the range costs: a volume price falls where a tier begins. */
function amountRange(price: RatePrice, { p10, p50, p90 }: QuantityRange): QuantityRange {
  const edges =
    price.kind === 'tiered'
      ? price.tiers.flatMap(({ upTo }) =>
          upTo === null || upTo < p10 || upTo >= p90 ? [] : [upTo, upTo + 1n],
        )
      : [];
  const amounts = [p10, ...edges, p90].map((quantity) => amountOf(rateQuantity(quantity, price)));
  return {
    p10: amounts.reduce((least, amount) => (amount < least ? amount : least)),
    p50: amountOf(rateQuantity(p50, price)),
    p90: amounts.reduce((most, amount) => (amount > most ? amount : most)),
  };
}

/** Wholly settled days since the customer's first usage; a day without any is one too. */
function findKnownDays(
  start: number,
  end: number,
  items: readonly ProjectedItem[],
  openDays: ReadonlySet<number>,
): number[] {
  let first = end;
  for (const { dailyTokens } of items) {
    for (const [day, tokens] of dailyTokens) if (tokens !== 0n && day < first) first = day;
  }
  const days: number[] = [];
  for (let day = Math.max(start, first); day < end; day += DAY_MS) if (!openDays.has(day)) days.push(day);
  return days;
}

function daysOf(firstDay: number, period: { start: Date; end: Date }): ComingDay[] {
  const days: ComingDay[] = [];
  for (let day = firstDay; day < period.end.getTime(); day += DAY_MS) {
    const from = Math.max(day, period.start.getTime());
    const to = Math.min(day + DAY_MS, period.end.getTime());
    if (to > from) days.push({ day, lengthMs: BigInt(to - from) });
  }
  return days;
}

function startOfDay(instantMs: number): number {
  return Math.floor(instantMs / DAY_MS) * DAY_MS;
}

/** Days since the epoch modulo seven: which weekday it is called does not matter. */
function weekdayOf(day: number): number {
  return Math.floor(day / DAY_MS) % 7;
}
