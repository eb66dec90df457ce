import { z } from 'zod';
import { ValidationError } from './errors.ts';

const SEPARATORS = { comma: ',', semicolon: ';', tab: '\t' } as const;
const BYTE_ORDER_MARK = '\uFEFF';

export type CsvCells = readonly (string | null)[];

/** A list as a table, whatever separates its cells. */
export interface CsvTable {
  columns: readonly string[];
  rows: readonly CsvCells[];
  /** Whether we read it back to the letter, so that nothing may be put inside of a text. */
  isReadBack?: boolean;
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
export function toCsv({ columns, rows, isReadBack }: CsvTable, form: CsvForm = PLAIN_FORM): string {
  return `${form.hasByteOrderMark ? BYTE_ORDER_MARK : ''}${toCsvLines([columns, ...rows], form, isReadBack)}`;
}

/** Rows without a header. */
export function toCsvLines(rows: readonly CsvCells[], { separator }: CsvForm, isReadBack = false): string {
  const sign = SEPARATORS[separator];
  return rows.map((row) => `${row.map((cell) => toCell(cell, sign, isReadBack)).join(sign)}\r\n`).join('');
}

const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/;
/** What makes a spreadsheet read a cell as a formula, also behind leading space (OWASP, CSV injection); full-width signs count as plain. */
const FORMULA_START = /^\s*[=+\-@＝＋－＠\t\r]/;
/** The same behind what begins a cell for a spreadsheet that reads the file by another separator than it has. */
const FORMULA_BEHIND = {
  ',': /([;\t\r\n][^\S\t\r\n]*)(?=[=+\-@＝＋－＠])/g,
  ';': /([,\t\r\n][^\S\t\r\n]*)(?=[=+\-@＝＋－＠])/g,
  '\t': /([,;\r\n][^\S\r\n]*)(?=[=+\-@＝＋－＠])/g,
};

function toCell(value: string | null, separator: keyof typeof FORMULA_BEHIND, isReadBack: boolean): string {
  if (value === null) return '';
  const begun = !PLAIN_NUMBER.test(value) && FORMULA_START.test(value) ? `'${value}` : value;
  const harmless = isReadBack ? begun : begun.replace(FORMULA_BEHIND[separator], "$1'");
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
