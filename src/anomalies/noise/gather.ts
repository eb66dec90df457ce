import { sql } from 'kysely';
import { addMs, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/** What one customer takes of one deployment, in a window. */
export interface TenantLoad {
  deployment: string;
  /** Null: nobody's. */
  customerId: string | null;
  customerName: string;
  tokenCount: bigint;
  requestCount: bigint;
  /** Of all tokens of the deployment, in thousandths. */
  sharePermille: number;
  /** Tokens of its own busiest minute. */
  busiestMinuteTokenCount: bigint;
  /** Of what the deployment answered in its busiest minutes of each day, in thousandths. */
  shareOfBusiestPermille: number;
  /** Tokens a minute that the deployment has, as it was bought; null: nobody has said. */
  quotaTokensPerMinute: bigint | null;
  /** Of this quota, its own busiest minute, in thousandths; null where there is no quota. */
  shareOfQuotaPermille: number | null;
}

const MOST = 200;

/** Who takes how much of each deployment, those with the largest share of a shared one first. */
export async function readTenantLoads(database: LedgerDatabase, window: TimeWindow): Promise<TenantLoad[]> {
  const from = window.start.toISOString().slice(0, 10);
  const through = addMs(window.end, -1).toISOString().slice(0, 10);
  const result = await sql<{
    deployment: string;
    customer_id: string;
    name: string;
    tokens: string;
    requests: string;
    whole: string;
    busiest: string;
    in_busiest: string;
    whole_busiest: string;
    quota: string | null;
    share: number;
  }>`
    with loads as (
      select deployment, customer_id, sum(token_count) as tokens, sum(request_count) as requests,
        max(busiest_minute_token_count) as busiest, sum(token_count_in_busiest) as in_busiest
      from deployment_loads where day between ${from}::date and ${through}::date group by 1, 2),
    quotas as (
      select lower(deployment) as deployment, sum(unit_count * tokens_per_minute_per_unit) as quota from provisioned_capacity
      where valid_from < ${window.end} and (valid_until is null or valid_until >= ${window.end}) group by 1)
    select loads.deployment, customer_id, coalesce(customers.name, customer_id) as name, loads.tokens::text as tokens,
      loads.requests::text as requests,
      (sum(tokens) over whole)::text as whole, loads.busiest::text as busiest, loads.in_busiest::text as in_busiest, (sum(in_busiest) over whole)::text as whole_busiest,
      quota::text as quota
    from loads left join quotas on quotas.deployment = lower(loads.deployment) left join customers using (customer_id)
    window whole as (partition by loads.deployment)
    order by in_busiest / nullif(sum(in_busiest) over whole, 0) desc nulls last, loads.tokens desc, loads.deployment, customer_id
    limit ${MOST}`.execute(database);
  return result.rows.map((row) => {
    const busiest = BigInt(row.busiest);
    const quota = row.quota === null || BigInt(row.quota) === 0n ? null : BigInt(row.quota);
    return {
      deployment: row.deployment,
      customerId: row.customer_id === '' ? null : row.customer_id,
      customerName: row.name,
      tokenCount: BigInt(row.tokens),
      requestCount: BigInt(row.requests),
      sharePermille: permille(BigInt(row.tokens), BigInt(row.whole)),
      busiestMinuteTokenCount: busiest,
      shareOfBusiestPermille: permille(BigInt(row.in_busiest), BigInt(row.whole_busiest)),
      quotaTokensPerMinute: quota,
      shareOfQuotaPermille: quota === null ? null : permille(busiest, quota),
    };
  });
}

const permille = (part: bigint, whole: bigint) => (whole === 0n ? 0 : Number((part * 1_000n) / whole));
