import { type RawBuilder, sql } from 'kysely';
import type { TokenType } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { afterRow, conditionsOf, costTable, dimensionsOf, ratedParts, ratesOf } from './facts.ts';
import type { RollupFigures, RollupPage, RollupQuery, RollupRow, RollupSort } from './query.ts';

interface RawRow {
  dimensions: string[];
  row_count: string;
  tokens: string;
  token_counts: Record<string, string> | null;
  requests: string;
  users: string;
  token_cost: string;
  provisioned_cost: string;
  idle_cost: string;
  unpriced: string;
  unattributed: string;
  unknown: { reason: string; tokens: string; least: string | null; most: string | null }[] | null;
  currencies: { currency: string; revenue: string; unrated: string; cost: string }[] | null;
  revenue_usd: string | null;
  known_margin: string | null;
  known_tokens: string;
  cost_before: string | null;
  days: { day: string; cost: string; tokens: string; unpriced: string }[] | null;
}

/** Of `summed`, which has a column for each. */
const SORTS: Record<RollupSort, RawBuilder<unknown>> = {
  cost: sql`token_cost + provisioned_cost + idle_cost`,
  costBefore: sql`cost_before`,
  costChange: sql`token_cost + provisioned_cost + idle_cost - cost_before`,
  revenue: sql`revenue_usd`,
  margin: sql`known_margin`,
  tokens: sql`tokens`,
  requests: sql`requests`,
  activeUsers: sql`users`,
  unpriced: sql`unpriced`,
  unattributed: sql`unattributed`,
};

/**
 * A page of what was used, what it cost and what it brings, in one statement. With a window before there is a row for
 * what was used then alone, too. Revenue of a window's days is by the average of their calendar months to date, so that the
 * days of a month sum up to its invoice lines.
 */
export async function readRollupRows(database: LedgerDatabase, query: RollupQuery): Promise<RollupPage> {
  const { groupBy, window, filter, before, after } = query;
  const cost = sql`coalesce(sum(cost_pico_usd), 0)`;
  const unpriced = sql`coalesce(sum(token_count) filter (where reason is not null), 0)`;
  // What nobody knows the price of has cost something, and not nothing.
  const pastCost = sql`case when sum(token_count) > ${unpriced} or ${unpriced} = 0 then ${cost} end`;
  const pastCosts =
    before === null
      ? sql`select null::text[] as dimensions, null::numeric as cost_before where false`
      : sql`select ${dimensionsOf(groupBy)} as dimensions, ${pastCost} as cost_before
            from ${costTable(groupBy, filter)} where ${conditionsOf(before, filter)} and ${afterRow(groupBy, after)}
            group by 1`;
  const active =
    query.withUsers === false
      ? sql`select null::text[] as dimensions, null::bigint as users where false`
      : sql`select dimensions, count(*) as users
      from (select ${dimensionsOf(groupBy)} as dimensions, subject from daily_users
            where customer_id is not null and ${conditionsOf(window, filter)} and ${afterRow(groupBy, after)}
            group by 1, 2 having sum(token_count) > 0) as users
      group by 1`;
  const days = query.withDays
    ? sql`select dimensions, day, ${cost} as cost, coalesce(sum(token_count), 0) as tokens, ${unpriced} as unpriced
          from (select ${dimensionsOf(groupBy)} as dimensions, day, cost_pico_usd, token_count, reason
                from ${costTable(groupBy, filter)} where ${conditionsOf(window, filter)}) as daily
          join page using (dimensions) group by 1, 2`
    : sql`select null::text[] as dimensions, null::date as day, null::numeric as cost, null::numeric as tokens,
          null::numeric as unpriced where false`;
  const result = await sql<RawRow>`
    with ${ratedParts(query, groupBy, after)}, ${ratesOf(query)},
    past as (${pastCosts}),
    active as (${active}),
    money as materialized (
      select dimensions, rated.currency, coalesce(sum(revenue), 0) as revenue, sum(cost) as cost,
        coalesce(sum(tokens) filter (where is_unrated), 0) as unrated,
        coalesce(sum(exact_revenue) filter (where reason is null), 0) as known_revenue
      from rated where customer_id is not null and token_type is not null group by 1, 2),
    dollars as (
      select dimensions,
        case when bool_and(rates.currency is not null or revenue = 0)
          then coalesce(sum(round(revenue * numerator / denominator)), 0) end as revenue_usd,
        case when bool_and(rates.currency is not null or known_revenue = 0)
          then coalesce(sum(round(known_revenue * numerator / denominator)), 0) end as known_revenue_usd
      from money left join rates using (currency) group by 1),
    sums as (
      select dimensions, sum(tokens) as tokens, sum(requests) as requests, coalesce(sum(token_cost), 0) as token_cost,
        coalesce(sum(provisioned_cost), 0) as provisioned_cost, coalesce(sum(idle_cost), 0) as idle_cost,
        coalesce(sum(tokens) filter (where is_unknown), 0) as unpriced,
        coalesce(sum(tokens) filter (where customer_id is null), 0) as unattributed,
        coalesce(sum(tokens) filter (where reason is null and exact_revenue is not null), 0) as known_tokens,
        coalesce(sum(cost) filter (where reason is null and exact_revenue is not null), 0) as known_cost
      from rated group by 1),
    summed as (
      select dimensions, coalesce(tokens, 0) as tokens, coalesce(requests, 0) as requests, coalesce(users, 0) as users,
        coalesce(token_cost, 0) as token_cost, coalesce(provisioned_cost, 0) as provisioned_cost,
        coalesce(idle_cost, 0) as idle_cost, coalesce(unpriced, 0) as unpriced, coalesce(unattributed, 0) as unattributed,
        coalesce(known_tokens, 0) as known_tokens,
        case when dollars.dimensions is null then 0 else revenue_usd end as revenue_usd,
        case when dollars.dimensions is null then 0 else known_revenue_usd end - coalesce(known_cost, 0) as known_margin,
        ${before === null ? sql`cost_before` : sql`case when past.dimensions is null then 0 else cost_before end`} as cost_before
      from sums full join past using (dimensions) left join active using (dimensions) left join dollars using (dimensions)),
    page as materialized (
      select *, count(*) over () as row_count from summed
      order by ${orderOf(query)} limit ${query.limit} offset ${query.offset}),
    types as (
      select dimensions, jsonb_object_agg(token_type, tokens::text) as token_counts
      from (select dimensions, token_type, sum(rated.tokens) as tokens from rated join page using (dimensions)
            where token_type is not null group by 1, 2) as summed group by 1),
    reasons as (
      select dimensions, jsonb_agg(jsonb_build_object('reason', reason, 'tokens', tokens::text,
        'least', least::text, 'most', most::text) order by reason) as unknown
      from (select dimensions, reason, coalesce(sum(rated.tokens) filter (where is_unknown), 0) as tokens,
              case when bool_and(least_cost is not null) then sum(least_cost) end as least,
              case when bool_and(most_cost is not null) then sum(most_cost) end as most
            from rated join page using (dimensions) where reason is not null group by 1, 2) as summed group by 1),
    moneys as (
      select dimensions, jsonb_agg(jsonb_build_object('currency', currency, 'revenue', revenue::text,
        'unrated', unrated::text, 'cost', coalesce(cost, 0)::text) order by currency) as currencies
      from money join page using (dimensions) group by 1),
    days as (
      select dimensions, jsonb_agg(jsonb_build_object('day', day::text, 'cost', cost::text,
        'tokens', tokens::text, 'unpriced', unpriced::text) order by day) as days
      from (${days}) as summed group by 1)
    select * from page left join types using (dimensions) left join reasons using (dimensions)
      left join moneys using (dimensions) left join days using (dimensions)
    order by ${orderOf(query)}`.execute(database);
  return {
    rows: result.rows.map((row) => toRow(row, query)),
    rowCount: Number(result.rows[0]?.row_count ?? 0),
  };
}

