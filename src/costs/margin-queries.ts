import { sql } from 'kysely';
import type { MarginEntry } from '../../pricing/rating/margin.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { countedColumn } from '../usage/name-keys.ts';
import { UNTOLD_WRITES } from './queries.ts';

/** Usage of one customer in one calendar month, with its cost as it is rated. */
export interface MarginUsage extends MarginEntry {
  customerId: string;
}

/** The next customers with rated usage in the window, by id; usage that is nobody's is left out. */
export async function readMarginCustomers(
  database: LedgerDatabase,
  window: TimeWindow,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const { from, until } = daysOf(window);
  const result = await sql<{ customer_id: string }>`
    select distinct customer_id from daily_costs
    where day >= ${from}::date and day < ${until}::date and customer_id is not null and kind <> 'requests'
      and (${after}::text is null or customer_id > ${after})
    order by customer_id limit ${limit}`.execute(database);
  return result.rows.map((row) => row.customer_id);
}

/** What these customers used and what it cost. */
export async function readMarginUsage(
  database: LedgerDatabase,
  window: TimeWindow,
  customerIds: readonly string[],
): Promise<MarginUsage[]> {
  const { from, until } = daysOf(window);
  const result = await sql<{
    customer_id: string;
    month: Date;
    model: string;
    feature: string;
    token_type: TokenType;
    tokens: bigint;
    known: string;
    unknown: bigint;
    is_partial: boolean;
  }>`
    select customer_id, date_trunc('month', day::timestamp) at time zone 'UTC' as month, ${countedColumn('model')} as model, feature, token_type,
      sum(token_count)::bigint as tokens, coalesce(sum(cost_pico_usd), 0)::text as known,
      coalesce(sum(token_count) filter (where cost_pico_usd is null), 0)::bigint as unknown,
      coalesce(bool_or(${UNTOLD_WRITES} is not null), false) as is_partial
    from daily_costs
    where token_type is not null and day >= ${from}::date and day < ${until}::date
      and customer_id = any(${customerIds}::text[])
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5`.execute(database);
  return result.rows.map((row) => ({
    customerId: row.customer_id,
    monthStart: row.month,
    model: row.model,
    feature: row.feature,
    tokenType: row.token_type,
    tokenCount: row.tokens,
    knownCostPicoUsd: BigInt(row.known),
    unknownCostTokenCount: row.unknown,
    isCostPartial: row.is_partial,
  }));
}

/** What those who used a feature cost, each over the whole window. */
export interface FeatureUserCosts {
  feature: string;
  activeUserCount: bigint;
  /** Of the active users: whose cost is unknown, and who are in no percentile. */
  unknownUserCount: bigint;
  /** Null when no user's cost is known. */
  p50PicoUsd: bigint | null;
  p90PicoUsd: bigint | null;
}

/**
 * The cost of each feature's active users: subjects with tokens in the window, but those who are nobody's; shares of capacity
 * included, so that users sum up to the costs. Percentiles are the cost of a user that exists (nearest rank) and whose cost is
 * known as a whole.
 */
export async function readFeatureUserCosts(
  database: LedgerDatabase,
  window: TimeWindow,
): Promise<FeatureUserCosts[]> {
  const { from, until } = daysOf(window);
  const result = await sql<{
    feature: string;
    users: bigint;
    unknown_users: bigint;
    p50: string | null;
    p90: string | null;
  }>`
    with users as (
      select feature, subject, coalesce(sum(cost_pico_usd), 0) as cost,
        coalesce(bool_or(reason is not null or is_cost_partial) filter (where token_count > 0), false) as is_unknown
      from daily_users
      where customer_id is not null and day >= ${from}::date and day < ${until}::date
      group by 1, 2 having sum(token_count) > 0)
    select feature, count(*) as users, count(*) filter (where is_unknown) as unknown_users,
      (percentile_disc(0.5) within group (order by cost) filter (where not is_unknown))::text as p50,
      (percentile_disc(0.9) within group (order by cost) filter (where not is_unknown))::text as p90
    from users group by feature order by feature`.execute(database);
  return result.rows.map((row) => ({
    feature: row.feature,
    activeUserCount: row.users,
    unknownUserCount: row.unknown_users,
    p50PicoUsd: row.p50 === null ? null : BigInt(row.p50),
    p90PicoUsd: row.p90 === null ? null : BigInt(row.p90),
  }));
}

function daysOf(window: TimeWindow): { from: string; until: string } {
  return {
    from: window.start.toISOString().slice(0, 10),
    until: window.end.toISOString().slice(0, 10),
  };
}
