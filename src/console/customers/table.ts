import { html } from 'hono/html';
import type { CostFigures, RollupMoney, RollupRow } from '../../costs/rollups/query.ts';
import type { Html } from '../../pages/html.ts';
import { shareCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { dayShort } from '../../pages/words.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import { COST, COST_CHANGE, dollarCell, MARGIN, REVENUE, UNPRICED } from '../rollups/columns.ts';
import { shareOf, shownDayCost, shownRevenue } from '../rollups/decide.ts';
import { mixInWords } from '../rollups/draw.ts';
import { trendColumn, type WithTrend } from '../rollups/trends.ts';

/** A customer in the table, or the usage that is nobody's. */
export interface CustomerRow extends RollupRow, WithTrend {
  /** Of the table as it is sorted, from 1. */
  rank: number;
  /** Empty: nobody. */
  customerId: string;
  name: string;
  mix: { name: string; figures: CostFigures }[];
}

export const CUSTOMERS_NAME = 'customers';

export function customersTable(shown: {
  /** What shares are of; null: of nothing. */
  totals: RollupMoney | null;
  trendWindow: TimeWindow;
  now: Date;
  addressOf: (customerId: string) => string | null;
}): TableDefinition<CustomerRow> {
  const { totals, trendWindow, now, addressOf } = shown;
  return {
    name: CUSTOMERS_NAME,
    caption: 'Customers',
    sort: '-cost',
    filters: [{ name: 'customer', title: 'Name or id' }],
    empty: 'Nobody used anything in this period.',
    columns: [
      { name: 'rank', title: '#', kind: 'number', cell: ({ rank }) => String(rank) },
      {
        name: 'customerId',
        title: 'Customer',
        kind: 'text',
        isRowHeader: true,
        cell: ({ customerId, name }) => {
          const href = addressOf(customerId);
          if (customerId === '') return html`<span class="muted">nobody’s usage</span>`;
          return href === null ? nameCell(name) : html`<a href="${href}">${nameCell(name)}</a>`;
        },
        csv: ({ customerId }) => (customerId === '' ? null : customerId),
      },
      COST,
      COST_CHANGE,
      lastDayColumn(trendWindow, now),
      trendColumn(trendWindow),
      {
        name: 'mix',
        title: 'Features by cost',
        kind: 'text',
        cell: ({ mix }) => mixCell(mixInWords(mix)),
      },
      {
        name: 'tokens',
        title: 'of tokens',
        kind: 'number',
        cell: ({ tokenCount }) => shareCell(shareOf(tokenCount, totals?.tokenCount ?? null)),
        csv: ({ tokenCount }) => String(tokenCount),
        sortBy: ({ tokenCount }) => tokenCount,
      },
      {
        name: 'revenueShare',
        title: 'of revenue',
        kind: 'number',
        cell: (row) => shareCell(shareOf(shownRevenue(row), totals?.revenuePicoUsd ?? null)),
      },
      REVENUE,
      MARGIN,
    ],
  };
}

/** What the last of the drawn days cost: today, unless the period is over. */
function lastDayColumn(window: TimeWindow, now: Date): Column<CustomerRow> {
  const last = new Date(window.end.getTime() - 1);
  return {
    name: 'lastDay',
    title: now < window.end ? 'Today' : dayShort(last),
    kind: 'number',
    cell: ({ trend }) => {
      const day = last.toISOString().slice(0, 10);
      const used = trend?.days.find((cost) => cost.day === day);
      return used === undefined ? html`<span class="muted">–</span>` : dollarCell(shownDayCost(used));
    },
  };
}

function mixCell(shares: readonly string[]): Html {
  const [first, ...others] = shares;
  if (first === undefined) return html`<span class="muted">–</span>`;
  if (others.length === 0) return nameCell(first, 28);
  return html`<span title="${shares.slice(0, 20).join(', ')}">${nameCell(first, 28)} <span class="muted">+${others.length}</span></span>`;
}

const NAME: Column<CustomerRow> = {
  name: 'name',
  title: 'Name',
  kind: 'text',
  cell: ({ name }) => nameCell(name),
  csv: ({ name }) => name,
};

/** The same for CSV, which has the name beside the id, and how many tokens have no known cost. */
export function customersExport(definition: TableDefinition<CustomerRow>): TableDefinition<CustomerRow> {
  return { ...definition, columns: [NAME, ...definition.columns, UNPRICED] };
}
