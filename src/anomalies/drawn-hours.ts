import { sql } from 'kysely';
import { HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { Finding } from './findings.ts';

/** A day before a finding, so that one sees what is usual, and a while after it. */
const HOURS_BEFORE = 24;
const HOURS_AFTER = 3;
/** More than a drawing shows. */
const MOST_HOURS = 168;

/** One hour of a finding's customer, for its drawing. */
export interface DrawnHour {
  windowStart: Date;
  /** Null: it is not collected yet, or kept no longer. */
  costPicoUsd: bigint | null;
  /** Null: the hour is not of the finding. */
  usualPicoUsd: bigint | null;
}

/** Hours around a finding, a week of them at most: whether it is cut is said. */
export async function readDrawnHours(
  database: LedgerDatabase,
  { findingId, customerId, firstHour, lastHour }: Finding,
): Promise<{ hours: DrawnHour[]; isCut: boolean }> {
  const spanHours = HOURS_BEFORE + 1 + (lastHour.getTime() - firstHour.getTime()) / HOUR_MS;
  const count = Math.min(MOST_HOURS, spanHours + HOURS_AFTER);
  const result = await sql<{ hour: Date; cost: string | null; usual: string | null }>`
    with hours as (
      select ${firstHour}::timestamptz + (place - ${HOURS_BEFORE}::int) * interval '1 hour' as hour
      from generate_series(0, ${count}::int - 1) as place),
    summed as (select min(window_start) as first, max(window_start) as last from anomaly_summed_hours)
    select hour, coalesce(usage.cost_pico_usd, case when hour between summed.first and summed.last then 0 end)::text as cost,
      kept.usual_pico_usd::text as usual
    from hours cross join summed
    left join anomaly_hours as usage on usage.customer_id = ${customerId} and usage.window_start = hour
    left join anomaly_finding_hours as kept on kept.anomaly_finding_id = ${String(findingId)}::bigint
      and kept.window_start = hour
    order by hour`.execute(database);
  const hours = result.rows.map((row) => ({
    windowStart: row.hour,
    costPicoUsd: row.cost === null ? null : BigInt(row.cost),
    usualPicoUsd: row.usual === null ? null : BigInt(row.usual),
  }));
  return { hours, isCut: spanHours > MOST_HOURS };
}
