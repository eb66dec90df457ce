import type { ColumnType } from 'kysely';

type Json = ColumnType<unknown, string, string>;

/** What the source that does not bill has told; see migration 0005_control_source. */
export interface ControlTables {
  control_items: {
    source: string;
    event_day: string;
    source_item_id: string;
    metric_name: string;
    event_time: Date | null;
    ingested_at: Date;
    subject: string;
    tenant_key: string;
    feature: string;
    model: string;
    deployment: string;
    token_kind: string;
    token_count: bigint;
    request_count: bigint;
    fault: string | null;
    request_facts: Json | null;
    collected_at: Date;
  };
  control_watermarks: { source: string; position: Date; updated_at: Date };
}
