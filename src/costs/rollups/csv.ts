import { TOKEN_TYPES } from '../../../pricing/usage/shape.ts';
import type { RollupDimension } from './query.ts';
import type { ShownFigures } from './schemas.ts';

const FIGURES = ['tokenCount', 'cost', 'knownCost', 'tokenCost', 'provisionedCost'] as const;
const MORE_FIGURES = [
  'requestCount',
  'activeUserCount',
  'unpricedTokenCount',
  'unattributedTokenCount',
  'revenueUsd',
  'marginUsd',
  'knownMarginUsd',
  'knownMarginTokenCount',
  'costBefore',
  'overhead',
] as const;

/** Names of a rollup's columns; what has several parts is `name:value`, with blanks between them. */
export function rollupColumns(dimensionNames: readonly string[]): string[] {
  return [...dimensionNames, ...FIGURES, 'unknownTokens', ...MORE_FIGURES, 'revenue', ...TOKEN_TYPES];
}

export function rollupCells(
  row: ShownFigures & Partial<Record<RollupDimension | 'customerId', string | null>>,
  dimensionNames: readonly string[],
): (string | null)[] {
  return [
    ...dimensionNames.map((name) => row[name as RollupDimension] ?? null),
    ...FIGURES.map((figure) => row[figure]),
    row.unknown.map(({ reason, tokenCount }) => `${reason}:${tokenCount}`).join(' '),
    ...MORE_FIGURES.map((figure) => row[figure]),
    row.revenue.map(({ currency, amount }) => `${currency}:${amount}`).join(' '),
    ...TOKEN_TYPES.map((tokenType) => row.tokenCounts[tokenType] ?? '0'),
  ];
}
