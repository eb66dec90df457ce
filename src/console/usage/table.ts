import { html } from 'hono/html';
import type { RollupRow } from '../../costs/rollups/query.ts';
import { addressWith } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import {
  ACTIVE_USERS,
  COST,
  COST_CHANGE,
  MARGIN,
  REQUESTS,
  REVENUE,
  TOKENS,
  UNPRICED,
} from '../rollups/columns.ts';
import { passedEnd } from '../rollups/decide.ts';
import { trendCell } from '../rollups/draw.ts';
import { USAGE_KINDS, type UsageKind } from './address.ts';
import { usageNameCell } from './name-cell.ts';

/** By what usage is told apart, one at a time. */
const TABS = ['customer', 'day', 'user', ...USAGE_KINDS] as const;
export type UsageTab = (typeof TABS)[number];

/** All but what the page is of. */
export const tabsOf = (kind: UsageKind): UsageTab[] => TABS.filter((tab) => tab !== kind);

export const tableNameOf = (tab: UsageTab): string => `${tab}s`;

const TITLES: Record<UsageTab, string> = {
  customer: 'Customer',
  day: 'Day (UTC)',
  user: 'User',
  feature: 'Feature',
  model: 'Model',
  deployment: 'Deployment',
};

/** @param names of customers */
export function usageTable(
  tab: UsageTab,
  names: ReadonlyMap<string, string>,
  view: ConsoleView,
): TableDefinition<RollupRow> {
  const { period, now } = view;
  const drawn = { start: period.window.start, end: passedEnd(period.window, now) };
  const keyOf = ({ dimensions }: RollupRow) => dimensions[tab] ?? '';
  return {
    name: tableNameOf(tab),
    caption: `Usage by ${tab}`,
    ...(tab === 'day' ? {} : { sort: '-cost', filters: [{ name: tab, title: TITLES[tab] }] }),
    empty: 'Nothing was used in this period.',
    columns: [
      {
        name: tab,
        title: TITLES[tab],
        kind: 'text',
        isRowHeader: true,
        cell: (row) => valueCell(tab, keyOf(row), names, view),
        csv: keyOf,
      },
      COST,
      ...(tab === 'day'
        ? []
        : [
            COST_CHANGE,
            {
              name: 'trend',
              title: 'By day',
              kind: 'drawing' as const,
              cell: (row: RollupRow) => trendCell(row, drawn),
            },
          ]),
      REVENUE,
      MARGIN,
      TOKENS,
      REQUESTS,
      ...(tab === 'user' ? [] : [ACTIVE_USERS]),
    ],
  };
}

export const exportOf = (table: TableDefinition<RollupRow>): TableDefinition<RollupRow> => ({
  ...table,
  columns: [...table.columns, UNPRICED],
});

function valueCell(
  tab: UsageTab,
  value: string,
  names: ReadonlyMap<string, string>,
  view: ConsoleView,
): Html {
  if (tab === 'customer') {
    if (value === '') return html`<span class="muted">nobody’s usage</span>`;
    const called = nameCell(names.get(value) ?? value);
    return view.hasPage('/console/customers/:customerId')
      ? html`<a href="/console/customers/${encodeURIComponent(value)}">${called}</a>`
      : called;
  }
  if (tab === 'day') {
    const day = addressWith(view.address, { by: 'customer', period: 'from-to', from: value, to: value });
    return html`<a href="${day}"><time datetime="${value}">${value}</time></a>`;
  }
  if (tab === 'user') return value === '' ? html`<span class="muted">not told</span>` : nameCell(value);
  return usageNameCell(view, tab, value);
}
