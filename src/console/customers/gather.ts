import { findCustomerIds } from '../../catalog/customers.ts';
import { readCostRows } from '../../costs/rollups/cost-rows.ts';
import { type CostSeries, readCostSeries } from '../../costs/rollups/cost-series.ts';
import type { RollupMoney, RollupRow, RollupScope } from '../../costs/rollups/query.ts';
import { readRollupScope } from '../../costs/rollups/scope.ts';
import { textOf } from '../../pages/address.ts';
import type { TablePage } from '../../pages/table/columns.ts';
import { readTableQuery } from '../../pages/table/page-of-rows.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import type { ConsoleView, WholeCsv } from '../frame/define-page.ts';
import {
  gatherBasis,
  gatherRows,
  type RollupBasis,
  readNames,
  rollupCsv,
  type TableQuery,
} from '../rollups/gather.ts';
import { trendsOf, trendWindowOf } from '../rollups/trends.ts';
import { type CustomerRow, customersExport, customersTable } from './table.ts';

const DRAWN_CUSTOMERS = 10;
/** A customer's features beyond these are a small rest, which the customer's own page has. */
const MIXED_ROWS = 5_000;

export interface CustomersMaterial {
  basis: RollupBasis;
  series: CostSeries[];
  names: Map<string, string>;
  page: TablePage<CustomerRow>;
}

export async function gatherCustomers(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
): Promise<CustomersMaterial> {
  const basis = await gatherBasis(snapshot, view);
  const { scope } = basis;
  const series = await readCostSeries(snapshot, { ...scope, by: 'customer', top: DRAWN_CUSTOMERS });
  const definition = tableOf(view, basis.totals);
  const query = { ...(await queryOf(snapshot, view, scope)), before: basis.comparison.before };
  const page = await gatherRows(snapshot, definition, query, view);
  const { pageSize } = readTableQuery(definition, view.address.query);
  const rows = await completeRows(snapshot, page.rows, {
    scope,
    view,
    firstRank: (page.pageNumber - 1) * pageSize + 1,
  });
  const names = await readNames(
    snapshot,
    series.map(({ value }) => value),
  );
  return { basis, series, names, page: { ...page, rows } };
}

/** The table as the address asks for it. @param totals what shares are of; null: for a file, which has none */
export function tableOf(view: ConsoleView, totals: RollupMoney | null) {
  const leads = view.hasPage('/console/customers/:customerId');
  return customersTable({
    totals,
    trendWindow: trendWindowOf(view),
    now: view.now,
    addressOf: (customerId) =>
      leads && customerId !== '' ? `/console/customers/${encodeURIComponent(customerId)}` : null,
  });
}

/** Whose usage the address asks for: of all customers and of nobody, unless it names some. */
async function queryOf(
  snapshot: LedgerSnapshot,
  { address }: ConsoleView,
  scope: RollupScope,
): Promise<TableQuery> {
  const text = textOf(address.query, 'customer');
  const filter = text === undefined ? {} : { customerIds: await findCustomerIds(snapshot, text) };
  return { ...scope, filter, groupBy: ['customer'], before: null, withDays: false };
}

/** Names, trends and features of the rows of one page. */
async function completeRows(
  snapshot: LedgerSnapshot,
  rows: readonly RollupRow[],
  page: { scope: RollupScope; view: ConsoleView; firstRank: number },
): Promise<CustomerRow[]> {
  const { scope, view, firstRank } = page;
  const customerIds = rows.map(({ dimensions }) => dimensions.customer ?? '');
  const names = await readNames(snapshot, customerIds);
  const its = { ...scope, filter: { customerIds } };
  const trendWindow = trendWindowOf(view);
  const drawn = { ...its, window: trendWindow, by: 'customer', top: null } as const;
  const trendOf = trendsOf(await readCostSeries(snapshot, drawn), trendWindow);
  const mixed = { ...its, groupBy: ['customer', 'feature'], before: null } as const;
  const features = await readCostRows(snapshot, mixed, MIXED_ROWS);
  const mixOf = Map.groupBy(features, ({ dimensions }) => dimensions.customer);
  return rows.map((row, index) => {
    const customerId = row.dimensions.customer ?? '';
    return {
      ...row,
      rank: firstRank + index,
      customerId,
      name: names.get(customerId) ?? customerId,
      trend: trendOf.get(customerId),
      mix: (mixOf.get(customerId) ?? []).map((figures) => ({
        name: figures.dimensions.feature || 'no feature',
        figures,
      })),
    };
  });
}

export function customersCsv(view: ConsoleView): WholeCsv<CustomerRow> {
  const definition = customersExport(tableOf(view, null));
  return rollupCsv<CustomerRow>(
    definition,
    view,
    async (snapshot) => {
      const { now, period } = view;
      const scope = await readRollupScope(snapshot, { window: period.window, filter: {}, now });
      return await queryOf(snapshot, view, scope);
    },
    async (snapshot, rows) => {
      const names = await readNames(
        snapshot,
        rows.map(({ dimensions }) => dimensions.customer),
      );
      return rows.map((row) => {
        const customerId = row.dimensions.customer ?? '';
        const name = names.get(customerId) ?? customerId;
        return { ...row, rank: 0, customerId, name, trend: undefined, mix: [] };
      });
    },
  );
}
