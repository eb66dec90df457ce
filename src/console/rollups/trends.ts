import type { CostCell, CostSeries } from '../../costs/rollups/cost-series.ts';
import type { Column } from '../../pages/table/columns.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { daysIn, lastDays, type Trend } from './decide.ts';
import { trendCell } from './draw.ts';

const TREND_DAYS = 7;

/** Of a row of a table. */
export interface WithTrend {
  /** Undefined: nothing was used in them. */
  trend: Trend | undefined;
}

/** The days that are drawn of each row. */
export function trendWindowOf({ period, now }: ConsoleView): TimeWindow {
  return lastDays(period.window, now, TREND_DAYS);
}

/** The period and the days that are drawn of each row, which begin before it where it is young. */
export function drawnWindowOf(view: ConsoleView): TimeWindow {
  const { start, end } = view.period.window;
  const trend = trendWindowOf(view);
  return { start: trend.start < start ? trend.start : start, end };
}

export function trendColumn(window: TimeWindow): Column<WithTrend> {
  return {
    name: 'trend',
    title: `${TREND_DAYS} days`,
    kind: 'drawing',
    cell: ({ trend }) => trendCell(trend, window),
  };
}

/** The last days of each value, of a drawing of all of them. */
export function trendsOf(series: readonly CostSeries[], window: TimeWindow): Map<string, Trend> {
  return new Map(
    within(series, window).map(({ value, days }) => [
      value ?? '',
      {
        tokenCount: days.reduce((sum, { tokenCount }) => sum + tokenCount, 0n),
        unpricedTokenCount: days.reduce((sum, { unpricedTokenCount }) => sum + unpricedTokenCount, 0n),
        days,
      },
    ]),
  );
}

/** The values that cost the most in a window, and the others as one: what `readCostSeries` has where it is asked for so many. */
export function dearestSeries(all: readonly CostSeries[], window: TimeWindow, top: number): CostSeries[] {
  const costOf = ({ days }: CostSeries) =>
    days.reduce((sum, { knownCostPicoUsd }) => sum + knownCostPicoUsd, 0n);
  const ranked = within(all, window)
    .map((series) => ({ series, cost: costOf(series) }))
    .sort((one, other) => (one.cost === other.cost ? 0 : one.cost > other.cost ? -1 : 1))
    .map(({ series }) => series);
  const rest = ranked.slice(top).flatMap(({ days }) => days);
  if (rest.length === 0) return ranked;
  return [...ranked.slice(0, top), { value: null, days: sumByDay(rest) }];
}

function within(series: readonly CostSeries[], window: TimeWindow): CostSeries[] {
  const drawn = new Set(daysIn(window));
  return series
    .map(({ value, days }) => ({ value, days: days.filter(({ day }) => drawn.has(day)) }))
    .filter(({ days }) => days.length > 0);
}

function sumByDay(cells: readonly CostCell[]): CostCell[] {
  const sum = (its: readonly CostCell[], read: (cell: CostCell) => bigint) =>
    its.reduce((total, cell) => total + read(cell), 0n);
  return [...Map.groupBy(cells, ({ day }) => day)]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([day, its]) => ({
      day,
      knownCostPicoUsd: sum(its, (cell) => cell.knownCostPicoUsd),
      tokenCount: sum(its, (cell) => cell.tokenCount),
      unpricedTokenCount: sum(its, (cell) => cell.unpricedTokenCount),
    }));
}
