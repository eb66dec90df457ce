/** Tables of webhooks and of how the catalog follows them; see migrations for meaning. */
export interface WebhookTables {
  webhook_counts: {
    provider: string;
    event_type: string;
    is_known: boolean;
    received_count: bigint;
    duplicate_count: bigint;
    last_received_at: Date;
  };
  catalog_progress: { name: string; position: Date; updated_at: Date };
}
