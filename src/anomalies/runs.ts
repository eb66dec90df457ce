import { sql } from 'kysely';
import { type HourUsage, NO_USAGE } from '../../pricing/anomalies/hour.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** The finding that an hour of a customer belongs to, with its hours of the robust rule in their order. */
export interface Run {
  findingId: bigint;
  /** Whether a person was told of it. */
  isRaised: boolean;
  hours: {
    start: Date;
    usage: HourUsage;
    usual: HourUsage;
    excessPicoUsd: bigint;
    backfilledCostPicoUsd: bigint;
  }[];
}

/** Findings that an hour prolongs: those that were above the usual not long before it, or hold it already. */
export async function readRuns(
  database: LedgerDatabase,
  customerIds: readonly string[],
  hour: Date,
): Promise<Map<string, Run>> {
  const quiet = RULES.quietHours * HOUR_MS;
  const result = await sql<{
    customer_id: string;
    id: bigint;
    is_raised: boolean;
    window_start: Date | null;
    cost: string;
    top_cost: string;
    top_requests: bigint;
    late: string;
    backfilled: string;
    requests: bigint;
    tokens: bigint;
    users: number;
    excess: string;
    usual_cost: string;
    usual_requests: bigint;
    usual_tokens: bigint;
    usual_users: number;
  }>`
    with finding as (
      select distinct on (customer_id) customer_id, anomaly_finding_id, raised_at from anomaly_findings
      where customer_id = any(${[...customerIds]}::text[]) and state <> 'withdrawn'
        -- What creeps is told by the day, beside what its hours show.
        and shape is distinct from 'creep' and first_hour <= ${addMs(hour, quiet)} and last_hour >= ${addMs(hour, -quiet)}
      -- What holds the hour already, or is nearest to it; two never hold the same.
      order by customer_id, exists (select from anomaly_finding_hours as held where held.window_start = ${hour}
          and held.anomaly_finding_id = anomaly_findings.anomaly_finding_id) desc,
        greatest(first_hour - ${hour}::timestamptz, ${hour}::timestamptz - last_hour, interval '0'), last_hour desc)
    select finding.customer_id, finding.anomaly_finding_id as id, raised_at is not null as is_raised, kept.window_start,
      coalesce(usage.cost_pico_usd, 0)::text as cost, coalesce(usage.top_user_cost_pico_usd, 0)::text as top_cost,
      coalesce(usage.top_user_request_count, 0) as top_requests, coalesce(usage.late_cost_pico_usd, 0)::text as late,
      coalesce(usage.backfilled_cost_pico_usd, 0)::text as backfilled, coalesce(usage.request_count, 0) as requests,
      coalesce(usage.token_count, 0) as tokens, coalesce(usage.user_count, 0) as users, kept.excess_pico_usd::text as excess,
      kept.usual_cost_pico_usd::text as usual_cost, kept.usual_request_count as usual_requests,
      kept.usual_token_count as usual_tokens, kept.usual_user_count as usual_users
    from finding
    left join anomaly_finding_hours as kept on kept.anomaly_finding_id = finding.anomaly_finding_id and kept.moved <> ''
    left join anomaly_hours as usage on usage.customer_id = finding.customer_id and usage.window_start = kept.window_start
    order by finding.customer_id, kept.window_start`.execute(database);
  const runs = new Map<string, Run>();
  for (const row of result.rows) {
    const run = runs.get(row.customer_id) ?? { findingId: row.id, isRaised: row.is_raised, hours: [] };
    runs.set(row.customer_id, run);
    if (row.window_start === null) continue;
    run.hours.push({
      start: row.window_start,
      usage: {
        costPicoUsd: BigInt(row.cost),
        topUserCostPicoUsd: BigInt(row.top_cost),
        topUserRequestCount: row.top_requests,
        lateCostPicoUsd: BigInt(row.late),
        requestCount: row.requests,
        tokenCount: row.tokens,
        userCount: row.users,
      },
      usual: {
        ...NO_USAGE,
        costPicoUsd: BigInt(row.usual_cost),
        requestCount: row.usual_requests,
        tokenCount: row.usual_tokens,
        userCount: row.usual_users,
      },
      excessPicoUsd: BigInt(row.excess),
      backfilledCostPicoUsd: BigInt(row.backfilled),
    });
  }
  return runs;
}
