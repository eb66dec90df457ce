import { separatorOf } from '../separator.ts';
import { cellsOfRow, PRICE_COLUMNS, REQUIRED_COLUMNS } from './cells.ts';
import { contentOfCsv, readRecords } from './csv-records.ts';
import { emptyPriceFile, type LineProblem, type PriceFile, takeRow } from './file.ts';
import { dateReader, decimalReader, readFlagWord } from './locale.ts';
import type { PriceRow } from './rows.ts';

const isColumn = (cell: string) => (PRICE_COLUMNS as readonly string[]).includes(cell);

/** Price rows as the cells of a table, without what a spreadsheet would calculate. parsePriceCsv reads them back. */
export function priceTable(rows: readonly PriceRow[]): {
  columns: readonly string[];
  rows: string[][];
  isReadBack: true;
} {
  return {
    isReadBack: true,
    columns: PRICE_COLUMNS,
    rows: rows.map((row) => {
      const cells = cellsOfRow(row);
      return PRICE_COLUMNS.map((column) => toCell(cells[column]));
    }),
  };
}

/**
 * Reads a CSV of price rows, as programs or spreadsheets of any language save it. Columns may come in any order; those with a
 * usual value may be missing.
 */
export function parsePriceCsv(text: string): PriceFile {
  const file = emptyPriceFile();
  const content = contentOfCsv(text);
  const [header, ...records] = readRecords(content, separatorOf(content, isColumn), file.problems);
  const columns = (header?.cells ?? []).map((cell) => cell.trim());
  const known: readonly string[] = PRICE_COLUMNS;
  const line = header?.line ?? 1;
  for (const column of REQUIRED_COLUMNS) {
    if (!columns.includes(column))
      file.problems.push({ line, field: column, message: 'is no column of the header' });
  }
  columns.forEach((column, index) => {
    if (!known.includes(column)) {
      const field = column.slice(0, 100);
      file.problems.push({ line, field, message: 'is unknown', fix: `Known are ${known.join(', ')}.` });
    } else if (columns.indexOf(column) !== index) {
      file.problems.push({ line, field: column, message: 'is in the header twice' });
    }
  });
  if (file.problems.some((problem) => problem.line === line)) return file;
  const whole = records.filter(({ cells, line: place }) => {
    if (cells.length === columns.length) return true;
    const message = `has ${cells.length} cells where the header has ${columns.length}`;
    file.problems.push({ line: place, field: 'line', message });
    return false;
  });
  const cellsOf = (...names: string[]) =>
    whole.flatMap(({ cells }) => names.map((name) => cells[columns.indexOf(name)] ?? ''));
  const readDate = dateReader(cellsOf('effectiveFrom', 'listedAt'));
  const readers: Record<string, ReturnType<typeof dateReader>> = {
    amount: decimalReader(cellsOf('amount')),
    effectiveFrom: readDate,
    listedAt: readDate,
    confirmed: readFlagWord,
  };
  for (const record of whole) {
    const unclear: LineProblem[] = [];
    const cells = columns.map((column, index) => {
      const cell = fromCell(record.cells[index] ?? '');
      const read = readers[column]?.(cell) ?? cell;
      if (typeof read === 'string') return [column, read] as const;
      unclear.push({ line: record.line, field: column, message: read.unclear });
      return [column, cell] as const;
    });
    if (unclear.length === 0) takeRow(file, Object.fromEntries(cells), record.line);
    else file.problems.push(...unclear);
  }
  return file;
}

/** What makes a spreadsheet read a cell as a formula, also behind space or the quote that prevents it. */
const FORMULA = /^['\s]*[=+\-@＝＋－＠\t\r]/;

function toCell(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

function fromCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}
