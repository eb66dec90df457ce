import { z } from 'zod';
import { ValidationError } from './errors.ts';

const SEPARATORS = { comma: ',', semicolon: ';', tab: '\t' } as const;
const BYTE_ORDER_MARK = '\uFEFF';

export type CsvCells = readonly (string | null)[];

/** A list as a table, whatever separates its cells. */
export interface CsvTable {
  columns: readonly string[];
  rows: readonly CsvCells[];
}

/** How a file is written. */
export interface CsvForm {
  separator: keyof typeof SEPARATORS;
  /** UTF-8's mark at the start: Excel reads a file without it in the machine's own code page. */
  hasByteOrderMark: boolean;
}
const PLAIN_FORM: CsvForm = { separator: 'comma', hasByteOrderMark: false };

/** How a query says it. */
export const CSV_FORM_FIELDS = {
  separator: z.enum(['comma', 'semicolon', 'tab']).optional(),
  bom: z.enum(['true', 'false']).optional(),
};

/** A table as CSV (RFC 4180): CRLF, a header, every text quoted where it must be. */
export function toCsv({ columns, rows }: CsvTable, form: CsvForm = PLAIN_FORM): string {
  return `${form.hasByteOrderMark ? BYTE_ORDER_MARK : ''}${toCsvLines([columns, ...rows], form)}`;
}

/** Rows without a header. */
export function toCsvLines(rows: readonly CsvCells[], { separator }: CsvForm): string {
  const sign = SEPARATORS[separator];
  return rows.map((row) => `${row.map((cell) => toCell(cell, sign)).join(sign)}\r\n`).join('');
}

const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/;
/** What makes a spreadsheet read a cell as a formula, also behind leading space (OWASP, CSV injection). */
const FORMULA_START = /^\s*[=+\-@\t\r]/;

function toCell(value: string | null, separator: string): string {
  if (value === null) return '';
  const harmless = !PLAIN_NUMBER.test(value) && FORMULA_START.test(value) ? `'${value}` : value;
  return harmless.includes(separator) || /["\r\n]/.test(harmless)
    ? `"${harmless.replaceAll('"', '""')}"`
    : harmless;
}

/** @throws ValidationError */
export function readCsvForm(options: { separator?: string | undefined; bom?: string | undefined }): CsvForm {
  const { separator: given, bom } = options;
  const parsed = CSV_FORM_FIELDS.separator.safeParse(given);
  if (!parsed.success) {
    throw new ValidationError('separator', `"${given}" is none`, 'Write comma, semicolon or tab.');
  }
  const separator = parsed.data ?? 'comma';
  return { separator, hasByteOrderMark: bom === undefined ? separator !== 'comma' : bom === 'true' };
}