function orderOf({ sort }: RollupQuery): RawBuilder<unknown> {
  const byDimensions = sql`dimensions collate "C"`;
  if (sort === null) return byDimensions;
  const direction = sort.descending ? sql`desc nulls last` : sql`asc nulls last`;
  return sql`${SORTS[sort.by]} ${direction}, ${byDimensions}`;
}

function toRow(row: RawRow, { groupBy }: RollupQuery): RollupRow {
  const figures: RollupFigures = {
    tokenCount: BigInt(row.tokens),
    tokenCounts: Object.fromEntries(
      Object.entries(row.token_counts ?? {}).map(([type, tokens]) => [type as TokenType, BigInt(tokens)]),
    ),
    requestCount: BigInt(row.requests),
    activeUserCount: BigInt(row.users),
    tokenCostPicoUsd: BigInt(row.token_cost),
    provisionedCostPicoUsd: BigInt(row.provisioned_cost),
    idleCostPicoUsd: BigInt(row.idle_cost),
    unknown: (row.unknown ?? []).map(({ reason, tokens, least, most }) => ({
      reason,
      tokenCount: BigInt(tokens),
      between:
        least === null || most === null ? null : { leastPicoUsd: BigInt(least), mostPicoUsd: BigInt(most) },
    })),
    unpricedTokenCount: BigInt(row.unpriced),
    unattributedTokenCount: BigInt(row.unattributed),
    currencies: (row.currencies ?? []).map(({ currency, revenue, unrated, cost }) => ({
      currency,
      revenuePicoMinor: BigInt(revenue),
      unratedTokenCount: BigInt(unrated),
      knownCostPicoUsd: BigInt(cost),
    })),
    revenuePicoUsd: row.revenue_usd === null ? null : BigInt(row.revenue_usd),
    knownMarginPicoUsd: row.known_margin === null ? null : BigInt(row.known_margin),
    knownMarginTokenCount: BigInt(row.known_tokens),
    costBeforePicoUsd: row.cost_before === null ? null : BigInt(row.cost_before),
  };
  return {
    dimensions: Object.fromEntries(groupBy.map((name, index) => [name, row.dimensions[index] ?? ''])),
    ...figures,
    days: (row.days ?? []).map(({ day, cost, tokens, unpriced }) => ({
      day,
      knownCostPicoUsd: BigInt(cost),
      tokenCount: BigInt(tokens),
      unpricedTokenCount: BigInt(unpriced),
    })),
  };
}
