import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import type { SourceItem, TokenKind } from './source-items.ts';

/**
 * The source items that a usage event was made from. Looks through every day, because nothing that the event's own row
 * says can be believed when this is asked; that is rare enough to need no index.
 */
export async function readItemsOfEvent(
  database: LedgerDatabase,
  usageEventId: string,
): Promise<SourceItem[]> {
  const found = await sql<{
    event_day: string;
    source_item_id: string;
    metric_name: string;
    event_time: Date;
    ingested_at: Date;
    subject: string;
    tenant_key: string;
    feature: string;
    model: string;
    deployment: string;
    token_kind: TokenKind;
    token_count: bigint;
    request_count: bigint;
  }>`
    select event_day, source_item_id, metric_name, event_time, ingested_at, subject, tenant_key, feature, model,
      deployment, token_kind, token_count, request_count
    from source_items where usage_event_id = ${usageEventId}`.execute(database);
  return found.rows.map((row) => ({
    row: {
      sourceItemId: row.source_item_id,
      eventTime: row.event_time,
      ingestedAt: row.ingested_at,
      metricName: row.metric_name,
      sum: String(row.token_count),
      itemCount: String(row.request_count),
      subject: row.subject,
      tenantKey: row.tenant_key,
      feature: row.feature,
      model: row.model,
      deployment: row.deployment,
    },
    eventDay: row.event_day,
    tokenKind: row.token_kind,
    tokenCount: row.token_count,
    requestCount: row.request_count,
    usageEventId,
    quarantineReason: null,
  }));
}
