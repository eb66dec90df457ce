import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import {
  CSV_FORM_FIELDS,
  type CsvCells,
  type CsvForm,
  type CsvTable,
  readCsvForm,
  toCsv,
  toCsvLines,
} from '../csv.ts';
import type { LedgerDatabase } from '../database/database.ts';
import { type LedgerSnapshot, streamSnapshot } from '../database/snapshot.ts';
import { ValidationError } from '../errors.ts';
import { answerStream } from './stream.ts';

const MEDIA_TYPE = 'text/csv; charset=utf-8; header=present';
/** Rows read and sent at a time. */
const BATCH_SIZE = 1_000;

/** What every route that can answer as CSV takes in its query. */
export const CSV_FIELDS = CSV_FORM_FIELDS;

/** What such a route says of them in the API's description. */
export const CSV_DESCRIPTION =
  'CSV is whole: every row, as of one instant, in UTF-8; `limit` and `cursor` are for JSON. `separator` (comma) and `bom` (true unless it is a comma) are for spreadsheets.';

/** Whether the caller would rather have CSV than JSON. */
export function wantsCsv(context: Context): boolean {
  const supports = ['application/json', 'text/csv'];
  return accepts(context, { header: 'Accept', supports, default: 'application/json' }) === 'text/csv';
}

/** A table as the answer, in the form that the query asks for; a browser saves it as `name`.csv. @throws ValidationError */
export function answerCsv(context: Context, table: CsvTable, name?: string) {
  return context.text(toCsv(table, readForm(context)), 200, csvHeaders(name));
}

/**
 * A list as the answer, whole: every row as of one instant, sent batch by batch, so that memory does not grow with the
 * list. A reader that stands still for a minute loses the connection, and the snapshot with it.
 * @param read the rows after one (null: the first), at most so many
 * @throws ValidationError for a query that asks for a page; what the first `read` throws
 */
export async function answerWholeCsv<Row>(
  context: Context,
  database: LedgerDatabase,
  columns: readonly string[],
  read: (snapshot: LedgerSnapshot, after: Row | null, limit: number) => Promise<Row[]>,
  toCells: (row: Row) => CsvCells,
) {
  for (const field of ['limit', 'cursor']) {
    if (context.req.query(field) === undefined) continue;
    throw new ValidationError(field, 'is for pages of JSON; CSV has every row', 'Leave it out.');
  }
  const form = readForm(context);
  const encoder = new TextEncoder();
  const parts = streamSnapshot(database, async function* (snapshot) {
    let after: Row | null = null;
    for (let isFirst = true; isFirst || after !== null; isFirst = false) {
      const rows: Row[] = await read(snapshot, after, BATCH_SIZE);
      const lines = toCsvLines(rows.map(toCells), form);
      yield encoder.encode(isFirst ? toCsv({ columns, rows: [] }, form) + lines : lines);
      after = rows.length < BATCH_SIZE ? null : (rows.at(-1) ?? null);
    }
  });
  return await answerStream(context, parts, csvHeaders());
}

/** A table that is at hand, sent part by part: its text is never in memory as a whole. @throws ValidationError */
export async function answerCsvInParts(context: Context, { columns, rows }: CsvTable, name: string) {
  const form = readForm(context);
  const encoder = new TextEncoder();
  const parts = async function* () {
    for (let at = 0; at === 0 || at < rows.length; at += BATCH_SIZE) {
      const some = rows.slice(at, at + BATCH_SIZE);
      yield encoder.encode(at === 0 ? toCsv({ columns, rows: some }, form) : toCsvLines(some, form));
    }
  };
  return await answerStream(context, parts(), csvHeaders(name));
}

/** Of a CSV; a browser saves it under the name. */
function csvHeaders(name?: string): Record<string, string> {
  return {
    'Content-Type': MEDIA_TYPE,
    ...(name === undefined ? {} : { 'Content-Disposition': `attachment; filename="${name}.csv"` }),
  };
}

function readForm(context: Context): CsvForm {
  return readCsvForm({ separator: context.req.query('separator'), bom: context.req.query('bom') });
}
