import { sql } from 'kysely';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { conditionsOf, costsByKey, dimensionsOf } from './facts.ts';
import type { CostFigures, RollupDimension, RollupScope } from './query.ts';

/** What something cost, and not what it brings: see `RollupRow`. */
export interface CostRow extends CostFigures {
  dimensions: Partial<Record<RollupDimension, string>>;
  requestCount: bigint;
}

type CostDimension = Exclude<RollupDimension, 'day' | 'month' | 'user'>;

export interface CostQuery extends RollupScope {
  groupBy: readonly CostDimension[];
  /** The window whose cost stands beside this one's, and which shares no day with it; null: none. */
  before: TimeWindow | null;
}

interface RawRow {
  dimensions: string[];
  tokens: string;
  unpriced: string;
  requests: string;
  token_cost: string;
  provisioned_cost: string;
  idle_cost: string;
  cost_before: string | null;
}

/**
 * What usage cost, beside what it cost before, the dearest first. One look at the daily costs, without their revenue and their
 * users: a fraction of what rows take.
 */
export async function readCostRows(
  database: LedgerDatabase,
  query: CostQuery,
  limit: number,
): Promise<CostRow[]> {
  const result = await sql<RawRow>`${rowsOf(query)}
    select * from summed order by token_cost + provisioned_cost + idle_cost desc, dimensions collate "C" limit ${limit}`.execute(
    database,
  );
  return result.rows.map((row) => toRow(row, query));
}

/** Where the cost rose and fell the most against before, at most so many of each. */
export async function readMovers(
  database: LedgerDatabase,
  query: CostQuery,
  limit: number,
): Promise<{ risen: CostRow[]; fallen: CostRow[] }> {
  const change = sql`token_cost + provisioned_cost + idle_cost - cost_before`;
  const result = await sql<RawRow & { rise: string; fall: string }>`${rowsOf(query)},
    ranked as (
      select summed.*, row_number() over (order by ${change} desc nulls last, dimensions collate "C") as rise,
        row_number() over (order by ${change}, dimensions collate "C") as fall
      from summed)
    select * from ranked where rise <= ${limit} or fall <= ${limit}`.execute(database);
  const first = (by: 'rise' | 'fall') =>
    result.rows
      .filter((row) => Number(row[by]) <= limit)
      .sort((one, other) => Number(one[by]) - Number(other[by]))
      .map((row) => toRow(row, query));
  return { risen: first('rise'), fallen: first('fall') };
}

function rowsOf({ groupBy, window, before, filter }: CostQuery) {
  const byKey = (of: TimeWindow) => costsByKey(groupBy, filter, conditionsOf(of, filter));
  const then = before === null ? sql`` : sql`union all select *, false from (${byKey(before)}) as before`;
  const past = (column: string) => sql`coalesce(sum(${sql.ref(column)}) filter (where not is_now), 0)`;
  // What nobody knows the price of has cost something, and not nothing.
  const pastCost = sql`case when ${past('unpriced')} = 0 or ${past('tokens')} > ${past('unpriced')}
          then coalesce(sum(token_cost + provisioned_cost + idle_cost) filter (where not is_now), 0) end`;
  return sql`
    with keys as (
      select *, true as is_now from (${byKey(window)}) as now ${then}),
    summed as (
      select ${dimensionsOf(groupBy)} as dimensions, coalesce(sum(tokens) filter (where is_now), 0) as tokens,
        coalesce(sum(unpriced) filter (where is_now), 0) as unpriced,
        coalesce(sum(requests) filter (where is_now), 0) as requests,
        coalesce(sum(token_cost) filter (where is_now), 0) as token_cost,
        coalesce(sum(provisioned_cost) filter (where is_now), 0) as provisioned_cost,
        coalesce(sum(idle_cost) filter (where is_now), 0) as idle_cost,
        ${pastCost} as cost_before
      from keys group by 1)`;
}

function toRow(row: RawRow, { groupBy, before }: CostQuery): CostRow {
  return {
    dimensions: Object.fromEntries(groupBy.map((name, index) => [name, row.dimensions[index] ?? ''])),
    tokenCount: BigInt(row.tokens),
    unpricedTokenCount: BigInt(row.unpriced),
    requestCount: BigInt(row.requests),
    tokenCostPicoUsd: BigInt(row.token_cost),
    provisionedCostPicoUsd: BigInt(row.provisioned_cost),
    idleCostPicoUsd: BigInt(row.idle_cost),
    costBeforePicoUsd: before === null || row.cost_before === null ? null : BigInt(row.cost_before),
  };
}
