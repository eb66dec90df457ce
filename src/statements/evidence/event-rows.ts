import { sql } from 'kysely';
import type { TokenKind, UsageFigures, UsageKey } from '../../../pricing/usage/shape.ts';
import type { QueryRecipe } from '../../azure/source.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { keyColumns, sameKey, selectFigures, selectKey, tokensOfType } from '../../usage/columns.ts';
import { type EvidenceOf, usageRowsOf } from './hours.ts';

/** A usage event, with those of its tokens that a line bills. */
export interface EvidenceEvent extends UsageKey {
  usageEventId: string;
  eventTime: Date;
  tokenCount: bigint;
  requestCount: bigint;
  status: string;
}

/** How the events of an hour add up to what the line bills of it. */
export interface EvidenceEventSums {
  eventCount: number;
  eventTokenCount: bigint;
  /** What the line bills of the hour. */
  tokenCount: bigint;
  /** Of the same events, what is billed elsewhere or waits: it came after the line's invoice was final. */
  elsewhereTokenCount: bigint;
}

const TOKENS_OF_TYPE = tokensOfType('event', 'key.token_type');

/** Keys and parts of the hour that the line bills, and the events behind them. */
function eventsOf(of: EvidenceOf, windowStart: Date) {
  return sql`key as (
      select distinct usage.window_start, ${keyColumns('usage')}, usage.token_type,
        usage.part_start_minute, usage.part_end_minute
      from hourly_usage usage where usage.window_start = ${windowStart} and ${usageRowsOf(of)}),
    event as (
      select event.usage_event_id, event.event_time, ${keyColumns('event')}, event.request_count, event.status,
        sum(${TOKENS_OF_TYPE})::bigint as token_count
      from key join usage_events event on event.window_start = key.window_start and ${sameKey('event', 'key')}
        and event.event_time >= key.window_start + make_interval(mins => key.part_start_minute)
        and event.event_time < key.window_start + make_interval(mins => key.part_end_minute)
      where event.kind = 'usage' and event.status in ('sent', 'confirmed')
      group by event.usage_event_id, event.event_time, ${keyColumns('event')}, event.request_count, event.status
      having sum(${TOKENS_OF_TYPE}) <> 0)`;
}

/** Events of one hour of a line, in the order of time and id. */
export async function readEvidenceEvents(
  database: LedgerDatabase,
  of: EvidenceOf,
  page: { windowStart: Date; after: { eventTime: Date; usageEventId: string } | null; limit: number },
): Promise<EvidenceEvent[]> {
  const { after } = page;
  const rows = await sql<EvidenceEvent>`
    with ${eventsOf(of, page.windowStart)}
    select usage_event_id as "usageEventId", event_time as "eventTime", ${selectKey()}, token_count as "tokenCount", request_count as "requestCount", status
    from event
    where ${after === null ? sql`true` : sql`(event_time, usage_event_id) > (${after.eventTime}::timestamptz, ${after.usageEventId}::text)`}
    order by event_time, usage_event_id limit ${page.limit}`.execute(database);
  return rows.rows;
}

export async function sumEvidenceEvents(
  database: LedgerDatabase,
  of: EvidenceOf,
  windowStart: Date,
): Promise<EvidenceEventSums> {
  const rows = await sql<EvidenceEventSums>`
    with ${eventsOf(of, windowStart)}
    select (select count(*)::int from event) as "eventCount",
      (select coalesce(sum(token_count), 0)::bigint from event) as "eventTokenCount",
      coalesce(sum(usage.delta_token_count) filter (where ${usageRowsOf(of)}), 0)::bigint as "tokenCount",
      coalesce(sum(usage.delta_token_count) filter (where not coalesce(${usageRowsOf(of)}, false)), 0)::bigint as "elsewhereTokenCount"
    from key join hourly_usage usage on usage.window_start = key.window_start and ${sameKey('usage', 'key')}
      and usage.token_type = key.token_type and usage.part_start_minute = key.part_start_minute
      and usage.part_end_minute = key.part_end_minute`.execute(database);
  return rows.rows[0] ?? { eventCount: 0, eventTokenCount: 0n, tokenCount: 0n, elsewhereTokenCount: 0n };
}

