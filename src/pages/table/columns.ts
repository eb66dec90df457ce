import type { Html } from '../html.ts';

/** One column of a table, for people and for CSV alike. */
export interface Column<Row> {
  /** In the address, and as the header of the CSV. */
  name: string;
  title: string;
  /** Numbers stand right in figures of one width. */
  kind: 'text' | 'number' | 'drawing';
  cell: (row: Row) => Html | string;
  /** Exact, without words; left out: not in the CSV, as drawings and acts are not. */
  csv?: (row: Row) => string | null;
  /** Left out: the table does not sort by it. Null, which is unknown, comes last either way. */
  sortBy?: (row: Row) => bigint | number | string | null;
  /** The column that names the row. */
  isRowHeader?: boolean;
}

/** Something that a table can be narrowed by, kept in the address under its name. */
export interface TableFilter<Row> {
  name: string;
  title: string;
  /** What can be chosen; left out: any text. */
  options?: readonly { value: string; title: string }[];
  /** Left out: whoever gathered the rows has narrowed them. */
  matches?: (row: Row, value: string) => boolean;
}

export interface TableDefinition<Row> {
  /** Short, of one page: begins the names of its fields in the address, and names its CSV. */
  name: string;
  caption: string;
  columns: readonly Column<Row>[];
  filters?: readonly TableFilter<Row>[];
  /** By which column rows are sorted first; `-name` is descending. Left out: as given. */
  sort?: string;
  /** 50 unless given. */
  pageSize?: number;
  /** What is said when there is no row. */
  empty: Html | string;
  /** Its columns are few and narrow: on a phone it stays a table, and rows are no cards. */
  isCompact?: boolean;
  /** English unless given. */
  words?: TableWords;
}

/** What a table says beside its rows. */
export interface TableWords {
  rows: (count: number) => string;
  /** Of the link to a table's CSV, for those who do not see which table it stands at. */
  asCsv: (caption: string) => string;
  filter: string;
  all: string;
  nothingMatches: string;
  showAll: string;
  before: string;
  next: string;
  pages: string;
  pageOf: (pageNumber: number, pageCount: number) => string;
}

export interface TableSort {
  column: string;
  isDescending: boolean;
}

/** The rows that are shown, and what there is beside them. */
export interface TablePage<Row> {
  rows: readonly Row[];
  /** Of all pages, as far as the filters leave them. */
  rowCount: number;
  /** From 1. */
  pageNumber: number;
  pageCount: number;
  sort: TableSort | null;
}
