import { TallystickError } from '../platform/errors.ts';
import { renderTable } from '../platform/terminal/output.ts';
import type { PriceChangeBody } from './schemas.ts';

/** A price as the API shows it; only what a table has room for. */
interface ShownPrice {
  model: string;
  deploymentType: string;
  region: string;
  tokenType: string;
  variant: string;
  serviceTier: string;
  aboveInputTokenCount: number;
  currency: string;
  amount: string;
  unit: string;
  effectiveFrom: string | null;
  confirmed: boolean;
}
export interface ShownPriceList {
  version: string;
  prices: ShownPrice[];
  nextCursor: string | null;
}
export interface ShownPriceDiff {
  versions: { from: string; to: string };
  differences: { before: ShownPrice | null; after: ShownPrice | null; changePercent: string | null }[];
}

export function renderPriceList({ version, prices, nextCursor }: ShownPriceList): string {
  const rows = prices.map((price) => [
    ...keyCells(price),
    price.amount,
    `${price.currency.toUpperCase()} / ${price.unit}`,
    price.effectiveFrom ?? '',
    price.confirmed ? 'yes' : 'no',
  ]);
  return [
    `Price book ${version}`,
    renderTable(['model', 'type', 'region', 'kind', 'amount', 'for', 'from', 'confirmed'], rows, [4]),
    ...(nextCursor === null ? [] : [`More: --cursor ${nextCursor}`]),
  ].join('\n');
}

export function renderPriceChange(change: PriceChangeBody): string {
  const counts = `${change.addedCount} added, ${change.supersededCount} superseded, ${change.unchangedCount} unchanged`;
  const days = change.affectedDays.map(({ start, end, models }) => {
    const whose = models.length === 0 ? 'any model' : models.join(', ');
    return `  from ${start} to before ${end}: ${whose}`;
  });
  return [
    change.applied
      ? `Price book ${change.version}: ${counts}.`
      : `Nothing applied; the book stays ${change.version}: ${counts}.`,
    ...(days.length === 0 ? [] : ['Rated again:', ...days]),
  ].join('\n');
}

export function renderPriceDiff({ versions, differences }: ShownPriceDiff): string {
  if (differences.length === 0) return 'No price differs.';
  const rows = differences.map(({ before, after, changePercent }) => {
    const either = before ?? after;
    return [
      ...(either === null ? ['', '', '', ''] : keyCells(either)),
      before?.amount ?? 'none',
      after?.amount ?? 'none',
      changePercent === null ? '' : `${changePercent} %`,
      after?.effectiveFrom ?? '',
    ];
  });
  const head = ['model', 'type', 'region', 'kind', 'before', 'after', 'change', 'from'];
  const books = versions.from === versions.to ? [] : [`From price book ${versions.from} to ${versions.to}`];
  return [...books, renderTable(head, rows, [4, 5, 6])].join('\n');
}

/** What the price is of, in the first four columns of a table. */
export function keyCells(price: ShownPrice): string[] {
  return [price.model, price.deploymentType, price.region, kindOf(price)];
}

/** `prompt priority above 272000`, `image 1024x1024 high`: the kind, and what else the price depends on. */
function kindOf({ tokenType, variant, serviceTier, aboveInputTokenCount }: ShownPrice): string {
  return [
    tokenType,
    ...(variant === '' ? [] : [variant]),
    ...(serviceTier === 'standard' ? [] : [serviceTier]),
    ...(aboveInputTokenCount === 0 ? [] : [`above ${aboveInputTokenCount}`]),
  ].join(' ');
}

/** The error's own words name the first problems; a person at a terminal wants all. */
export function withEveryLine(error: unknown): unknown {
  if (!(error instanceof TallystickError) || !Array.isArray(error.context.errors)) return error;
  const problems = error.context.errors as { field: string; message: string; fix?: string }[];
  const lines = problems.map(
    ({ field, message, fix }) => `\n  ${field}: ${message}${fix === undefined ? '' : `. ${fix}`}`,
  );
  return new TallystickError(`Nothing was applied, for these reasons:${lines.join('')}`, {
    code: error.code,
    retry: false,
  });
}
