import { countCell, instantCell } from '../numbers.ts';
import type { Column } from './columns.ts';

/** A count: grouped for people, exact in CSV. */
export function countColumn<Row>(name: string, title: string, read: (row: Row) => bigint): Column<Row> {
  return {
    name,
    title,
    kind: 'number',
    cell: (row) => countCell(read(row)),
    csv: (row) => String(read(row)),
    sortBy: read,
  };
}

/** A moment; null: it never was. */
export function instantColumn<Row>(
  name: string,
  title: string,
  read: (row: Row) => Date | null,
): Column<Row> {
  return {
    name,
    title,
    kind: 'text',
    cell: (row) => instantCell(read(row)),
    csv: (row) => read(row)?.toISOString() ?? null,
    sortBy: (row) => read(row)?.getTime() ?? null,
  };
}
