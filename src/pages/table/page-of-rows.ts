import type { CsvTable } from '../../platform/csv.ts';
import { textOf } from '../address.ts';
import type { TableDefinition, TablePage, TableSort } from './columns.ts';

const PAGE_SIZE = 50;

/** What the address asks of a table. A field that makes no sense is as if it were not there: a page always answers. */
export function readTableQuery<Row>(definition: TableDefinition<Row>, query: URLSearchParams) {
  const pageSize = definition.pageSize ?? PAGE_SIZE;
  const asked = query.get(`${definition.name}-page`) ?? '';
  return {
    sort: readSort(definition, query.get(`${definition.name}-sort`)) ?? readSort(definition, definition.sort),
    pageNumber: /^[1-9]\d{0,6}$/.test(asked) ? Number(asked) : 1,
    pageSize,
  };
}

function readSort<Row>(definition: TableDefinition<Row>, text: string | null | undefined): TableSort | null {
  const [, sign, column] = /^(-?)(.+)$/.exec(text ?? '') ?? [];
  const isKnown = definition.columns.some(({ name, sortBy }) => name === column && sortBy !== undefined);
  return column === undefined || !isKnown ? null : { column, isDescending: sign === '-' };
}

/** All rows that the filters of the address leave, sorted as it says. */
function chooseRows<Row>(
  definition: TableDefinition<Row>,
  rows: readonly Row[],
  query: URLSearchParams,
): Row[] {
  const chosen = (definition.filters ?? []).reduce<readonly Row[]>((left, { name, matches }) => {
    const value = textOf(query, name);
    return value === undefined || matches === undefined ? left : left.filter((row) => matches(row, value));
  }, rows);
  const { sort } = readTableQuery(definition, query);
  const column = definition.columns.find(({ name }) => name === sort?.column);
  if (sort === null || column?.sortBy === undefined) return [...chosen];
  const { sortBy } = column;
  return chosen
    .map((row) => ({ row, value: sortBy(row) }))
    .sort((one, other) => compare(one.value, other.value, sort.isDescending))
    .map(({ row }) => row);
}

type SortValue = bigint | number | string | null;

function compare(one: SortValue, other: SortValue, isDescending: boolean): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  const order = orderOf(one, other);
  return isDescending ? -order : order;
}

function orderOf(one: NonNullable<SortValue>, other: NonNullable<SortValue>): number {
  if (typeof one === 'string' || typeof other === 'string')
    return String(one).localeCompare(String(other), 'en');
  return one < other ? -1 : Number(one > other);
}

/** Which page of so many rows the address asks for; beyond the last it is the last. */
export function choosePage<Row>(
  definition: TableDefinition<Row>,
  query: URLSearchParams,
  rowCount: number,
): Omit<TablePage<Row>, 'rows'> & { offset: number; pageSize: number } {
  const { sort, pageNumber: asked, pageSize } = readTableQuery(definition, query);
  const pageCount = Math.max(1, Math.ceil(rowCount / pageSize));
  const pageNumber = Math.min(asked, pageCount);
  return { rowCount, pageNumber, pageCount, sort, offset: (pageNumber - 1) * pageSize, pageSize };
}

/** The page of the rows that the address asks for. */
export function pageOfRows<Row>(
  definition: TableDefinition<Row>,
  rows: readonly Row[],
  query: URLSearchParams,
): TablePage<Row> {
  const chosen = chooseRows(definition, rows, query);
  const { offset, pageSize, ...page } = choosePage(definition, query, chosen.length);
  return { ...page, rows: chosen.slice(offset, offset + pageSize) };
}

/** The columns that a CSV has. */
export function csvColumns<Row>(definition: TableDefinition<Row>): string[] {
  return definition.columns.filter(({ csv }) => csv !== undefined).map(({ name }) => name);
}

/** One row of the CSV. */
export function csvCells<Row>(definition: TableDefinition<Row>, row: Row): (string | null)[] {
  return definition.columns.flatMap(({ csv }) => (csv === undefined ? [] : [csv(row)]));
}

/** The whole table as CSV: every page, with the filters and the order of the address. */
export function csvOfTable<Row>(
  definition: TableDefinition<Row>,
  rows: readonly Row[],
  query: URLSearchParams,
): CsvTable {
  const chosen = chooseRows(definition, rows, query);
  return { columns: csvColumns(definition), rows: chosen.map((row) => csvCells(definition, row)) };
}
