import { html } from 'hono/html';
import { type DisplayNames, readDisplayNames } from '../../../catalog/display-names.ts';
import type { RollupRow, RollupScope } from '../../../costs/rollups/query.ts';
import { readRollupScope } from '../../../costs/rollups/scope.ts';
import { addressWith, textOf } from '../../../pages/address.ts';
import type { Html } from '../../../pages/html.ts';
import type { TableDefinition, TablePage } from '../../../pages/table/columns.ts';
import { pagedTable } from '../../../pages/table/table.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { TimeWindow } from '../../../platform/clock.ts';
import type { LedgerSnapshot } from '../../../platform/database/snapshot.ts';
import type { ConsoleView, WholeCsv } from '../../frame/define-page.ts';
import { COST, COST_CHANGE, MARGIN, REQUESTS, REVENUE, TOKENS, UNPRICED } from '../../rollups/columns.ts';
import { passedEnd } from '../../rollups/decide.ts';
import { trendCell } from '../../rollups/draw.ts';
import { gatherRows, type RollupBasis, rollupCsv, type TableQuery } from '../../rollups/gather.ts';
import { usageNameCell } from '../../usage/name-cell.ts';

/** By what a customer's usage is told apart, one at a time: the address says which. */
const TABS = {
  feature: { name: 'features', title: 'Feature' },
  model: { name: 'models', title: 'Model' },
  user: { name: 'users', title: 'User' },
  deployment: { name: 'deployments', title: 'Deployment' },
} as const;
type Tab = keyof typeof TABS;
const TAB_NAMES = Object.keys(TABS) as Tab[];

const tabOf = ({ address }: ConsoleView): Tab =>
  TAB_NAMES.find((name) => name === address.query.get('by')) ?? 'feature';

function usageTable(tab: Tab, names: DisplayNames, view: ConsoleView): TableDefinition<RollupRow> {
  const { name, title } = TABS[tab];
  const nameOf = ({ dimensions }: RollupRow) => dimensions[tab] ?? '';
  return {
    name,
    caption: `Usage by ${tab}`,
    sort: '-cost',
    filters: [{ name: tab, title }],
    empty: 'Nothing was used in this period.',
    columns: [
      {
        name: tab,
        title,
        kind: 'text',
        isRowHeader: true,
        cell: (row) => {
          const value = nameOf(row);
          if (tab !== 'user') return usageNameCell(view, tab, value);
          if (value === '') return html`<span class="muted">not told</span>`;
          const name = names.get(value);
          return name === undefined
            ? nameCell(value)
            : html`${nameCell(name)} <small class="muted">${nameCell(value, 40)}</small>`;
        },
        csv: nameOf,
      },
      COST,
      COST_CHANGE,
      { name: 'trend', title: 'By day', kind: 'drawing', cell: (row) => trendCell(row, drawnOf(view)) },
      REVENUE,
      MARGIN,
      TOKENS,
      REQUESTS,
    ],
  };
}

function queryOf(
  view: ConsoleView,
  tab: Tab,
  { scope, before }: { scope: RollupScope; before: TimeWindow | null },
): TableQuery {
  const text = textOf(view.address.query, tab);
  const holding = text === undefined ? {} : { holding: { dimension: tab, text } };
  return { ...scope, filter: { ...scope.filter, ...holding }, groupBy: [tab], before, withDays: true };
}

const drawnOf = ({ period, now }: ConsoleView): TimeWindow => ({
  start: period.window.start,
  end: passedEnd(period.window, now),
});

/** A page of usage, and what its users are called. */
export interface UsagePage {
  page: TablePage<RollupRow>;
  names: DisplayNames;
}

const NO_NAMES: DisplayNames = new Map();

/** The page of rows of what the address tells usage apart by. */
export async function gatherUsage(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  basis: RollupBasis,
): Promise<UsagePage> {
  const tab = tabOf(view);
  const table = usageTable(tab, NO_NAMES, view);
  const { scope, comparison } = basis;
  const query = queryOf(view, tab, { scope, before: comparison.before });
  const page = await gatherRows(snapshot, table, query, view);
  const subjects = page.rows.flatMap(({ dimensions: { user } }) => (user ? [user] : []));
  const { customerId = '' } = view.params;
  return { page, names: await readDisplayNames(snapshot, customerId, subjects) };
}

export function drawUsage({ page, names }: UsagePage, view: ConsoleView): Html {
  const tab = tabOf(view);
  const links = TAB_NAMES.map((name) => {
    const mark = name === tab ? html` aria-current="true"` : '';
    return html`<li><a href="${addressWith(view.address, { by: name })}#${TABS[name].name}"${mark}>by ${name}</a></li>`;
  });
  return html`<nav class="tabs" aria-label="Usage by"><ul>${links}</ul></nav>
${pagedTable(usageTable(tab, names, view), page, view.address)}`;
}

/** All rows of each of them, by the name of its table. */
export function usageCsv(view: ConsoleView): Record<string, WholeCsv<RollupRow>> {
  return Object.fromEntries(
    TAB_NAMES.map((tab) => {
      const table = usageTable(tab, NO_NAMES, view);
      const columns = [...table.columns, UNPRICED];
      const csv = rollupCsv<RollupRow>(
        { ...table, columns },
        view,
        async (snapshot) => {
          const { now, period, params } = view;
          const filter = { customerId: params.customerId ?? '' };
          const scope = await readRollupScope(snapshot, { window: period.window, filter, now });
          return queryOf(view, tab, { scope, before: null });
        },
        async (_snapshot, rows) => rows,
      );
      return [TABS[tab].name, csv];
    }),
  );
}
