import { type ImportFormat, priceBefore, readImport } from '../../pricing/feeds/import.ts';
import { planPriceChange } from '../../pricing/prices/change.ts';
import { changeOfFile, type NotTaken, problemsOfFile } from '../../pricing/prices/file.ts';
import type { DeploymentRule, PriceRow } from '../../pricing/prices/rows.ts';
import { normalizeInstant } from '../../pricing/prices/rows.ts';
import type { RetailMeterRow } from '../../pricing/retail/meter-map.ts';
import { parseExactJson } from '../azure/exact-json.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { nothingApplied, type TallystickError, ValidationError } from '../platform/errors.ts';
import { lockPriceBook, readPriceBook, seedLockedPriceBook } from './book.ts';
import {
  changeLockedPriceBook,
  changePriceBook,
  type PriceBookChange,
  type PriceBookChangeResult,
} from './book-changes.ts';
import { readMeterMap } from './sync/meter-map.ts';

/** Problems of a file that are told one by one; of more only the number. */
const MAX_PROBLEMS = 200;

export interface PriceFileImport extends Omit<PriceBookChange, 'change' | 'kind'> {
  text: string;
  /** Else as the content says. */
  format?: ImportFormat;
  supersede: boolean;
  addModels: boolean;
  /** From when on rows hold that name no date; else since ever. */
  from?: string;
  /** The day of the list, for rows that name none. */
  listedAt?: string;
  /** The meters of the reviewed file; what the ledger says of meters goes above them. */
  meterRows: readonly RetailMeterRow[];
}

export interface PriceFileImportResult extends PriceBookChangeResult {
  format: ImportFormat;
  notTaken: NotTaken[];
  /** What the new rows take the place of; null: there was no price. */
  before: (PriceRow | null)[];
}

/**
 * Imports a file of prices of any format that people have: all that it says of prices, or nothing. What of a list was not
 * understood is told beside.
 * @throws TallystickError VALIDATION or UNKNOWN_MODEL with every bad line, or the first of very many
 */
export async function importPriceFile(
  database: LedgerDatabase,
  wanted: PriceFileImport,
): Promise<PriceFileImportResult> {
  const { text, format, supersede, addModels, from, listedAt, meterRows, ...rest } = wanted;
  const instant = from === undefined ? null : normalizeInstant(from);
  if (from !== undefined && instant === null) {
    throw new ValidationError('from', 'is no UTC instant to the second', 'Write it like 2026-12-01.');
  }
  const made = await database.transaction().execute(async (transaction) => {
    await lockPriceBook(transaction);
    await seedLockedPriceBook(transaction, rest.now);
    const book = await readPriceBook(transaction);
    const read = readImport(text, book, {
      ...(format === undefined ? {} : { format }),
      from: instant,
      listedAt: listedAt ?? '',
      meters: await readMeterMap(transaction, meterRows),
      parseJson: parseExactJson,
      now: rest.now,
    });
    const change = changeOfFile(read.file, { supersede, addModels });
    // What can be read of a broken file is still held against the book, so that all lines are told at once.
    if (read.file.problems.length > 0) {
      return { read, plan: planPriceChange(book.data, change), result: null, before: [] };
    }
    const result = await changeLockedPriceBook(transaction, { ...rest, change, kind: 'import' });
    const before = result.plan.added.prices.map((row) => priceBefore(row, book));
    return { read, plan: result.plan, result, before };
  });
  const { read, plan, result, before } = made;
  if (result === null || plan.problems.length > 0) throw fileError(problemsOfFile(read.file, plan));
  return {
    ...result,
    plan: { ...plan, unchangedCount: plan.unchangedCount + read.heldCount },
    format: read.format,
    notTaken: read.file.notTaken,
    before,
  };
}

/**
 * Changes the book, or says everything that speaks against it.
 * @throws TallystickError VALIDATION or UNKNOWN_MODEL
 */
export async function changePriceBookOrRefuse(
  database: LedgerDatabase,
  wanted: PriceBookChange,
): Promise<PriceBookChangeResult> {
  const result = await changePriceBook(database, wanted);
  const { problems } = result.plan;
  if (problems.length === 0) return result;
  throw changeError(
    problems.map(({ entry, subject, field, message, fix }) => {
      const { rows, deployments = [] } = wanted.change;
      const rowIndex = rows.indexOf(entry as PriceRow);
      const ruleIndex = deployments.indexOf(entry as DeploymentRule);
      const place = rowIndex >= 0 ? `prices.${rowIndex}.` : ruleIndex >= 0 ? `deployments.${ruleIndex}.` : '';
      return {
        field: `${place}${field}`,
        message: `${subject}: ${message}`,
        ...(fix === undefined ? {} : { fix }),
      };
    }),
  );
}

function fileError(problems: ReturnType<typeof problemsOfFile>): TallystickError {
  const errors = problems.slice(0, MAX_PROBLEMS).map(({ line, field, message, fix }) => ({
    field: line === 0 ? field : `line ${line}: ${field}`,
    message,
    ...(fix === undefined ? {} : { fix }),
  }));
  const moreCount = problems.length - errors.length;
  if (moreCount > 0) errors.push({ field: 'file', message: `has ${moreCount} more problems` });
  return changeError(errors, problems.length);
}

function changeError(
  errors: { field: string; message: string; fix?: string }[],
  count = errors.length,
): TallystickError {
  const isUnknownModel = errors.every(({ message }) => message.endsWith('is not in the price book'));
  return nothingApplied(errors, { code: isUnknownModel ? 'UNKNOWN_MODEL' : 'VALIDATION', count });
}
