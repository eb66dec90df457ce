import type { ColumnType, Generated } from 'kysely';

type Json = ColumnType<unknown, string, string>;

/** Tables of webhooks and of how the catalog follows them; see migrations for meaning. */
export interface WebhookTables {
  webhook_events: {
    webhook_event_id: string;
    provider: string;
    event_type: string;
    related_object_id: string | null;
    payload: Json;
    received_at: Date;
    processed_at: Date | null;
    reconciled_at: Date | null;
    samples_read_at: Date | null;
    object_type: string | null;
    occurred_at: Date | null;
    arrived_by: Generated<'webhook' | 'event_list'>;
    attempt_count: Generated<number>;
    last_error: string | null;
  };
  webhook_counts: {
    provider: string;
    event_type: string;
    is_known: boolean;
    received_count: bigint;
    duplicate_count: bigint;
    last_received_at: Date;
  };
  legacy_bindings: { model: string; token_type: string; feature: string; stripe_meter_id: string };
  catalog_progress: { name: string; position: Date; updated_at: Date };
}
