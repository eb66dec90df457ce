import { formatDecimal, parseDecimal, withoutExponent } from '../money.ts';
import { type CsvRecord, contentOfCsv, readRecords } from '../prices/csv-records.ts';
import { emptyPriceFile, type PriceFile } from '../prices/file.ts';
import { dateReader, decimalReader } from '../prices/locale.ts';
import { completePriceRow, normalizeInstant, type PriceRow, timelineKeyOf } from '../prices/rows.ts';
import type { RetailMeterMap, RetailMeterRow } from '../retail/meter-map.ts';
import { fitsKind, parseRetailUnit, picoPerOne } from '../retail/unit.ts';
import { separatorOf } from '../separator.ts';
import { findSheetColumns, isSheetColumn, type SheetColumn } from './price-sheet-columns.ts';

const SHEET_SOURCE = 'azure-price-sheet';

/** The services that serve models; rows of others are counted only. */
const AI_SERVICE = /openai|foundry|cognitive|azure ai|ai services|machine learning/i;
const MAX_REGIONS = 5;

interface SheetPrice {
  row: PriceRow;
  line: number;
  /** Until when the sheet says so; null: it does not say. */
  until: string | null;
}

/**
 * A price sheet as Azure gives it to customers (CSV): what is paid, `UnitPrice`, of each meter that the map names. A meter that nobody
 * named is told, as is what the book has no place for; a contradiction is a problem. Dates of a sheet are those of its period: a
 * price runs until the next one of the book.
 */
export function parsePriceSheet(text: string, map: RetailMeterMap, currency: string): PriceFile {
  const file = emptyPriceFile();
  const content = contentOfCsv(text);
  const all = readRecords(content, separatorOf(content, isSheetColumn), file.problems);
  // Some sheets have a title above the header.
  const headerIndex = Math.max(
    0,
    all.slice(0, 20).findIndex(({ cells }) => cells.filter(isSheetColumn).length >= 2),
  );
  const [header, ...records] = all.slice(headerIndex);
  if (header === undefined) {
    file.problems.push({ line: 1, field: 'file', message: 'is empty' });
    return file;
  }
  const at = findSheetColumns(header, records, file.problems);
  if (at === null) return file;
  const cellOf = (record: CsvRecord, column: SheetColumn) => record.cells[at.get(column) ?? -1]?.trim() ?? '';
  const reader = createReader(records, cellOf, currency);
  const unnamed = new Map<string, CsvRecord[]>();
  const otherServices = new Map<string, number>();
  const prices: SheetPrice[] = [];
  for (const record of records) {
    if (record.cells.length !== header.cells.length) {
      const message = `has ${record.cells.length} cells where the header has ${header.cells.length}`;
      file.problems.push({ line: record.line, field: 'line', message });
      continue;
    }
    const meterId = cellOf(record, 'meterId').toLowerCase();
    const target = map.get(meterId);
    const service = [cellOf(record, 'category'), cellOf(record, 'family'), cellOf(record, 'product')];
    if (target === undefined && service.join('') !== '' && !AI_SERVICE.test(service.join(' '))) {
      const name = service.find((word) => word !== '') ?? '';
      otherServices.set(name, (otherServices.get(name) ?? 0) + 1);
    } else if (target === undefined) {
      const rows = unnamed.get(meterId) ?? [];
      rows.push(record);
      unnamed.set(meterId, rows);
    } else {
      const read = reader(record, target);
      if ('field' in read) file.problems.push({ line: record.line, ...read });
      else if ('why' in read) {
        file.notTaken.push({
          line: record.line,
          subject: meterId,
          why: read.why,
          details: detailsOf([record], cellOf),
        });
      } else prices.push({ ...read, line: record.line });
    }
  }
  for (const [meterId, rows] of unnamed) {
    file.notTaken.push({
      line: rows[0]?.line ?? 0,
      subject: meterId || 'no meter id',
      why: 'is no meter that anybody has named; "prices map" names it',
      details: detailsOf(rows, cellOf),
    });
  }
  for (const [service, count] of otherServices) {
    file.notTaken.push({
      line: 0,
      subject: service,
      why: 'is no service of models',
      details: { rows: String(count) },
    });
  }
  for (const [, timeline] of Map.groupBy(prices, ({ row }) => timelineKeyOf(row)))
    takeTimeline(file, timeline);
  return file;
}

type CellOf = (record: CsvRecord, column: SheetColumn) => string;
type Read = Omit<SheetPrice, 'line'> | { field: string; message: string; fix?: string } | { why: string };

