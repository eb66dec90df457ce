import { withClient } from './pg-client.ts';

export interface ItemCounts {
  rowCount: string;
  /** Of all rows, whatever they count. */
  checksum: string;
  /** Prompt plus completion tokens of the items. */
  sourceTokens: string;
  /** Prompt plus completion tokens in the outbox, and of items in quarantine. */
  outboxTokens: string;
}

/** What a table of items holds, as decimal text, and what the ledger's outbox holds beside it. */
export function countItems(databaseUrl: string, table: 'source_items' | 'bare_items'): Promise<ItemCounts> {
  return withClient(databaseUrl, async (client) => {
    const found = await client.query<ItemCounts>(`
      select count(*)::text as "rowCount",
        sum(hashtextextended(concat_ws('|', source_item_id, metric_name, event_time, subject, model, token_kind,
          token_count, request_count, usage_event_id, quarantine_reason), 0)::numeric)::text as checksum,
        coalesce(sum(token_count) filter (where token_kind in ('prompt', 'completion')), 0)::text as "sourceTokens",
        (coalesce(sum(token_count) filter (where token_kind in ('prompt', 'completion') and quarantine_reason is not null), 0)
          + (select coalesce(sum(prompt_token_count + completion_token_count), 0) from usage_events))::text as "outboxTokens"
      from ${table}`);
    return found.rows[0] as ItemCounts;
  });
}
