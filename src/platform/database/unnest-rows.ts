import { type RawBuilder, sql } from 'kysely';

/** One column of rows that travel into a statement: its type, and what it holds of each row. */
export interface RowField<Row> {
  type: string;
  valuesOf: (rows: readonly Row[]) => unknown[];
}

/** By the name of the column, which stands beside its values and so cannot take those of another. */
export type RowFields<Row> = Record<string, RowField<Row>>;

export const textField = <Row>(pick: (row: Row) => string | null): RowField<Row> => ({
  type: 'text',
  valuesOf: (rows) => rows.map(pick),
});

export const bigintField = <Row>(pick: (row: Row) => bigint): RowField<Row> => ({
  type: 'bigint',
  valuesOf: (rows) => rows.map((row) => String(pick(row))),
});

export const instantField = <Row>(pick: (row: Row) => Date | null): RowField<Row> => ({
  type: 'timestamptz',
  valuesOf: (rows) => rows.map((row) => pick(row)?.toISOString() ?? null),
});

/** Any other type, of values that the driver can put into an array of it. */
export const fieldOf = <Row>(type: string, pick: (row: Row) => unknown): RowField<Row> => ({
  type,
  valuesOf: (rows) => rows.map(pick),
});

/** `(a, b)` of an insert: the columns of the fields. */
export function namesOf(fields: Record<string, unknown>): RawBuilder<unknown> {
  return sql.raw(Object.keys(fields).join(', '));
}

/** `a = told.a, b = told.b` of an update. */
export function assignments(names: readonly string[], from: string): RawBuilder<unknown> {
  return sql.raw(names.map((name) => `${name} = ${from}.${name}`).join(', '));
}

/** `unnest(...) as alias(columns)`: rows of ours as a table. */
export function unnestRows<Row>(
  alias: string,
  rows: readonly Row[],
  fields: RowFields<Row>,
): RawBuilder<unknown> {
  const arrays = Object.values(fields).map(
    ({ type, valuesOf }) => sql`${valuesOf(rows)}::${sql.raw(type)}[]`,
  );
  return sql`unnest(${sql.join(arrays)}) as ${sql.raw(alias)}(${namesOf(fields)})`;
}
