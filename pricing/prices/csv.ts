import { CsvError, parse } from 'csv-parse/sync';
import { separatorOf } from '../separator.ts';
import { cellsOfRow, PRICE_COLUMNS, REQUIRED_COLUMNS } from './cells.ts';
import { emptyPriceFile, type PriceFile, takeRow } from './file.ts';
import type { PriceRow } from './rows.ts';

/** More lines than this whose quotes do not close are one mistake, not many. */
const MAX_BROKEN_LINES = 100;

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

/** Reads a CSV of price rows. Columns may come in any order; those with a usual value may be missing. */
export function parsePriceCsv(text: string): PriceFile {
  const file = emptyPriceFile();
  const content = text.replace(/^\uFEFF/, '');
  const [header, ...records] = readRecords(content, separatorOf(content, isColumn), file);
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
  for (const record of records) {
    if (record.cells.length === columns.length) {
      const cells = columns.map((column, index) => [column, fromCell(record.cells[index] ?? '')] as const);
      takeRow(file, Object.fromEntries(cells), record.line);
    } else {
      const message = `has ${record.cells.length} cells where the header has ${columns.length}`;
      file.problems.push({ line: record.line, field: 'line', message });
    }
  }
  return file;
}

interface CsvRecord {
  cells: string[];
  /** The line it begins on. */
  line: number;
}

/** Records with their lines. A line whose quotes do not close is told, and reading goes on behind it. */
function readRecords(text: string, separator: string, file: PriceFile): CsvRecord[] {
  const lines = text.split(/(?<=\n)/);
  const records: CsvRecord[] = [];
  let start = 0;
  for (let brokenCount = 0; start < lines.length; brokenCount += 1) {
    const part = readUntilBroken(lines.slice(start).join(''), separator, start);
    records.push(...part.records);
    if (part.brokenLine === null) return records;
    if (brokenCount === MAX_BROKEN_LINES) {
      file.problems.push({
        line: part.brokenLine,
        field: 'line',
        message: 'is one of too many broken lines',
      });
      return records;
    }
    file.problems.push({
      line: part.brokenLine,
      field: 'line',
      message: 'has quotes that do not close or stand in the middle of a cell',
      fix: 'Put the whole cell in quotes and double those in it.',
    });
    start = part.brokenLine;
  }
  return records;
}

function readUntilBroken(text: string, delimiter: string, linesBefore: number) {
  const records: CsvRecord[] = [];
  // Line where the next record may begin, counted from 1 in the whole file.
  let nextLine = linesBefore + 1;
  const onRecord = (entry: unknown) => {
    const { record, raw } = entry as { record: string[]; raw: string };
    const line = nextLine;
    nextLine += raw.replace(/\r?\n?$/, '').split('\n').length;
    // Spreadsheets save an empty row as its separators.
    if (record.some((cell) => cell.trim() !== '')) records.push({ cells: record, line });
    return null;
  };
  try {
    parse(text, { delimiter, relax_column_count: true, raw: true, on_record: onRecord });
    return { records, brokenLine: null };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { records, brokenLine: nextLine };
  }
}

/** What makes a spreadsheet read a cell as a formula, also behind space or the quote that prevents it. */
const FORMULA = /^['\s]*[=+\-@＝＋－＠\t\r]/;

function toCell(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

function fromCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}
