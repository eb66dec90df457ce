import { sql } from 'kysely';
import { addSums, type MarginSums, NO_SUMS } from '../../pricing/rating/margin.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { ratedParts } from './rollups/facts.ts';
import type { RollupScope } from './rollups/query.ts';

/** Sums of one customer, or of one feature, in one currency. */
export interface MarginRow {
  value: string;
  currency: string;
  sums: MarginSums;
}

/**
 * What customers' usage of a scope brings and costs, by customer or by feature and by currency, in the order of both: of the
 * same rollups as `/v1/costs` and the console, so that the revenue of a window's days is theirs.
 */
export async function readMarginSums(
  database: LedgerDatabase,
  scope: RollupScope,
  by: 'customer' | 'feature',
): Promise<MarginRow[]> {
  const { rows } = await sql<{
    value: string;
    currency: string;
    tokens: string;
    revenue: string;
    unrated: string;
    cost: string;
    unknown: string;
    is_partial: boolean;
    known_tokens: string;
    known_revenue: string;
    known_cost: string;
  }>`
    with ${ratedParts(scope, [by], null)},
    sums as (
      select dimensions[1] as value, currency, sum(tokens) as tokens, coalesce(sum(revenue), 0) as revenue,
        coalesce(sum(tokens) filter (where is_unrated), 0) as unrated, coalesce(sum(cost), 0) as cost,
        coalesce(sum(tokens) filter (where is_unknown), 0) as unknown,
        bool_or(reason is not null and not is_unknown) as is_partial,
        coalesce(sum(tokens) filter (where is_known), 0) as known_tokens,
        coalesce(sum(exact_revenue) filter (where is_known), 0) as known_revenue,
        coalesce(sum(cost) filter (where is_known), 0) as known_cost
      from (select *, reason is null and exact_revenue is not null as is_known from rated
            where customer_id is not null and token_type is not null) as rated
      group by 1, 2)
    select value, currency, tokens::text, revenue::text, unrated::text, cost::text, unknown::text, is_partial,
      known_tokens::text, known_revenue::text, known_cost::text
    from sums order by value collate "C", currency collate "C"`.execute(database);
  return rows.map((row) => ({
    value: row.value,
    currency: row.currency,
    sums: {
      tokenCount: BigInt(row.tokens),
      ratedRevenuePicoMinor: BigInt(row.revenue),
      unratedTokenCount: BigInt(row.unrated),
      knownCostPicoUsd: BigInt(row.cost),
      unknownCostTokenCount: BigInt(row.unknown),
      isCostPartial: row.is_partial,
      known: {
        tokenCount: BigInt(row.known_tokens),
        revenuePicoMinor: BigInt(row.known_revenue),
        costPicoUsd: BigInt(row.known_cost),
      },
    },
  }));
}

/** All of them, a sum for each currency, in their order. */
export function sumByCurrency(rows: readonly MarginRow[]): { currency: string; sums: MarginSums }[] {
  return [...Map.groupBy(rows, ({ currency }) => currency)]
    .map(([currency, its]) => ({
      currency,
      sums: its.reduce((total, { sums }) => addSums(total, sums), NO_SUMS),
    }))
    .sort((one, other) => (one.currency < other.currency ? -1 : 1));
}
