import type { RollupRow } from '../../costs/rollups/query.ts';
import type { Column } from '../../pages/table/columns.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { lastDays } from './decide.ts';
import { trendCell } from './draw.ts';
import { gatherAll, type RollupBasis } from './gather.ts';

const TREND_DAYS = 7;

/** A row of a table, and its last days. */
export interface TrendRow extends RollupRow {
  trend: RollupRow | undefined;
}

/** The days that are drawn of each row. */
export function trendWindowOf({ period, now }: ConsoleView): TimeWindow {
  return lastDays(period.window, now, TREND_DAYS);
}

export function trendColumn(window: TimeWindow): Column<TrendRow> {
  return {
    name: 'trend',
    title: `${TREND_DAYS} days`,
    kind: 'drawing',
    cell: ({ trend }) => trendCell(trend, window),
  };
}

/** Every value of a dimension that has few, each with its last days. */
export async function gatherWithTrends(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  { scope, before }: RollupBasis,
  by: 'feature' | 'model' | 'deployment',
): Promise<(TrendRow & { value: string })[]> {
  const asked = { ...scope, groupBy: [by] };
  const rows = await gatherAll(snapshot, { ...asked, before, withDays: false });
  const trends = await gatherAll(snapshot, {
    ...asked,
    window: trendWindowOf(view),
    before: null,
    withDays: true,
  });
  const trendOf = new Map(trends.map((row) => [row.dimensions[by], row]));
  return rows.map((row) => ({
    ...row,
    value: row.dimensions[by] ?? '',
    trend: trendOf.get(row.dimensions[by]),
  }));
}
