import Table from 'cli-table3';
import { type CsvTable, readCsvForm, toCsv } from '../csv.ts';

/** With `--json` one object on one line; else what `text` makes of it. Results go to standard output only. */
export function print(json: boolean, value: object, text: () => string): void {
  const output = json
    ? JSON.stringify(value, (_key, cell) => (typeof cell === 'bigint' ? String(cell) : cell))
    : text();
  process.stdout.write(`${output}\n`);
}

/**
 * A plain table; numbers as text, so that nothing is rounded on the way to the screen. Amounts in one numeric column have
 * the decimals of the longest of them, so that their points stand below each other.
 */
export function renderTable(
  head: string[],
  rows: (string | number)[][],
  numeric: readonly number[] = [],
): string {
  const table = new Table({
    head,
    colAligns: head.map((_, index) => (numeric.includes(index) ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
  });
  const decimals = new Map(
    numeric.map((column) => [column, mostDecimals(rows.map((row) => row[column] ?? ''))]),
  );
  table.push(...rows.map((row) => row.map((cell, column) => withDecimals(cell, decimals.get(column) ?? 0))));
  return table.toString();
}

const AMOUNT = /^([-−+]?[^\d\s-]{0,3}[\d,]+)(?:\.(\d+))?( [A-Z]{3})?$/;

/** None where the amounts are of several currencies: each has its own decimals. */
function mostDecimals(cells: readonly (string | number)[]): number {
  const amounts = cells.map((cell) => AMOUNT.exec(String(cell))).filter((match) => match !== null);
  if (new Set(amounts.map(([, , , currency]) => currency)).size > 1) return 0;
  return Math.max(0, ...amounts.map(([, , fraction = '']) => fraction.length));
}

function withDecimals(cell: string | number, decimals: number): string | number {
  const [, whole, fraction = '', unit = ''] = AMOUNT.exec(String(cell)) ?? [];
  if (whole === undefined || decimals === 0) return cell;
  return `${whole}.${fraction.padEnd(decimals, '0')}${unit}`;
}

/** Of the commands with `--csv`. */
export const SEPARATOR_OPTION = [
  '--separator <name>',
  'of the CSV: comma, semicolon or tab; the last two with a byte order mark, for spreadsheets',
] as const;

/** A table as CSV on standard output. @throws ValidationError */
export function printCsv(table: CsvTable, options: { separator?: string | undefined }): void {
  process.stdout.write(toCsv(table, readCsvForm(options)));
}

/** Digits in groups of three: 1,234,567. */
export function groupDigits(text: string | bigint | number): string {
  return BigInt(text).toLocaleString('en');
}