/** Reads the row of a meter that is named: a price, what is wrong with it, or why the book cannot take it. */
function createReader(records: readonly CsvRecord[], cellOf: CellOf, currency: string) {
  const readPrice = decimalReader(records.map((record) => cellOf(record, 'price')));
  const readDate = dateReader(
    records.flatMap((record) => [cellOf(record, 'from'), cellOf(record, 'to')]).filter((cell) => cell !== ''),
  );
  const instantOf = (field: string, cell: string) => {
    if (cell === '') return null;
    const read = readDate(cell);
    if (typeof read !== 'string') return { field, message: read.unclear };
    return normalizeInstant(read) ?? { field, message: `is no date: ${JSON.stringify(cell.slice(0, 40))}` };
  };
  return (record: CsvRecord, target: RetailMeterRow): Read => {
    const priceType = cellOf(record, 'priceType');
    if (!/^(?:consumption)?$/i.test(priceType)) return { why: `is a price for ${priceType}, not for use` };
    const said = cellOf(record, 'currency').toLowerCase();
    if (said !== currency) {
      return { field: 'Currency', message: `is ${said || 'missing'}, and the book's is ${currency}` };
    }
    const unitText = cellOf(record, 'unit');
    const unit = parseRetailUnit(unitText.replace(/(?<=\d),(?=\d{3}(?!\d))/g, ''));
    if (unit === null || !fitsKind(unit, target.tokenType)) {
      const message = `${unit === null ? 'is unknown' : `does not go with ${target.tokenType}`}: ${JSON.stringify(unitText)}`;
      return { field: 'UnitOfMeasure', message };
    }
    const price = readPrice(cellOf(record, 'price'));
    if (typeof price !== 'string') return { field: 'UnitPrice', message: price.unclear };
    const from = instantOf('EffectiveStartDate', cellOf(record, 'from'));
    const until = instantOf('EffectiveEndDate', cellOf(record, 'to'));
    if (typeof from === 'object' && from !== null) return from;
    if (typeof until === 'object' && until !== null) return until;
    if (from !== null && until !== null && until < from) {
      return { field: 'EffectiveEndDate', message: `is before the start: ${until}` };
    }
    for (const [column, what] of [
      ['tier', 'holds from that many units on'],
      ['included', 'includes that many units'],
    ] as const) {
      const count = cellOf(record, column);
      if (!/^0*(?:[.,]0*)?$/.test(count)) return { why: `${what}: ${count}` };
    }
    const pico = picoOf(price, unit);
    if (typeof pico === 'string') {
      return pico === 'is zero' || pico === 'is finer than the book holds'
        ? { why: pico }
        : { field: 'UnitPrice', message: pico };
    }
    const { model, deploymentType, region, tokenType, meterId } = target;
    const row = completePriceRow({
      model,
      deploymentType,
      region,
      tokenType,
      amount: '0',
      effectiveFrom: from,
      source: SHEET_SOURCE,
      sourceKey: meterId,
      note: cellOf(record, 'meterName').slice(0, 1_000),
    });
    return {
      row: { ...row, amount: formatDecimal(pico, row.unit === 'million_tokens' ? 6 : 12, 2) },
      until,
    };
  };
}

function picoOf(price: string, unit: NonNullable<ReturnType<typeof parseRetailUnit>>): bigint | string {
  const plain = withoutExponent(price);
  try {
    const value = parseDecimal(plain, 36);
    if (value < 0n) return 'is negative';
    if (value === 0n) return 'is zero';
    return picoPerOne(plain, unit) ?? 'is finer than the book holds';
  } catch {
    return `is no number: ${JSON.stringify(price.slice(0, 40))}`;
  }
}

/** One row for each instant; what says two prices for one time is told with both lines. */
function takeTimeline(file: PriceFile, timeline: SheetPrice[]): void {
  timeline.sort((left, right) => compare(left.row.effectiveFrom ?? '', right.row.effectiveFrom ?? ''));
  let last = null as SheetPrice | null;
  for (const price of timeline) {
    const { effectiveFrom, amount, sourceKey } = price.row;
    if (last === null || last.row.amount !== amount) {
      const isTwice =
        last !== null &&
        (last.row.effectiveFrom === effectiveFrom ||
          (last.until !== null && (effectiveFrom ?? '') < last.until));
      if (isTwice && last !== null) {
        file.problems.push({
          line: price.line,
          field: 'MeterId',
          message:
            `${sourceKey} overlaps: ${amount} from ${effectiveFrom ?? 'the beginning'}, and line ${last.line} says ` +
            `${last.row.amount} from ${last.row.effectiveFrom ?? 'the beginning'} until ${last.until ?? 'the next'}`,
        });
        continue;
      }
      file.rows.push(price.row);
      file.lineOf.set(price.row, price.line);
    }
    // The same price said once more ends no sooner than it did.
    last = { ...price, until: laterOf(price.until, last?.row.amount === amount ? last.until : null) };
  }
}

function laterOf(one: string | null, other: string | null): string | null {
  return (other ?? '') > (one ?? '') ? other : one;
}

function compare(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}

function detailsOf(records: readonly CsvRecord[], cellOf: CellOf): Record<string, string> {
  const [first] = records;
  if (first === undefined) return {};
  const regions = [
    ...new Set(records.map((record) => cellOf(record, 'region')).filter((word) => word !== '')),
  ];
  const shown: Record<string, string> = {
    meterName: cellOf(first, 'meterName'),
    category: [cellOf(first, 'category'), cellOf(first, 'subCategory')]
      .filter((word) => word !== '')
      .join(' / '),
    product: cellOf(first, 'product'),
    sku: cellOf(first, 'sku') || cellOf(first, 'part'),
    regions: `${regions.slice(0, MAX_REGIONS).join(', ')}${regions.length > MAX_REGIONS ? ` and ${regions.length - MAX_REGIONS} more` : ''}`,
    unit: cellOf(first, 'unit'),
    price: `${cellOf(first, 'price')} ${cellOf(first, 'currency')}`,
    from: cellOf(first, 'from'),
    rows: String(records.length),
  };
  return Object.fromEntries(
    Object.entries(shown)
      .map(([name, word]) => [name, word.slice(0, 200)] as const)
      .filter(([, word]) => word.trim() !== ''),
  );
}
