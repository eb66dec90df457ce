import type { Generated } from 'kysely';

/** The price list of Azure, as the synchronization saw it; see migration 0016. */
export interface PriceSyncTables {
  retail_meter_rows: {
    retail_meter_row_id: Generated<bigint>;
    meter_id: string;
    model: string | null;
    deployment_type: string | null;
    region: string | null;
    token_type: string | null;
    note: string;
    mapped_by: string;
    mapped_at: Date;
  };
  price_sync_runs: {
    price_sync_run_id: string;
    requested_by: string;
    status: Generated<'queued' | 'running' | 'done' | 'failed'>;
    created_at: Date;
    started_at: Date | null;
    finished_at: Date | null;
    last_error: string | null;
    page_count: number | null;
    item_count: number | null;
    ignored_count: number | null;
    unchanged_count: number | null;
    applied_count: number | null;
    waiting_count: number | null;
    book_version_before: string | null;
    book_version_after: string | null;
  };
  retail_meters_seen: { meter_id: string; meter_name: string; last_seen_at: Date };
  price_sync_items: {
    price_sync_item_id: Generated<bigint>;
    subject: string;
    fingerprint: string;
    verdict: 'small_change' | 'large_change' | 'new_price' | 'unmapped' | 'unusable' | 'disappeared';
    reason: string | null;
    meter_id: string;
    meter_name: string;
    product_name: string;
    unit_of_measure: string;
    retail_price: string;
    currency: string;
    regions: string[];
    model: string | null;
    deployment_type: string | null;
    region: string | null;
    token_type: string | null;
    /** Decimal text. */
    old_pico_per_unit: string | null;
    new_pico_per_unit: string | null;
    listed_from: Date | null;
    effective_from: Date | null;
    is_retroactive: boolean;
    status: 'applied' | 'pending' | 'accepted' | 'rejected' | 'withdrawn';
    first_run_id: string;
    last_run_id: string;
    found_at: Date;
    seen_at: Date;
    decided_by: string | null;
    decided_at: Date | null;
    decision_reason: string | null;
  };
}
