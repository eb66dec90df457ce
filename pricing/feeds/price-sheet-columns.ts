import type { CsvRecord } from '../prices/csv-records.ts';
import type { LineProblem } from '../prices/file.ts';
import { parseRetailUnit } from '../retail/unit.ts';

/**
 * What price sheets of an Enterprise Agreement and of a Microsoft Customer Agreement call what is read of them; case, spaces and
 * hyphens do not matter (`Meter ID`, `meterId`). learn.microsoft.com: cost-management-billing/dataset-schema/price-sheet-ea, -mca.
 */
const NAMES = {
  meterId: ['meterid'],
  unit: ['unitofmeasure'],
  price: ['unitprice'],
  currency: ['currency', 'currencycode', 'pricingcurrency'],
  from: ['effectivestartdate'],
  to: ['effectiveenddate'],
  meterName: ['metername'],
  category: ['metercategory'],
  subCategory: ['metersubcategory'],
  region: ['meterregion'],
  product: ['product', 'productname'],
  family: ['servicefamily'],
  sku: ['skuid'],
  part: ['partnumber'],
  priceType: ['pricetype'],
  term: ['term'],
  tier: ['tierminimumunits'],
  included: ['includedquantity'],
} as const;
export type SheetColumn = keyof typeof NAMES;
/** What sheets have beside; `currency` is that of the prices, and `billingCurrency` that of the bill. */
const OTHER_NAMES = new Set(
  (
    'baseprice marketprice billingcurrency billingaccountid billingaccountname billingprofileid billingprofilename ' +
    'discount enrollmentnumber metertype offerid productid productordername skuname pricingmodel'
  ).split(' '),
);
const REQUIRED = ['meterId', 'unit', 'price', 'currency'] as const satisfies readonly SheetColumn[];
/** As the sheet writes them, for messages. */
const SHOWN: Readonly<Record<(typeof REQUIRED)[number], string>> = {
  meterId: 'MeterId',
  unit: 'UnitOfMeasure',
  price: 'UnitPrice',
  currency: 'Currency',
};

const COLUMN_BY_NAME = new Map<string, SheetColumn>(
  Object.entries(NAMES).flatMap(([column, names]) =>
    names.map((name) => [name, column as SheetColumn] as const),
  ),
);

function normalName(header: string): string {
  return header
    .trim()
    .toLowerCase()
    .replace(/[\s_-]/g, '');
}

/** Whether a price sheet has a column of this name. */
export function isSheetColumn(header: string): boolean {
  const name = normalName(header);
  return COLUMN_BY_NAME.has(name) || OTHER_NAMES.has(name);
}

export const METER_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Where the columns are, whatever their order; null, and problems, when the sheet cannot be read by them. */
export function findSheetColumns(
  header: CsvRecord,
  records: readonly CsvRecord[],
  problems: LineProblem[],
): ReadonlyMap<SheetColumn, number> | null {
  const { line, cells } = header;
  const at = new Map<SheetColumn, number>();
  const understood: string[] = [];
  const notUnderstood: string[] = [];
  cells.forEach((cell, index) => {
    const column = COLUMN_BY_NAME.get(normalName(cell));
    if (column === undefined) {
      const example = records.find((record) => (record.cells[index] ?? '').trim() !== '')?.cells[index] ?? '';
      if (!OTHER_NAMES.has(normalName(cell)) && notUnderstood.length < 20) {
        notUnderstood.push(`${cell.trim().slice(0, 60)} (such as ${JSON.stringify(example.slice(0, 40))})`);
      }
    } else if (at.has(column)) {
      problems.push({ line, field: cell.trim(), message: 'is in the header twice' });
    } else {
      at.set(column, index);
      understood.push(cell.trim());
    }
  });
  const missing = REQUIRED.filter((column) => !at.has(column));
  const fix =
    `Understood: ${understood.join(', ') || 'none'}. ` +
    `Not understood: ${notUnderstood.join(', ') || 'none'}. Name the columns in English, as Azure writes them.`;
  for (const [index, column] of missing.entries()) {
    const message = 'is no column of the header, which may be translated';
    problems.push({ line, field: SHOWN[column], message, ...(index === 0 ? { fix } : {}) });
  }
  if (problems.length > 0) return null;
  for (const column of REQUIRED) {
    const index = at.get(column) ?? 0;
    const wrong = misplaced(column, index, records);
    if (wrong === null) continue;
    problems.push({
      line,
      field: SHOWN[column],
      message: `has ${JSON.stringify(wrong.slice(0, 40))} and the like under it: the columns are shuffled against the header`,
      fix: `The header reads ${understood.join(', ')}; download the sheet again.`,
    });
  }
  return problems.length > 0 ? null : at;
}

const FITS: Readonly<Record<(typeof REQUIRED)[number], (cell: string) => boolean>> = {
  meterId: (cell) => METER_ID.test(cell),
  // Many services have units of their own; what a price or an id looks like is none.
  unit: (cell) => parseRetailUnit(cell) !== null || (/[a-z]/i.test(cell) && !METER_ID.test(cell)),
  price: (cell) => /^-?[\d.,'’ \u00a0\u202f]+(?:e[+-]?\d+)?$/i.test(cell),
  currency: (cell) => /^[a-z]{3}$/i.test(cell),
};

/** An example, where more than half of what stands in the column is no such thing. */
function misplaced(
  column: (typeof REQUIRED)[number],
  index: number,
  records: readonly CsvRecord[],
): string | null {
  const cells = records.map((record) => (record.cells[index] ?? '').trim()).filter((cell) => cell !== '');
  const wrong = cells.filter((cell) => !FITS[column](cell));
  return wrong.length * 2 > cells.length ? (wrong[0] ?? null) : null;
}
