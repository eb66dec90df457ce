import { divideHalfUp, formatDecimal, PICO_DIGITS } from '../../../pricing/money.ts';
import type { CostCell } from '../../costs/rollups/cost-series.ts';
import type { CostFigures, RollupMoney } from '../../costs/rollups/query.ts';
import { windowBefore } from '../../costs/rollups/scope.ts';
import { knownCostOf, marginOf } from '../../costs/rollups/show.ts';
import { addMs, DAY_MS, type TimeWindow } from '../../platform/clock.ts';

/** The end of the day that is running, or of the window where that is earlier. */
export function passedEnd(window: TimeWindow, now: Date): Date {
  const dayEnd = (Math.floor(now.getTime() / DAY_MS) + 1) * DAY_MS;
  return new Date(Math.min(window.end.getTime(), dayEnd));
}

/** What a window is compared with: as many days of the one before as have begun of this one. */
export function comparedWindow(window: TimeWindow, now: Date): TimeWindow {
  const before = windowBefore(window);
  const passedMs = passedEnd(window, now).getTime() - window.start.getTime();
  if (passedMs <= 0 || passedMs >= window.end.getTime() - window.start.getTime()) return before;
  return {
    start: before.start,
    end: new Date(Math.min(before.end.getTime(), before.start.getTime() + passedMs)),
  };
}

/** The last so many days of what has passed of a window, and some before it where it is younger. */
export function lastDays(window: TimeWindow, now: Date, count: number): TimeWindow {
  const end = passedEnd(window, now);
  return { start: addMs(end, -count * DAY_MS), end };
}

/** Each UTC day of a window, as `2026-10-31`. */
export function daysIn({ start, end }: TimeWindow): string[] {
  const count = Math.max(0, Math.round((end.getTime() - start.getTime()) / DAY_MS));
  return Array.from({ length: count }, (_, index) =>
    addMs(start, index * DAY_MS)
      .toISOString()
      .slice(0, 10),
  );
}

/** A part of a whole, 1 being all of it; null where either is unknown or there is no whole. */
export function shareOf(part: bigint | null, whole: bigint | null): number | null {
  if (part === null || whole === null || whole <= 0n) return null;
  return Number((part * 1_000_000_000n) / whole) / 1e9;
}

/** How much more than before; null: nothing was before. */
export function changeOf(now: bigint | null, before: bigint | null): number | null {
  return now === null || before === null ? null : shareOf(now - before, before);
}

/** Cost of one of so many, as decimal text; null: there is none. */
export function costOfEach(picoUsd: bigint, count: bigint, digits: number): string | null {
  if (count <= 0n) return null;
  const unit = count * 10n ** BigInt(PICO_DIGITS - digits);
  return formatDecimal(divideHalfUp(picoUsd, unit), digits, digits);
}

/** What the last days of something cost. */
export type Trend = Pick<CostFigures, 'tokenCount' | 'unpricedTokenCount'> & {
  days: readonly CostCell[];
};

/** What costs the most, first. */
export function dearestFirst<Row extends CostFigures>(rows: readonly Row[]): Row[] {
  return rows.toSorted((one, other) => (knownCostOf(other) < knownCostOf(one) ? -1 : 1));
}

/** Share of tokens without a known cost. */
export function unpricedShare({
  unpricedTokenCount,
  tokenCount,
}: Pick<CostFigures, 'unpricedTokenCount' | 'tokenCount'>): number {
  return shareOf(unpricedTokenCount, tokenCount) ?? 0;
}

/** Share of customers' tokens that no rate names: the revenue lacks what they bring. */
export function unratedShare({ currencies, tokenCount, unattributedTokenCount }: RollupMoney): number {
  const unrated = currencies.reduce((sum, { unratedTokenCount }) => sum + unratedTokenCount, 0n);
  return shareOf(unrated, tokenCount - unattributedTokenCount) ?? 0;
}

/** The known cost; null where that is of nothing that was used. */
export function shownCost(figures: CostFigures): bigint | null {
  return unpricedShare(figures) === 1 ? null : knownCostOf(figures);
}

/** The same of a day. */
export function shownDayCost(day: CostCell): bigint | null {
  return unpricedShare(day) === 1 ? null : day.knownCostPicoUsd;
}

/** The revenue in US dollars; null where none of it is known. */
export function shownRevenue(figures: RollupMoney): bigint | null {
  return unratedShare(figures) === 1 ? null : figures.revenuePicoUsd;
}

/** Share of tokens whose cost or revenue nobody knows; null: all is known. */
export function unknownShare(figures: RollupMoney): number | null {
  if (marginOf(figures) !== null) return null;
  const ofCustomers = figures.tokenCount - figures.unattributedTokenCount;
  return shareOf(ofCustomers - figures.knownMarginTokenCount, ofCustomers) ?? 1;
}

/** So little that is unknown changes no judgement. */
export const NEGLIGIBLE = 0.05;

/** The margin by which something can be judged: all of it, or of nearly all tokens; null: too much is unknown. */
export function judgedMargin(figures: RollupMoney): bigint | null {
  const unknown = unknownShare(figures);
  if (unknown !== null && unknown > NEGLIGIBLE) return null;
  return marginOf(figures) ?? figures.knownMarginPicoUsd;
}
