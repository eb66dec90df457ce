import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { HeldMetric } from '../usage/collection/held-metrics.ts';
import type { CloseTarget } from './figures.ts';

/** Metrics that nobody knows and that counted something, of each invoice's customer and period, in one statement. */
export async function readHeldMetricsOfCloses(
  database: LedgerDatabase,
  targets: readonly CloseTarget[],
): Promise<Map<string, HeldMetric[]>> {
  if (targets.length === 0) return new Map();
  const rows = await sql<HeldMetric & { invoiceId: string }>`
    select target.invoice_id as "invoiceId", item.metric_name as "metricName", count(*) as "rowCount",
      sum(item.token_count)::bigint as "tokenCount"
    from unnest(${targets.map((target) => target.invoiceId)}::text[], ${targets.map((target) => target.customerId)}::text[],
      ${targets.map((target) => target.periodStart.toISOString())}::timestamptz[],
      ${targets.map((target) => target.periodEnd.toISOString())}::timestamptz[])
      as target(invoice_id, customer_id, period_start, period_end)
    join source_items item on item.quarantine_reason = 'unknown_metric' and item.written_off_at is null
      and item.event_time >= target.period_start and item.event_time < target.period_end
    join subjects on subjects.subject = item.subject and subjects.customer_id = target.customer_id
    group by 1, 2 order by 1, 4 desc, 2`.execute(database);
  return Map.groupBy(rows.rows, ({ invoiceId }) => invoiceId);
}
