import { CsvError, parse } from 'csv-parse/sync';
import type { LineProblem } from './file.ts';

/** More lines than this whose quotes do not close are one mistake, not many. */
const MAX_BROKEN_LINES = 100;

export interface CsvRecord {
  cells: string[];
  /** The line it begins on. */
  line: number;
}

/** The text of a CSV without what Excel puts before it: a byte order mark, and `sep=;`, whose line stays as an empty one. */
export function contentOfCsv(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/^(\s*)"?sep=."?(?=\r?\n)/i, '$1');
}

/** Records with their lines. A line whose quotes do not close is told, and reading goes on behind it. */
export function readRecords(text: string, separator: string, problems: LineProblem[]): CsvRecord[] {
  const lines = text.split(/(?<=\n)/);
  const records: CsvRecord[] = [];
  let start = 0;
  for (let brokenCount = 0; start < lines.length; brokenCount += 1) {
    const part = readUntilBroken(lines.slice(start).join(''), separator, start);
    for (const record of part.records) records.push(record);
    if (part.brokenLine === null) return records;
    if (brokenCount === MAX_BROKEN_LINES) {
      problems.push({
        line: part.brokenLine,
        field: 'line',
        message: 'is one of too many broken lines',
      });
      return records;
    }
    problems.push({
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
