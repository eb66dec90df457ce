import { type RawBuilder, sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { conditionsOf, costsByKey, dimensionsOf } from './facts.ts';
import type { RollupDimension, RollupScope } from './query.ts';

/** What a band of a drawing cost on one day. */
export interface CostCell {
  day: string;
  knownCostPicoUsd: bigint;
  tokenCount: bigint;
  /** Of them, without a known cost. */
  unpricedTokenCount: bigint;
}

/** A value of the dimension, the empty text where usage has none; null: all others together. */
export interface CostSeries {
  value: string | null;
  /** In the order of time; days without usage are left out. */
  days: CostCell[];
}

type DrawnDimension = Exclude<RollupDimension, 'day' | 'month' | 'user'>;

/**
 * What each day of a scope cost, by the values of a dimension with the highest known cost in the whole window, and the rest as
 * one. Nothing else is read, least of all what it brings, so that it takes a fraction of the time that rows take.
 * @param top how many values; null: every one, for dimensions that have few
 */
export async function readCostSeries(
  database: LedgerDatabase,
  { by, top, window, filter }: RollupScope & { by: DrawnDimension; top: number | null },
): Promise<CostSeries[]> {
  const result = await sql<{
    value: string | null;
    day: string;
    cost: string;
    tokens: string;
    unpriced: string;
  }>`
    with by_key as (${costsByKey([by, 'day'], filter, conditionsOf(window, filter))}),
    cells as materialized (
      select (${dimensionsOf([by])})[1] as value, day, sum(token_cost + provisioned_cost) as cost, sum(tokens) as tokens,
        sum(unpriced) as unpriced
      from by_key group by 1, 2),
    ranked as (
      select value, row_number() over (order by sum(cost) desc, value collate "C") as rank from cells group by 1)
    select ${named(top)} as value, ${placed(top)} as rank, day::text as day, sum(cost)::text as cost,
      sum(tokens)::text as tokens, sum(unpriced)::text as unpriced
    from cells join ranked using (value) group by 1, 2, 3 order by 2, 3`.execute(database);
  return [...Map.groupBy(result.rows, (row) => row.value)].map(([value, cells]) => ({
    value,
    days: cells.map(({ day, cost, tokens, unpriced }) => ({
      day,
      knownCostPicoUsd: BigInt(cost),
      tokenCount: BigInt(tokens),
      unpricedTokenCount: BigInt(unpriced),
    })),
  }));
}

const named = (top: number | null): RawBuilder<string | null> =>
  top === null ? sql<string>`ranked.value` : sql`case when rank <= ${top} then ranked.value end`;
const placed = (top: number | null): RawBuilder<unknown> =>
  top === null ? sql`rank` : sql`least(rank, ${top + 1})`;
