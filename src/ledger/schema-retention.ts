/** What stays of days whose single items were dropped; see migration 0018_operations. */
export interface RetentionTables {
  dropped_item_days: { event_day: string; item_count: bigint; token_count: bigint; dropped_at: Date };
  dropped_item_sums: {
    window_start: Date;
    subject: string;
    feature: string;
    model: string;
    deployment: string;
    prompt_token_count: bigint;
    cached_prompt_token_count: bigint;
    completion_token_count: bigint;
    first_ingested_at: Date;
  };
}
