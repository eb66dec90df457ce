import type { ColumnType, Generated } from 'kysely';

type Json = ColumnType<unknown, string, string>;

/**
 * How far the close of an invoice is: the last step that is done. `held`: a difference that a person may release;
 * `overtaken`: it became final without us and is only to be examined. The last five are ends.
 */
export const CLOSE_STATES = [
  'found',
  'claimed',
  'collected',
  'rescanned',
  'settled',
  'pushed',
  'compared',
  'annotated',
  'held',
  'released',
  'overtaken',
  'finalized',
  'finalized_without_us',
  'deleted',
  'voided',
  'left_alone',
] as const;
export type CloseState = (typeof CLOSE_STATES)[number];

/** Nothing follows these. */
export const CLOSE_ENDS: readonly CloseState[] = [
  'finalized',
  'finalized_without_us',
  'deleted',
  'voided',
  'left_alone',
];

export type LateItemState = 'planned' | 'created' | 'invoiced';
export const CREDIT_STATES = ['proposed', 'approved', 'created', 'rejected'] as const;
export type CreditState = (typeof CREDIT_STATES)[number];
export type CreditCause = 'corrected_usage' | 'invoice_above_ledger';

/** Tables of the close; see migration 0017_closes. */
export interface CloseTables {
  close_rescans: {
    close_rescan_id: Generated<bigint>;
    source: string;
    window_start: Date;
    window_end: Date;
    row_count: bigint;
    new_row_count: bigint;
    finished_at: Date;
  };
  closes: {
    invoice_id: string;
    customer_id: string;
    subscription_id: string;
    currency: string;
    period_start: Date;
    period_end: Date;
    state: CloseState;
    found_at: Date;
    state_at: Date;
    deadline: Date | null;
    next_look_at: Date | null;
    attempt_count: Generated<number>;
    last_error: string | null;
    close_rescan_id: bigint | null;
    comparison: Json | null;
    difference: Json | null;
    held_count: Generated<number>;
    released_by: string | null;
    released_reason: string | null;
    total_minor: bigint | null;
    ended_at: Date | null;
    confirmed_at: Date | null;
  };
  close_steps: {
    close_step_id: Generated<bigint>;
    invoice_id: string;
    state: CloseState;
    at: Date;
    note: string | null;
  };
  close_meters: {
    invoice_id: string;
    customer_id: string;
    stripe_meter_id: string;
    subscription_item_id: string;
    price_id: string | null;
    product_name: string;
    period_start: Date;
    period_end: Date;
    ledger_quantity: bigint;
    invoice_quantity: bigint;
    invoice_amount_minor: bigint;
    rated_amount_minor: bigint | null;
    unit_amount_decimal: string | null;
    tiers_mode: string | null;
    price_tiers: Json | null;
    line_id: string | null;
  };
  close_certificates: {
    invoice_id: string;
    customer_id: string;
    content: string;
    sha256: string;
    drift_token_count: bigint;
    drift_amount_minor: bigint;
    created_at: Date;
  };
  late_items: {
    late_item_id: Generated<bigint>;
    customer_id: string;
    invoice_id: string;
    subscription_id: string;
    missed_invoice_id: string | null;
    stripe_meter_id: string;
    product_name: string;
    period_start: Date;
    period_end: Date;
    used_from: Date;
    used_to: Date;
    token_count: bigint;
    currency: string;
    unit_amount_decimal: string | null;
    amount_minor: bigint;
    absorbed_minor: Generated<bigint>;
    description: string;
    idempotency_key: string;
    state: Generated<LateItemState>;
    invoice_item_id: string | null;
    planned_at: Date;
    created_at: Date | null;
    invoiced_at: Date | null;
  };
  credit_proposals: {
    credit_proposal_id: Generated<bigint>;
    customer_id: string;
    invoice_id: string;
    stripe_meter_id: string;
    product_name: string;
    line_id: string | null;
    period_start: Date;
    period_end: Date;
    token_count: bigint;
    currency: string;
    amount_minor: bigint;
    cause: CreditCause;
    state: Generated<CreditState>;
    idempotency_key: string;
    credit_note_id: string | null;
    decided_by: string | null;
    decided_reason: string | null;
    proposed_at: Date;
    decided_at: Date | null;
    created_at: Date | null;
    last_error: string | null;
  };
}
