import { sql } from 'kysely';
import { createProvisionedCapacity } from '../../../pricing/rating/provisioned.ts';
import { TOKEN_TYPES } from '../../../pricing/usage/shape.ts';
import { addMs, DAY_MS, floorToHour, HOUR_MS, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { countedColumn } from '../../usage/name-keys.ts';
import type { ProvisionedPurchase } from './provisioned.ts';

/** How a purchase was used over some hours. Weights are in millionths of a weighted token. */
export interface PurchaseUse {
  hourCount: number;
  usedWeight: bigint;
  busiestWeight: bigint;
}

/** Use is measured over so many days back. */
export const OBSERVED_DAYS = 7;

export function observedWindow(now: Date): TimeWindow {
  const end = floorToHour(now);
  return { start: addMs(end, -OBSERVED_DAYS * DAY_MS), end };
}

/** What weighed on a purchase in the hours of the window in which it was in force. */
export async function readPurchaseUse(
  database: LedgerDatabase,
  purchase: ProvisionedPurchase,
  window: TimeWindow,
): Promise<PurchaseUse> {
  const { weights } = createProvisionedCapacity(purchase.terms);
  const weighed = TOKEN_TYPES.map(
    (tokenType) => sql`when ${sql.lit(tokenType)} then ${String(weights[tokenType])}::numeric`,
  );
  const startMs = Math.max(purchase.validFrom.getTime(), window.start.getTime());
  const endMs = Math.min(purchase.validUntil?.getTime() ?? Number.POSITIVE_INFINITY, window.end.getTime());
  if (startMs >= endMs) return { hourCount: 0, usedWeight: 0n, busiestWeight: 0n };
  const result = await sql<{ used: string; busiest: string }>`
    with kinds as (
      select window_start, token_type, greatest(sum(delta_token_count), 0) as tokens
      from hourly_usage
      where window_start >= ${new Date(startMs)} and window_start < ${new Date(endMs)}
        and ${countedColumn('deployment')} = ${purchase.deployment}
      group by 1, 2),
    hours as (
      select window_start, sum(tokens * case token_type ${sql.join(weighed, sql` `)} end) as weight
      from kinds group by 1)
    select coalesce(sum(weight), 0)::text as used, coalesce(max(weight), 0)::text as busiest from hours`.execute(
    database,
  );
  const row = result.rows[0];
  return {
    hourCount: Math.round((endMs - startMs) / HOUR_MS),
    usedWeight: BigInt(row?.used ?? '0'),
    busiestWeight: BigInt(row?.busiest ?? '0'),
  };
}
