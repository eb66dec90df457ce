import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import type { RollupFigures, RollupMoney, RollupQuery, RollupScope } from './query.ts';
import { readRollupRows } from './rows.ts';

const NOTHING: RollupFigures = {
  tokenCount: 0n,
  tokenCounts: {},
  requestCount: 0n,
  activeUserCount: 0n,
  tokenCostPicoUsd: 0n,
  provisionedCostPicoUsd: 0n,
  idleCostPicoUsd: 0n,
  unknown: [],
  unpricedTokenCount: 0n,
  unattributedTokenCount: 0n,
  currencies: [],
  revenuePicoUsd: 0n,
  knownMarginPicoUsd: 0n,
  knownMarginTokenCount: 0n,
  costBeforePicoUsd: null,
};

/** All of a scope in one row, one statement; for a comparison it is asked of the window before as well. */
export async function readRollupTotals(
  database: LedgerDatabase,
  scope: RollupScope,
  before: TimeWindow | null = null,
): Promise<RollupFigures> {
  return await readWhole(database, { ...scope, before });
}

/** The same without who was active, where nothing shows it: it takes another table. */
export async function readRollupMoney(database: LedgerDatabase, scope: RollupScope): Promise<RollupMoney> {
  const { activeUserCount: _, ...money } = await readWhole(database, {
    ...scope,
    before: null,
    withUsers: false,
  });
  return money;
}

async function readWhole(
  database: LedgerDatabase,
  whole: RollupScope & Pick<RollupQuery, 'before' | 'withUsers'>,
): Promise<RollupFigures> {
  const { rows } = await readRollupRows(database, {
    ...whole,
    groupBy: [],
    sort: null,
    after: null,
    offset: 0,
    limit: 1,
    withDays: false,
  });
  const [row] = rows;
  if (row === undefined) return NOTHING;
  const { dimensions: _dimensions, days: _days, ...figures } = row;
  return figures;
}
