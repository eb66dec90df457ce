import { PRICE_COLUMNS } from '../prices/cells.ts';
import { parsePriceCsv } from '../prices/csv.ts';
import { contentOfCsv } from '../prices/csv-records.ts';
import type { PriceFile } from '../prices/file.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { ANY_REGION, type PriceRow, picoPerUnitOf, startOf, timelineKeyOf } from '../prices/rows.ts';
import { parsePriceYaml } from '../prices/yaml.ts';
import type { RetailMeterMap } from '../retail/meter-map.ts';
import { parseLitellmFile } from './litellm-file.ts';
import { parseModelTable } from './model-table.ts';
import { parsePriceSheet } from './price-sheet.ts';
import { isSheetColumn, METER_ID } from './price-sheet-columns.ts';

/** What can be imported: the house's own files, and three that others have. YAML is JSON, too. */
export const IMPORT_FORMATS = ['yaml', 'csv', 'model-table', 'litellm', 'price-sheet'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export interface ImportOptions {
  /** Else as the content says. */
  format?: ImportFormat;
  /** From when on rows hold that name no date; null: since ever. */
  from: string | null;
  /** The day of the list (`2026-12-01`), for rows that name none; empty: not known. */
  listedAt: string;
  meters: RetailMeterMap;
  /** Gives every number as its text, so that no price was ever a float. */
  parseJson: (text: string) => unknown;
  now: Date;
}

export interface PriceImport {
  format: ImportFormat;
  file: PriceFile;
  /** Rows that say what the book has in force already. */
  heldCount: number;
}

/** Lines in which a header may stand. */
const HEADER_LINES = 20;

/** Reads a file of any format as rows of the book. Applies nothing. */
export function readImport(text: string, book: PriceBook, options: ImportOptions): PriceImport {
  const format = options.format ?? recognizeFormat(text);
  const file = parse(text, format, book, options);
  let heldCount = 0;
  const rows: PriceRow[] = [];
  for (const given of file.rows) {
    const row = {
      ...given,
      effectiveFrom: given.effectiveFrom ?? options.from,
      listedAt: given.listedAt === '' ? options.listedAt : given.listedAt,
    };
    // The house's own files are taken word for word; a list of others only tells prices.
    if (format !== 'yaml' && format !== 'csv' && isHeld(row, book)) {
      heldCount += 1;
      continue;
    }
    rows.push(row);
    file.lineOf.set(row, file.lineOf.get(given) ?? 0);
  }
  return { format, file: { ...file, rows }, heldCount };
}

function parse(text: string, format: ImportFormat, book: PriceBook, options: ImportOptions): PriceFile {
  switch (format) {
    case 'csv':
      return parsePriceCsv(text);
    case 'yaml':
      return parsePriceYaml(text);
    case 'model-table':
      return parseModelTable(text, book);
    case 'price-sheet':
      return parsePriceSheet(text, options.meters, book.currency);
    case 'litellm': {
      const today = options.now.toISOString().slice(0, 10);
      return parseLitellmFile(text, book, { parseJson: options.parseJson, today });
    }
  }
}

/** Which format a file has, by what is in it. A CSV whose header nobody knows is taken for the house's own, which says why not. */
function recognizeFormat(text: string): ImportFormat {
  const content = contentOfCsv(text);
  const lines = content.split(/\r?\n/, HEADER_LINES);
  const headers = lines.flatMap((line) =>
    [',', ';', '\t'].map((mark) => line.split(mark).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'))),
  );
  const own: readonly string[] = PRICE_COLUMNS;
  if (headers.some((cells) => cells.filter((cell) => own.includes(cell)).length >= 2)) return 'csv';
  if (headers.some((cells) => cells.filter(isSheetColumn).length >= 3)) return 'price-sheet';
  if (/"(?:litellm_provider|(?:input|output)_cost_per_token)"\s*:/.test(content)) return 'litellm';
  // A word that the header of no file of the house has, and ids of meters: a translated sheet.
  if (headers.some((cells) => cells.length > 3 && cells.some((cell) => METER_ID.test(cell))))
    return 'price-sheet';
  if (OWN_SECTION.test(content)) return 'yaml';
  const first = lines.find((line) => line.trim() !== '' && !/^\s*#/.test(line)) ?? '';
  if (/^\s*[{[-]|^\s*(?:[A-Za-z]+\s+)?\w+\s*=\s*\{|^[^,;\t]+:(?:\s|$)/.test(first)) return 'model-table';
  return /[,;\t]/.test(first) ? 'csv' : 'yaml';
}

/** At the left of a YAML file, or the first level of a JSON one. */
const OWN_SECTION =
  /^(?:\s*\{\s*)?"?(?:version|provider|currency|sources|models|deployments|prices)"?\s*:|^ {0,4}"(?:sources|models|deployments|prices)"\s*:/m;

/** Whether the price in force at the row's instant, in its place or in any, is the same. */
function isHeld(row: PriceRow, book: PriceBook): boolean {
  const timeline =
    book.timelines.get(timelineKeyOf(row)) ??
    book.timelines.get(timelineKeyOf({ ...row, region: ANY_REGION }));
  const held = timeline?.findLast(({ startMs }) => startMs <= startOf(row));
  if (held === undefined || row.currency !== held.row.currency) return false;
  return held.picoPerUnit !== null && held.picoPerUnit === picoOf(row);
}

/** The price of a row in force at its instant before it; null: none. */
export function priceBefore(row: PriceRow, book: PriceBook): PriceRow | null {
  const timeline = book.timelines.get(timelineKeyOf(row));
  const held = timeline?.findLast(({ startMs }) => startMs <= startOf(row));
  return held === undefined || held.picoPerUnit === null ? null : held.row;
}

function picoOf(row: PriceRow): bigint | null {
  try {
    return picoPerUnitOf(row);
  } catch {
    return null;
  }
}
