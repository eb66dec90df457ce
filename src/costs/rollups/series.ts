import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { ratedParts, ratesOf } from './facts.ts';
import type { RollupDimension, RollupScope } from './query.ts';

/** What one band of a drawing has on one day. */
export interface DailyCell {
  day: string;
  knownCostPicoUsd: bigint;
  /** Null where there is no exchange rate for some of it. */
  revenuePicoUsd: bigint | null;
  tokenCount: bigint;
  /** Of them, without a known cost. */
  unpricedTokenCount: bigint;
  /** Of customers', without a rate: the revenue lacks what they bring. */
  unratedTokenCount: bigint;
  requestCount: bigint;
}

/** A value of the dimension, the empty text where usage has none; null: all others together. */
export interface DailySeries {
  value: string | null;
  /** In the order of time; days without usage are left out. */
  days: DailyCell[];
}

/**
 * What each day of a scope cost and brought, by the values of a dimension with the highest known cost in the whole window, and
 * the rest as one: one statement, whose answer has at most (top + 1) x days cells. Series go by their cost, the rest last.
 */
export async function readDailySeries(
  database: LedgerDatabase,
  query: RollupScope & { by: Exclude<RollupDimension, 'day' | 'month'>; top: number },
): Promise<DailySeries[]> {
  const { by, top } = query;
  const result = await sql<{
    value: string | null;
    day: string;
    cost: string;
    revenue: string | null;
    tokens: string;
    unpriced: string;
    unrated: string;
    requests: string;
  }>`
    with ${ratedParts(query, [by, 'day'], null)}, ${ratesOf(query)},
    valued as (select rated.*, dimensions[1] as series_value, dimensions[2] as day from rated),
    ranked as (
      select series_value, row_number() over (order by coalesce(sum(cost), 0) desc, series_value collate "C") as rank
      from valued group by 1),
    cells as (
      select case when rank <= ${top} then series_value end as value, least(rank, ${top + 1}) as rank, day, currency,
        coalesce(sum(cost), 0) as cost, coalesce(sum(revenue), 0) as revenue, sum(tokens) as tokens,
        coalesce(sum(tokens) filter (where is_unknown), 0) as unpriced,
        coalesce(sum(tokens) filter (where is_unrated), 0) as unrated, sum(requests) as requests
      from valued join ranked using (series_value) group by 1, 2, 3, 4)
    select value, rank, day, sum(cost)::text as cost, sum(tokens)::text as tokens, sum(requests)::text as requests,
      sum(unpriced)::text as unpriced, sum(unrated)::text as unrated,
      case when bool_and(rates.currency is not null or revenue = 0)
        then coalesce(sum(round(revenue * numerator / denominator)), 0)::text end as revenue
    from cells left join rates using (currency) group by value, rank, day order by rank, day`.execute(
    database,
  );
  const bySeries = Map.groupBy(result.rows, (row) => row.value);
  return [...bySeries].map(([seriesValue, cells]) => ({
    value: seriesValue,
    days: cells.map((cell) => ({
      day: cell.day,
      knownCostPicoUsd: BigInt(cell.cost),
      revenuePicoUsd: cell.revenue === null ? null : BigInt(cell.revenue),
      tokenCount: BigInt(cell.tokens),
      unpricedTokenCount: BigInt(cell.unpriced),
      unratedTokenCount: BigInt(cell.unrated),
      requestCount: BigInt(cell.requests),
    })),
  }));
}
