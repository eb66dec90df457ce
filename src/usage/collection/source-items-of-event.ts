import { sql } from 'kysely';
import { keyOf, type TokenKind, type UsageKey } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { selectKey } from '../columns.ts';
import type { SourceItem } from './source-items.ts';

/**
 * The source items that a usage event was made from. Looks through every day, because nothing that the event's own row
 * says can be believed when this is asked; that is rare enough to need no index.
 */
export async function readItemsOfEvent(
  database: LedgerDatabase,
  usageEventId: string,
): Promise<SourceItem[]> {
  const found = await sql<
    UsageKey & {
      event_day: string;
      source_item_id: string;
      metric_name: string;
      event_time: Date;
      ingested_at: Date;
      tenant_key: string;
      token_kind: TokenKind;
      token_count: bigint;
      request_count: bigint;
      counts_apart: boolean;
    }
  >`
    select event_day, source_item_id, metric_name, event_time, ingested_at, tenant_key, ${selectKey()}, token_kind,
      token_count, request_count, counts_apart
    from source_items where usage_event_id = ${usageEventId}`.execute(database);
  return found.rows.map((row) => ({
    row: {
      sourceItemId: row.source_item_id,
      eventTime: row.event_time,
      ingestedAt: row.ingested_at,
      metricName: row.metric_name,
      sum: String(row.token_count),
      itemCount: String(row.request_count),
      tenantKey: row.tenant_key,
      ...keyOf(row),
    },
    eventDay: row.event_day,
    tokenKind: row.token_kind,
    tokenCount: row.token_count,
    requestCount: row.request_count,
    countsApart: row.counts_apart,
    usageEventId,
    quarantineReason: null,
    quarantineDetail: null,
  }));
}
