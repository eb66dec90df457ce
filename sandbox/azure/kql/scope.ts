import type { KqlType, KqlValue } from './value.ts';

/** An expression ready to run: its type is known before the first row is seen. */
export interface Compiled<Row> {
  type: KqlType;
  evaluate: (row: Row) => KqlValue;
}

/** The columns of a table or of an operator's result, in the order of the answer. */
export interface Column<Row> extends Compiled<Row> {
  name: string;
  /** Hidden columns answer when named, and are left out of an answer that projects nothing. */
  hidden?: boolean;
}

/** What an expression may refer to. */
export interface Scope<Row> {
  columns: Column<Row>[];
  /** `ingestion_time()` of a row; known only until a row has been aggregated. */
  ingestionTicks: ((row: Row) => bigint) | null;
  nowTicks: bigint;
}
