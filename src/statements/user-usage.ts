import { sql } from 'kysely';
import { billedUsage, daySlices, unnestDays } from '../billing/day-slices.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { divideRows, readUnpushedStatementUsage, type StatementUsage } from './usage.ts';

/** One user's part of what the pushes of these periods bill, and of what waits to be pushed; nobody else's is read. */
export async function readUserUsage(
  database: LedgerDatabase,
  customerId: string,
  { subject, periods }: { subject: string; periods: readonly TimeWindow[] },
): Promise<StatementUsage[]> {
  const slices = periods.flatMap(daySlices);
  if (slices.length === 0) return [];
  const { rows } = await sql<StatementUsage & { subject: string }>`
    select usage.stripe_meter_id as "stripeMeterId", day.period_start as "periodStart", day.period_end as "periodEnd",
      to_char(usage.slice_start at time zone 'UTC', 'YYYY-MM-DD') as day, usage.token_type as "tokenType", usage.model,
      usage.feature, usage.subject, usage.token_count::bigint as "tokenCount"
    from (${billedUsage(customerId, slices, { users: true, subject })}) as usage
    join ${unnestDays(periods)} as day on day.slice_start = usage.slice_start and day.slice_end = usage.slice_end`.execute(
    database,
  );
  const found = divideRows(rows).usage;
  for (const period of periods)
    found.push(...(await readUnpushedStatementUsage(database, customerId, period, { subject })).usage);
  return found;
}
