import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { CountSchema, TokenCountSchema } from '../../platform/http/schemas.ts';

/**
 * A metric that nobody knows and that counted something. Whether its tokens are part of another figure is not known
 * either, so that they are in no sum of prompt and completion tokens: whoever shows what waits shows them beside it.
 */
export interface HeldMetric {
  metricName: string;
  rowCount: bigint;
  tokenCount: bigint;
}

/** Those of a window of event time; and, if one is named, of a customer. What was written off waits no more. */
export async function readHeldMetrics(
  database: LedgerDatabase,
  { window, customerId }: { window: TimeWindow; customerId?: string | null },
): Promise<HeldMetric[]> {
  const whose =
    customerId == null
      ? sql`true`
      : sql`subject in (select subject from subjects where customer_id = ${customerId})`;
  const result = await sql<HeldMetric>`
    select metric_name as "metricName", count(*) as "rowCount", sum(token_count)::bigint as "tokenCount"
    from source_items
    where quarantine_reason = 'unknown_metric' and written_off_at is null
      and event_day >= ${window.start}::timestamptz::date - 1 and event_day <= ${window.end}::timestamptz::date + 1
      and event_time >= ${window.start} and event_time < ${window.end} and ${whose}
    group by metric_name order by 3 desc, 1`.execute(database);
  return result.rows;
}

export const HeldMetricSchema = z
  .object({ metricName: z.string(), rowCount: CountSchema, tokenCount: TokenCountSchema })
  .openapi('UnknownMetric');

/** As the API shows them. */
export function showHeldMetric({ metricName, rowCount, tokenCount }: HeldMetric) {
  return { metricName, rowCount: String(rowCount), tokenCount: String(tokenCount) };
}
