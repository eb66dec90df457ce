import { type CellProblem, type Cells, rowOfCells, ruleOfCells } from './cells.ts';
import type { PriceChange, PriceChangePlan } from './change.ts';
import type { DeploymentRule, PriceBookData, PriceRow } from './rows.ts';

export const PRICE_FILE_FORMATS = ['yaml', 'csv'] as const;
export type PriceFileFormat = (typeof PRICE_FILE_FORMATS)[number];

/** Something wrong with a line of a file; lines count from 1. */
export interface LineProblem extends CellProblem {
  line: number;
}

/** What a list says that the book has no place for, or that nobody has named: it is told, and the rest is taken. */
export interface NotTaken {
  /** Where it is; 0: the list has no lines. */
  line: number;
  subject: string;
  why: string;
  /** All that tells it apart, in the list's own words. */
  details: Record<string, string>;
}

/** What a price file says, and what in it cannot be read. */
export interface PriceFile {
  rows: PriceRow[];
  deployments: DeploymentRule[];
  models: PriceBookData['models'];
  sources: PriceBookData['sources'];
  lineOf: Map<PriceRow | DeploymentRule, number>;
  problems: LineProblem[];
  notTaken: NotTaken[];
}

export function emptyPriceFile(): PriceFile {
  return {
    rows: [],
    deployments: [],
    models: [],
    sources: {},
    lineOf: new Map(),
    problems: [],
    notTaken: [],
  };
}

/** Reads the cells of a line as a price row, into the file or its problems. */
export function takeRow(file: PriceFile, cells: Cells, line: number): void {
  const { row, problems } = rowOfCells(cells);
  take(file, file.rows, row, problems, line);
}

/** Reads the cells of a line as a deployment rule, into the file or its problems. */
export function takeRule(file: PriceFile, cells: Cells, line: number): void {
  const { rule, problems } = ruleOfCells(cells);
  take(file, file.deployments, rule, problems, line);
}

function take<Entry extends PriceRow | DeploymentRule>(
  file: PriceFile,
  entries: Entry[],
  entry: Entry | null,
  problems: readonly CellProblem[],
  line: number,
): void {
  file.problems.push(...problems.map((problem) => ({ line, ...problem })));
  if (entry === null) return;
  entries.push(entry);
  file.lineOf.set(entry, line);
}

/** The change a file asks for. */
export function changeOfFile(
  file: PriceFile,
  options: Pick<PriceChange, 'supersede' | 'addModels'>,
): PriceChange {
  const { rows, deployments, models, sources } = file;
  return { rows, deployments, models, sources, ...options };
}

/** Every problem of a file by line, of reading it and of what it would do to the book. */
export function problemsOfFile(file: PriceFile, plan: PriceChangePlan): LineProblem[] {
  const planned = plan.problems.map(({ entry, subject, field, message, fix }) => ({
    line: (entry === null ? undefined : file.lineOf.get(entry)) ?? 0,
    field,
    message: `${subject}: ${message}`,
    ...(fix === undefined ? {} : { fix }),
  }));
  return [...file.problems, ...planned].sort((left, right) => left.line - right.line);
}
