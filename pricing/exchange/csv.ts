import { CsvError, parse } from 'csv-parse/sync';
import { withoutExponent } from '../money.ts';
import type { LineProblem } from '../prices/file.ts';
import { separatorOf } from '../separator.ts';
import type { RateLine } from './check.ts';

const COLUMNS = ['day', 'base', 'currency', 'rate', 'source'];
const REQUIRED = ['day', 'base', 'currency', 'rate'];
const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

/**
 * Reads exchange rates: `day,base,currency,rate` and, if named, `source`; or the file of the European Central Bank as it is
 * (`eurofxref.csv` and `eurofxref-hist.csv`: a column for each currency, units of it for one euro, `N/A` where there is none).
 * Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates
 */
export function parseRateCsv(text: string): { rates: RateLine[]; problems: LineProblem[] } {
  const content = text.replace(/^\uFEFF/, '');
  const isKnown = (cell: string) => COLUMNS.includes(cell) || /^(Date|[A-Z]{3})$/.test(cell);
  let records: { cells: string[]; line: number }[];
  try {
    records = (
      parse(content, {
        delimiter: separatorOf(content, isKnown),
        relax_column_count: true,
        info: true,
      }) as unknown as { record: string[]; info: { lines: number } }[]
    ).map(({ record, info }) => ({ cells: record.map((cell) => cell.trim()), line: info.lines }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const problem = {
      line: Number(error.lines ?? 1),
      field: 'line',
      message: 'has quotes that do not close',
    };
    return { rates: [], problems: [problem] };
  }
  const [header, ...rows] = records.filter(({ cells }) => cells.some((cell) => cell !== ''));
  if (header === undefined) return { rates: [], problems: [{ line: 1, field: 'file', message: 'is empty' }] };
  return header.cells[0] === 'Date' ? readByCurrency(header.cells, rows) : readByRow(header, rows);
}

type Row = { cells: string[]; line: number };

function readByCurrency(header: readonly string[], rows: readonly Row[]) {
  const rates: RateLine[] = [];
  const problems: LineProblem[] = [];
  for (const { cells, line } of rows) {
    const day = dayOf(cells[0] ?? '');
    for (const [index, name] of header.entries()) {
      const rate = cells[index] ?? '';
      if (index === 0 || name === '' || rate === '' || rate === 'N/A') continue;
      const currency = name.toLowerCase();
      rates.push({ line, day, base: 'eur', currency, rate: withoutExponent(rate), source: 'ECB' });
    }
  }
  return { rates, problems };
}

function readByRow(header: Row, rows: readonly Row[]) {
  const names = header.cells.map((cell) => cell.toLowerCase());
  const problems: LineProblem[] = [
    ...REQUIRED.filter((name) => !names.includes(name)).map((field) => ({
      line: header.line,
      field,
      message: 'is no column of the header',
    })),
    ...names
      .filter((name) => name !== '' && !COLUMNS.includes(name))
      .map((name) => ({
        line: header.line,
        field: name.slice(0, 100),
        message: 'is unknown',
        fix: `Known are ${COLUMNS.join(', ')}; or give the file of the ECB, whose first column is Date.`,
      })),
  ];
  if (problems.length > 0) return { rates: [], problems };
  const rates = rows.map(({ cells, line }): RateLine => {
    const cell = (name: string) => cells[names.indexOf(name)] ?? '';
    return {
      line,
      day: dayOf(cell('day')),
      base: cell('base').toLowerCase(),
      currency: cell('currency').toLowerCase(),
      rate: withoutExponent(cell('rate')),
      source: names.includes('source') && cell('source') !== '' ? cell('source').slice(0, 200) : 'import',
    };
  });
  return { rates, problems };
}

/** `27 November 2026`, as the ECB's daily file has it, is `2026-11-27`; anything else stays as it is. */
function dayOf(text: string): string {
  const [, day, month, year] = /^(\d{1,2}) ([A-Z][a-z]+) (\d{4})$/.exec(text) ?? [];
  const index = MONTHS.indexOf(month ?? '');
  if (day === undefined || index === -1) return text;
  return `${year}-${String(index + 1).padStart(2, '0')}-${day.padStart(2, '0')}`;
}