/** An event as it was sent, with what its source rows must sum to. */
export interface EvidenceEventFacts extends UsageKey, UsageFigures {
  usageEventId: string;
  eventTime: Date;
  windowStart: Date;
  status: string;
  sentAt: Date | null;
}

/** One event, if the line bills something of it; else null. */
export async function readEvidenceEvent(
  database: LedgerDatabase,
  of: EvidenceOf,
  usageEventId: string,
): Promise<EvidenceEventFacts | null> {
  const rows = await sql<EvidenceEventFacts>`
    select usage_event_id as "usageEventId", event_time as "eventTime", window_start as "windowStart", ${selectKey()},
      status, sent_at as "sentAt", ${selectFigures()}
    from usage_events event
    where usage_event_id = ${usageEventId} and kind = 'usage' and exists (
      select 1 from hourly_usage usage
      where usage.window_start = event.window_start and ${sameKey('usage', 'event')}
        and event.event_time >= usage.window_start + make_interval(mins => usage.part_start_minute)
        and event.event_time < usage.window_start + make_interval(mins => usage.part_end_minute)
        and ${usageRowsOf(of)})`.execute(database);
  return rows.rows[0] ?? null;
}

/** A row of the source that an event was made of, and the query whose answer held it. */
export interface EvidenceSourceItem {
  sourceItemId: string;
  metricName: string;
  tokenKind: TokenKind;
  countsApart: boolean;
  tokenCount: bigint;
  requestCount: bigint;
  eventTime: Date | null;
  ingestedAt: Date;
  collectionWindowId: bigint;
}

export interface EvidenceQuery {
  collectionWindowId: bigint;
  source: string;
  cursorKind: 'ingestion' | 'event';
  windowStart: Date;
  windowEnd: Date;
  collectedAt: Date;
  rowCount: number;
  recipe: QueryRecipe;
}

/** The source items of an event. Looked for in the days around it alone: nothing else has an index of them. */
export async function readEvidenceSource(
  database: LedgerDatabase,
  event: Pick<EvidenceEventFacts, 'usageEventId' | 'eventTime'>,
): Promise<{ items: EvidenceSourceItem[]; queries: EvidenceQuery[] }> {
  const day = event.eventTime.toISOString().slice(0, 10);
  const items = await sql<EvidenceSourceItem>`
    select source_item_id as "sourceItemId", metric_name as "metricName", token_kind as "tokenKind",
      counts_apart as "countsApart", token_count as "tokenCount", request_count as "requestCount", event_time as "eventTime",
      ingested_at as "ingestedAt", collection_window_id as "collectionWindowId"
    from source_items
    where usage_event_id = ${event.usageEventId} and event_day between ${day}::date - 1 and ${day}::date + 1
    order by event_time, source_item_id, metric_name`.execute(database);
  const windowIds = [...new Set(items.rows.map((item) => String(item.collectionWindowId)))];
  const queries = await sql<Omit<EvidenceQuery, 'recipe'> & QueryRecipe>`
    select w.collection_window_id as "collectionWindowId", w.source, w.cursor_kind as "cursorKind", w.window_start as "windowStart",
      w.window_end as "windowEnd", w.collected_at as "collectedAt", w.row_count as "rowCount", q.template, q.parameters
    from collection_windows w join collection_queries q using (collection_query_id)
    where w.collection_window_id = any(${windowIds}::bigint[]) order by 1`.execute(database);
  return {
    items: items.rows,
    queries: queries.rows.map(({ template, parameters, ...query }) => ({
      ...query,
      recipe: { template, parameters },
    })),
  };
}
