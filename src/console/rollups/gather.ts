import { readCustomerNames } from '../../catalog/customers.ts';
import { readCostCompleteness } from '../../costs/queries.ts';
import { countDueRevenues } from '../../costs/revenues/rate-revenues.ts';
import { type Comparison, readComparison } from '../../costs/rollups/comparison.ts';
import {
  ROLLUP_SORTS,
  type RollupFilter,
  type RollupMoney,
  type RollupQuery,
  type RollupRow,
  type RollupScope,
} from '../../costs/rollups/query.ts';
import { readRollupRows } from '../../costs/rollups/rows.ts';
import { readRollupScope } from '../../costs/rollups/scope.ts';
import { readRollupMoney } from '../../costs/rollups/totals.ts';
import type { TableDefinition, TablePage } from '../../pages/table/columns.ts';
import { csvCells, csvColumns, readTableQuery } from '../../pages/table/page-of-rows.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import type { ConsoleView, WholeCsv } from '../frame/define-page.ts';
import { comparedWindow } from './decide.ts';

/** All of a page's usage in the chosen period, and beside it what came before. */
export interface RollupBasis<Figures extends RollupMoney = RollupMoney> {
  scope: RollupScope;
  totals: Figures;
  /** With as many days of the period before as have begun of this one. */
  comparison: Comparison;
  /** Of that time; null where it cannot be compared with. */
  totalsBefore: RollupMoney | null;
  /** Days of the period, and months of customers, that are rated again soon. */
  dueDayCount: bigint;
  dueRevenueCount: bigint;
}

/** @param readTotals all of the period; who was active is counted only for whoever shows it */
export async function gatherBasis(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  filter?: RollupFilter,
): Promise<RollupBasis>;
export async function gatherBasis<Figures extends RollupMoney>(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  filter: RollupFilter,
  readTotals: (snapshot: LedgerSnapshot, scope: RollupScope) => Promise<Figures>,
): Promise<RollupBasis<Figures>>;
export async function gatherBasis(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  filter: RollupFilter = {},
  readTotals: (snapshot: LedgerSnapshot, scope: RollupScope) => Promise<RollupMoney> = readRollupMoney,
): Promise<RollupBasis> {
  const { now, period } = view;
  const scope = await readRollupScope(snapshot, { window: period.window, filter, now });
  const comparison = await readComparison(snapshot, comparedWindow(period.window, now));
  const { before } = comparison;
  const { dueDayCount } = await readCostCompleteness(snapshot, period.window);
  return {
    scope,
    totals: await readTotals(snapshot, scope),
    comparison,
    totalsBefore:
      before === null
        ? null
        : await readRollupMoney(snapshot, await readRollupScope(snapshot, { window: before, filter, now })),
    dueDayCount,
    dueRevenueCount: await countDueRevenues(snapshot),
  };
}

/** What a table over rollups reads, beside its order and its page. */
export type TableQuery = Omit<RollupQuery, 'sort' | 'after' | 'offset' | 'limit'>;

/** The page of rows that an address asks for, sorted where they are read: columns are named as what they sort by. */
export async function gatherRows(
  snapshot: LedgerSnapshot,
  definition: TableDefinition<never>,
  query: TableQuery,
  { address }: Pick<ConsoleView, 'address'>,
): Promise<TablePage<RollupRow>> {
  const { sort, pageNumber, pageSize } = readTableQuery(definition, address.query);
  const read = (page: number) =>
    readRollupRows(snapshot, {
      ...query,
      sort: orderOf(sort),
      after: null,
      offset: (page - 1) * pageSize,
      limit: pageSize,
    });
  let shown = pageNumber;
  let found = await read(shown);
  if (found.rows.length === 0 && shown > 1) {
    shown = 1;
    found = await read(shown);
  }
  const pageCount = Math.max(1, Math.ceil(found.rowCount / pageSize));
  return { rows: found.rows, rowCount: found.rowCount, pageNumber: shown, pageCount, sort };
}

const BATCH_ROWS = 1_000;
/** Each batch of a sorted table sums up all of it anew: a few large ones. */
const CSV_ROWS = 20_000;

/** Every row, for tables of few: features, models, deployments. */
export async function gatherAll(snapshot: LedgerSnapshot, query: TableQuery): Promise<RollupRow[]> {
  const all: RollupRow[] = [];
  for (;;) {
    const last = all.at(-1);
    const after = last === undefined ? null : query.groupBy.map((name) => last.dimensions[name] ?? '');
    const { rows } = await readRollupRows(snapshot, {
      ...query,
      sort: null,
      after,
      offset: 0,
      limit: BATCH_ROWS,
    });
    all.push(...rows);
    if (rows.length < BATCH_ROWS) return all;
  }
}

function orderOf(sort: { column: string; isDescending: boolean } | null): RollupQuery['sort'] {
  const by = ROLLUP_SORTS.find((name) => name === sort?.column);
  return by === undefined || sort === null ? null : { by, descending: sort.isDescending };
}

/** All rows of such a table, in the order of the address. `complete` adds to a batch what its columns need. */
export function rollupCsv<Row extends RollupRow>(
  definition: TableDefinition<Row>,
  view: ConsoleView,
  queryOf: (snapshot: LedgerSnapshot) => Promise<TableQuery>,
  complete: (snapshot: LedgerSnapshot, rows: RollupRow[]) => Promise<Row[]>,
): WholeCsv<Row> {
  const sort = orderOf(readTableQuery(definition, view.address.query).sort);
  let query: TableQuery | undefined;
  let offset = 0;
  let isWhole = false;
  return {
    columns: csvColumns(definition),
    read: async (snapshot, after, limit) => {
      if (after === null) offset = 0;
      else if (isWhole) return [];
      // All batches are of one snapshot, in which a query stays what it is.
      query ??= await queryOf(snapshot);
      const most = Math.max(limit, CSV_ROWS);
      const asked = { ...query, withDays: false, sort, after: null, offset, limit: most };
      const { rows } = await readRollupRows(snapshot, asked);
      offset += rows.length;
      isWhole = rows.length < most;
      return await complete(snapshot, rows);
    },
    toCells: (row) => csvCells(definition, row),
  };
}

/** Names of the customers in some rows. */
export async function readNames(
  snapshot: LedgerSnapshot,
  customerIds: readonly (string | null | undefined)[],
): Promise<Map<string, string>> {
  const ids = customerIds.flatMap((customerId) => (customerId ? [customerId] : []));
  return await readCustomerNames(snapshot, [...new Set(ids)]);
}
