import { planPriceChange } from '../../pricing/prices/change.ts';
import { parsePriceCsv } from '../../pricing/prices/csv.ts';
import { changeOfFile, type PriceFileFormat, problemsOfFile } from '../../pricing/prices/file.ts';
import type { DeploymentRule, PriceRow } from '../../pricing/prices/rows.ts';
import { parsePriceYaml } from '../../pricing/prices/yaml.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { nothingApplied, type TallystickError } from '../platform/errors.ts';
import { readPriceBook } from './book.ts';
import { changePriceBook, type PriceBookChange, type PriceBookChangeResult } from './book-changes.ts';

export interface PriceFileImport extends Omit<PriceBookChange, 'change' | 'kind'> {
  text: string;
  format: PriceFileFormat;
  supersede: boolean;
  addModels: boolean;
}

/**
 * Imports a file of prices: all of it, or nothing.
 * @throws TallystickError VALIDATION or UNKNOWN_MODEL with every bad line
 */
export async function importPriceFile(
  database: LedgerDatabase,
  wanted: PriceFileImport,
): Promise<PriceBookChangeResult> {
  const { text, format, supersede, addModels, ...rest } = wanted;
  const file = format === 'csv' ? parsePriceCsv(text) : parsePriceYaml(text);
  const change = changeOfFile(file, { supersede, addModels });
  if (file.problems.length > 0) {
    // What can be read is still held against the book, so that all lines are told at once.
    const { data } = await readPriceBook(database);
    throw fileError(problemsOfFile(file, planPriceChange(data, change)));
  }
  const result = await changePriceBook(database, { ...rest, change, kind: 'import' });
  if (result.plan.problems.length > 0) throw fileError(problemsOfFile(file, result.plan));
  return result;
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
  return changeError(
    problems.map(({ line, field, message, fix }) => ({
      field: line === 0 ? field : `line ${line}: ${field}`,
      message,
      ...(fix === undefined ? {} : { fix }),
    })),
  );
}

function changeError(errors: { field: string; message: string; fix?: string }[]): TallystickError {
  const isUnknownModel = errors.every(({ message }) => message.endsWith('is not in the price book'));
  return nothingApplied(errors, { code: isUnknownModel ? 'UNKNOWN_MODEL' : 'VALIDATION' });
}
