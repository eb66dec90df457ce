import type { ColumnType, Generated } from 'kysely';
import type { CloseTables } from './schema-closes.ts';
import type { ControlTables } from './schema-control.ts';
import type { CostTables } from './schema-costs.ts';
import type { PlanTables } from './schema-plans.ts';
import type { PriceBookTables } from './schema-price-book.ts';
import type { PriceSyncTables } from './schema-price-sync.ts';
import type { QuoteTables } from './schema-quotes.ts';
import type { ReconciliationTables } from './schema-reconciliation.ts';
import type { RetentionTables } from './schema-retention.ts';
import type { StatementTables } from './schema-statements.ts';
import type { WebhookTables } from './schema-webhooks.ts';

/** Column types of the ledger. Counts are bigint, instants Date (UTC); see migrations for meaning. */
type Json = ColumnType<unknown, string, string>;

export interface Ledger
  extends PlanTables,
    PriceBookTables,
    PriceSyncTables,
    QuoteTables,
    ReconciliationTables,
    WebhookTables,
    RetentionTables,
    StatementTables,
    ControlTables,
    CostTables,
    CloseTables {
  watermarks: { source: string; position: Date; updated_at: Date };
  collection_windows: {
    collection_window_id: Generated<bigint>;
    source: string;
    cursor_kind: 'ingestion' | 'event';
    window_start: Date;
    window_end: Date;
    row_count: number;
    new_row_count: number;
    usage_event_count: number;
    query_text: string;
    collected_at: Date;
  };
  source_items: {
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
    usage_event_id: string | null;
    quarantine_reason: string | null;
    raw: Json | null;
    request_facts: Json | null;
    collection_window_id: bigint;
    written_off_at: Date | null;
    quarantine_number: bigint | null;
    retry_requested_at: Date | null;
  };
  usage_events: {
    usage_event_id: string;
    window_start: Date;
    event_time: Date;
    subject: string;
    feature: string;
    model: string;
    deployment: string;
    prompt_token_count: bigint;
    cached_prompt_token_count: bigint;
    completion_token_count: bigint;
    reasoning_token_count: bigint;
    total_token_count: bigint;
    request_count: bigint;
    body: string;
    status: Generated<'pending' | 'sent' | 'confirmed' | 'quarantined'>;
    quarantine_reason: string | null;
    attempt_count: Generated<number>;
    claimed_until: Date | null;
    sent_at: Date | null;
    created_at: Date;
    kind: Generated<UsageEventKind>;
    root_event_id: string | null;
    copy_delta: Generated<number>;
    resend_count: Generated<number>;
    written_off_at: Date | null;
  };
  settlements: {
    window_start: Date;
    status: Generated<'open' | 'settled'>;
    event_version: Generated<bigint>;
    settled_version: bigint | null;
    attempt_count: Generated<number>;
    next_attempt_at: Date | null;
    settled_at: Date | null;
    repair_checked_at: Date | null;
    repaired_at: Date | null;
    reconciled_at: Date | null;
  };
  hourly_usage: {
    hourly_usage_id: Generated<bigint>;
    window_start: Date;
    subject: string;
    feature: string;
    model: string;
    deployment: string;
    token_type: TokenType;
    /** Minutes of the hour that the row covers: `[start, end)`. */
    part_start_minute: Generated<number>;
    part_end_minute: Generated<number>;
    revision: number;
    token_count: bigint;
    delta_token_count: bigint;
    customer_id: string | null;
    meter_push_id: bigint | null;
    quarantine_reason: string | null;
    quarantine_detail: string | null;
    written_off_at: Date | null;
    late_item_id: bigint | null;
    credit_proposal_id: bigint | null;
    created_at: Date;
  };
  hourly_activity: {
    window_start: Date;
    subject: string;
    feature: string;
    model: string;
    deployment: string;
    reasoning_token_count: bigint;
    request_count: bigint;
    updated_at: Date;
  };
  customers: {
    customer_id: string;
    stripe_customer_id: string | null;
    tenant_key: string | null;
    name: string;
    currency: string | null;
    deleted_at: Date | null;
    synced_at: Date;
  };
  subjects: {
    subject: string;
    tenant_key: string;
    customer_id: string | null;
    assigned_by: 'tenant' | 'person' | null;
    first_seen_at: Date;
    updated_at: Date;
  };
  stripe_meters: {
    stripe_meter_id: string;
    event_name: string;
    display_name: string;
    aggregation: string;
    event_time_window: 'hour' | 'day' | null;
    status: string;
    synced_at: Date;
  };
  subscription_items: {
    subscription_item_id: string;
    subscription_id: string;
    subscription_status: string;
    customer_id: string;
    price_id: string;
    product_name: string;
    currency: string;
    unit_amount_decimal: string | null;
    tiers_mode: 'graduated' | 'volume' | null;
    price_tiers: Json | null;
    stripe_meter_id: string | null;
    current_period_start: Date;
    current_period_end: Date;
    active: boolean;
    synced_at: Date;
    product_id: string | null;
    price_model: string | null;
    price_token_type: string | null;
    price_feature: string | null;
    price_plan: string | null;
    price_plan_version: string | null;
    list_position: Generated<bigint>;
    started_at: Date | null;
    ends_at: Date | null;
    trial_ends_at: Date | null;
    collection_pause: string | null;
  };
  meter_bindings: {
    model: string;
    token_type: TokenType;
    feature: string;
    stripe_meter_id: string;
    synced_at: Date;
  };
  invoices: {
    invoice_id: string;
    customer_id: string;
    subscription_id: string | null;
    status: string;
    number: string | null;
    currency: string;
    total_minor: bigint;
    period_start: Date;
    period_end: Date;
    synced_at: Date;
    sealed_at: Date | null;
  };
  meter_pushes: {
    meter_push_id: Generated<bigint>;
    customer_id: string;
    stripe_customer_id: string;
    stripe_meter_id: string;
    event_name: string;
    window_start: Date;
    revision: number;
    delta_token_count: bigint;
    total_token_count: bigint;
    sent_value: bigint;
    event_timestamp: Date;
    identifier: string;
    status: Generated<'pending' | 'delivered' | 'refused' | 'withdrawn'>;
    attempt_count: Generated<number>;
    first_attempt_at: Date | null;
    last_attempt_at: Date | null;
    last_error: string | null;
    created_at: Date;
    delivered_at: Date | null;
    written_off_at: Date | null;
    is_undivided: Generated<boolean>;
    is_unproven: Generated<boolean>;
    offsets_push_id: bigint | null;
  };
  period_boundaries: { customer_id: string; boundary_at: Date; first_seen_at: Date };
  step_runs: {
    step: string;
    last_started_at: Date | null;
    last_succeeded_at: Date | null;
    last_failed_at: Date | null;
    last_error: string | null;
    last_duration_ms: bigint | null;
    run_count: Generated<bigint>;
    failed_count: Generated<bigint>;
  };
  api_keys: {
    api_key_id: string;
    key_hash: string;
    name: string;
    scopes: string[];
    created_at: Date;
    last_used_at: Date | null;
    revoked_at: Date | null;
  };
  step_leases: {
    step: string;
    lease_token: string;
    expires_at: Date;
    holder: Generated<string>;
    acquired_at: Generated<Date>;
  };
  audit_log: {
    audit_id: Generated<bigint>;
    actor: string;
    action: string;
    target: string;
    details: Json;
    created_at: Date;
  };
}

/** Disjoint buckets of billed tokens: `prompt` is the uncached part. */
export type TokenType = 'prompt' | 'prompt_cached' | 'completion';

/** `usage` is what was collected; the others stand for a usage event and are in no sum of usage. */
export type UsageEventKind = 'usage' | 'reissue' | 'correction';
