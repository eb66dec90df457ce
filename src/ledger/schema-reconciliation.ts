import type { ColumnType, Generated } from 'kysely';

type Json = ColumnType<unknown, string, string>;

/** What was held against what, when, and what differed; see migrations 0002, 0006, 0007 and 0009. */
export interface ReconciliationTables {
  drifts: {
    window_start: Date;
    meter_slug: string;
    subject: string;
    feature: string;
    model: string;
    deployment: string;
    ledger_value: bigint;
    metered_value: bigint;
    first_seen_at: Date;
    last_seen_at: Date;
    resolved_at: Date | null;
    class: DriftClass | null;
    found_sound_at: Date | null;
  };
  stripe_reads: {
    read_on: string;
    purpose: 'routine' | 'doubt' | 'preview' | 'close';
    read_count: Generated<number>;
  };
  billing_checks: {
    customer_id: string;
    stripe_meter_id: string;
    checked_at: Date | null;
    agreed_at: Date | null;
    next_check_at: Date | null;
    doubt: string | null;
  };
  billing_drifts: {
    customer_id: string;
    stripe_meter_id: string;
    window_start: Date;
    acknowledged_value: bigint;
    counted_value: bigint;
    class: BillingDriftClass;
    first_seen_at: Date;
    last_seen_at: Date;
    resolved_at: Date | null;
  };
  invoice_quantities: {
    invoice_id: string;
    customer_id: string;
    stripe_meter_id: string;
    period_start: Date;
    period_end: Date;
    quantity: bigint;
    changed_at: Date;
    seen_at: Date;
    judged_at: Date | null;
    agrees: boolean | null;
  };
  rescans: {
    rescan_id: string;
    window_start: Date;
    window_end: Date;
    requested_by: string;
    status: Generated<'queued' | 'running' | 'done' | 'failed'>;
    done_until: Date;
    row_count: Generated<bigint>;
    new_row_count: Generated<bigint>;
    usage_event_count: Generated<bigint>;
    quarantined_row_count: Generated<bigint>;
    last_error: string | null;
    created_at: Date;
    started_at: Date | null;
    finished_at: Date | null;
  };
  reconciliations: {
    reconciliation_id: string;
    window_start: Date;
    window_end: Date;
    customer_id: string | null;
    requested_by: string;
    status: Generated<'queued' | 'running' | 'done' | 'failed'>;
    result: Json | null;
    last_error: string | null;
    created_at: Date;
    started_at: Date | null;
    finished_at: Date | null;
  };
}

/** Why Stripe's sum of an hour differs from what it acknowledged. */
export type BillingDriftClass = 'push_unconfirmed' | 'refused_by_stripe' | 'counted_twice' | 'unexplained';

/** Why ledger and meter differ, as far as the events themselves tell. */
export type DriftClass = 'lost_in_openmeter' | 'counted_twice' | 'unexplained';
