import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

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
