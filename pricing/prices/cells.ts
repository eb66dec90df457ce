import { withoutExponent } from '../money.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import {
  completeDeploymentRule,
  completePriceRow,
  type DeploymentRule,
  type DeploymentType,
  normalizeInstant,
  normalizePriceKind,
  type PriceKind,
  type PriceRow,
  type PriceRowInput,
  type PriceUnit,
  type ServiceTier,
} from './rows.ts';

/** The fields of a price row in the order in which files have them. */
export const PRICE_COLUMNS = [
  'model',
  'deploymentType',
  'region',
  'tokenType',
  'variant',
  'serviceTier',
  'aboveInputTokenCount',
  'currency',
  'amount',
  'unit',
  'effectiveFrom',
  'source',
  'sourceKey',
  'listedAt',
  'note',
  'confirmed',
  'allowAbsurd',
  'allowGap',
] as const satisfies readonly (keyof PriceRow)[];

/** The fields of a deployment rule in the order in which files have them. */
export const DEPLOYMENT_COLUMNS = [
  'deployment',
  'model',
  'deploymentType',
  'region',
  'serviceTier',
  'effectiveFrom',
  'retired',
  'note',
] as const satisfies readonly (keyof DeploymentRule)[];

/** Without these a row says nothing. */
export const REQUIRED_COLUMNS = ['model', 'tokenType', 'amount'] as const;

export type Cells = Readonly<Record<string, string>>;

/** Something wrong with one field of a file. */
export interface CellProblem {
  field: string;
  message: string;
  fix?: string;
}

/** A row as text, field by field; what is unset is empty. */
export function cellsOfRow(row: PriceRow): Record<(typeof PRICE_COLUMNS)[number], string> {
  return {
    ...row,
    aboveInputTokenCount: row.aboveInputTokenCount === 0 ? '' : String(row.aboveInputTokenCount),
    effectiveFrom: row.effectiveFrom ?? '',
    confirmed: String(row.confirmed),
  };
}

/** A rule as text, field by field; what is unset is empty. */
export function cellsOfRule(rule: DeploymentRule): Record<(typeof DEPLOYMENT_COLUMNS)[number], string> {
  return {
    ...rule,
    model: rule.model ?? '',
    deploymentType: rule.deploymentType ?? '',
    region: rule.region ?? '',
    serviceTier: rule.serviceTier ?? '',
    effectiveFrom: rule.effectiveFrom ?? '',
    retired: String(rule.retired),
  };
}

/**
 * The row that cells mean, with the usual values where a cell is empty. Whether kinds, types and units exist and
 * amounts make sense is for checkPriceBook to say.
 */
export function rowOfCells(cells: Cells): { row: PriceRow | null; problems: CellProblem[] } {
  const problems = unknownFields(cells, PRICE_COLUMNS);
  for (const field of REQUIRED_COLUMNS) {
    if ((cells[field] ?? '').trim() === '') problems.push({ field, message: 'is missing' });
  }
  const effectiveFrom = readInstant(cells, problems);
  const confirmed = readFlag(cells, 'confirmed', problems);
  const aboveInputTokenCount = readCount(cells, 'aboveInputTokenCount', problems);
  if (problems.length > 0) return { row: null, problems };
  const given: PriceRowInput = {
    model: modelKey(cells.model ?? ''),
    tokenType: normalizePriceKind(word(cells.tokenType)) as PriceKind,
    amount: withoutExponent(word(cells.amount)),
    effectiveFrom,
    confirmed,
    aboveInputTokenCount,
    ...ifSet('deploymentType', word(cells.deploymentType) as DeploymentType),
    ...ifSet('region', word(cells.region)),
    ...ifSet('variant', word(cells.variant)),
    ...ifSet('serviceTier', word(cells.serviceTier) as ServiceTier),
    ...ifSet('currency', word(cells.currency)),
    ...ifSet('unit', word(cells.unit) as PriceUnit),
    ...ifSet('source', cells.source ?? ''),
    ...ifSet('sourceKey', cells.sourceKey ?? ''),
    ...ifSet('listedAt', word(cells.listedAt)),
    ...ifSet('note', cells.note ?? ''),
    ...ifSet('allowAbsurd', cells.allowAbsurd ?? ''),
    ...ifSet('allowGap', cells.allowGap ?? ''),
  };
  return { row: completePriceRow(given), problems };
}

/** The deployment rule that cells mean. */
export function ruleOfCells(cells: Cells): { rule: DeploymentRule | null; problems: CellProblem[] } {
  const problems = unknownFields(cells, DEPLOYMENT_COLUMNS);
  if ((cells.deployment ?? '').trim() === '') problems.push({ field: 'deployment', message: 'is missing' });
  const effectiveFrom = readInstant(cells, problems);
  const retired = readFlag(cells, 'retired', problems);
  if (problems.length > 0) return { rule: null, problems };
  const rule = completeDeploymentRule({
    deployment: nameKey(cells.deployment ?? ''),
    effectiveFrom,
    retired,
    ...ifSet('model', modelKey(cells.model ?? '')),
    ...ifSet('deploymentType', word(cells.deploymentType) as DeploymentType),
    ...ifSet('region', word(cells.region)),
    ...ifSet('serviceTier', word(cells.serviceTier) as ServiceTier),
    ...ifSet('note', cells.note ?? ''),
  });
  return { rule, problems };
}

function word(cell: string | undefined): string {
  return (cell ?? '').trim().toLowerCase();
}

function ifSet<Field extends string, Value extends string>(
  field: Field,
  value: Value,
): Partial<Record<Field, Value>> {
  return value === '' ? {} : ({ [field]: value } as Record<Field, Value>);
}

function unknownFields(cells: Cells, known: readonly string[]): CellProblem[] {
  return Object.keys(cells)
    .filter((field) => !known.includes(field))
    .map((field) => ({
      field: field.slice(0, 100),
      message: 'is unknown',
      fix: `Known are ${known.join(', ')}.`,
    }));
}

function readInstant(cells: Cells, problems: CellProblem[]): string | null {
  const text = (cells.effectiveFrom ?? '').trim();
  if (text === '') return null;
  const instant = normalizeInstant(text);
  if (instant === null) {
    problems.push({
      field: 'effectiveFrom',
      message: 'is no UTC instant to the second',
      fix: 'Write it like 2026-01-31T00:00:00Z, or like 2026-01-31 for its midnight; empty: since ever.',
    });
  }
  return instant;
}

function readFlag(cells: Cells, field: string, problems: CellProblem[]): boolean {
  const text = word(cells[field]);
  if (text !== '' && text !== 'true' && text !== 'false') {
    problems.push({ field, message: 'is neither true nor false' });
  }
  return text === 'true';
}

function readCount(cells: Cells, field: string, problems: CellProblem[]): number {
  const text = word(cells[field]);
  if (!/^\d{0,10}$/.test(text)) {
    problems.push({ field, message: 'is no whole number', fix: 'Write it like 272000; empty: any request.' });
    return 0;
  }
  return Number(text);
}
