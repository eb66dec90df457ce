import type { ColumnType } from 'kysely';

/** What customers read of invoices; see migration 0020. */
export interface StatementTables {
  invoice_readings: {
    invoice_id: string;
    read_at: Date;
    status: string;
    total_minor: bigint;
    amount_due_minor: bigint | null;
  };
  invoice_lines: {
    invoice_id: string;
    line_id: string;
    position: number;
    description: string;
    subscription_item_id: string | null;
    price_id: string | null;
    stripe_meter_id: string | null;
    quantity: bigint | null;
    unit_amount_decimal: string | null;
    amount_minor: bigint;
    period_start: Date;
    period_end: Date;
    invoice_item_id: string | null;
    metadata: ColumnType<Record<string, string>, string | undefined, string>;
  };
  statement_slices: {
    customer_id: string;
    slice_start: Date;
    slice_end: Date;
    fingerprint: string;
    has_users: boolean;
    refreshed_at: Date;
  };
  statement_usage: {
    customer_id: string;
    slice_start: Date;
    slice_end: Date;
    stripe_meter_id: string;
    token_type: string;
    model: string;
    feature: string;
    token_count: bigint;
  };
  statement_users: {
    customer_id: string;
    slice_start: Date;
    slice_end: Date;
    stripe_meter_id: string;
    subject: string;
    token_count: bigint;
  };
}
