import type { ColumnType, Generated } from 'kysely';
import type { TokenType } from './schema.ts';

type Json = ColumnType<unknown, string, string>;
/** Numeric of any size: text from the driver, so that nothing passes through a float. */
type ExactNumber = ColumnType<string, string, string>;

/** Tables of 0015: what usage cost, and what it would have cost. */
export interface CostTables {
  provisioned_capacity: {
    provisioned_capacity_id: string;
    deployment: string;
    valid_from: Date;
    valid_until: Date | null;
    unit_count: number;
    unit_increment: number;
    hourly_usd_per_unit: string;
    reserved_unit_count: number;
    reserved_hourly_usd_per_unit: string | null;
    tokens_per_minute_per_unit: bigint;
    completion_weight: string;
    cached_weight: string;
    idle_policy: 'overhead' | 'spread';
    note: string;
    noticed_until: Date;
    created_by: string;
    created_at: Date;
  };
  daily_costs: {
    day: string;
    kind: 'tokens' | 'provisioned' | 'idle';
    customer_id: string | null;
    model: string;
    feature: string;
    deployment: string;
    token_type: TokenType | null;
    token_count: bigint;
    cost_pico_usd: ExactNumber | null;
    reason: string | null;
    price_reference: string | null;
    price_notes: string[];
    price_book_version: string;
    rated_at: Date;
  };
  cost_days: {
    day: string;
    revision: bigint;
    token_count: Generated<bigint>;
    known_cost_pico_usd: ColumnType<string, string | undefined, string>;
    unknown_token_count: Generated<bigint>;
    price_book_version: string;
    rated_at: Date;
  };
  cost_days_due: { day: string; note: Generated<bigint>; cause: string | null; noted_at: Generated<Date> };
  cost_subjects_due: { subject: string; note: Generated<bigint> };
  simulations: {
    simulation_id: string;
    status: 'running' | 'done' | 'failed';
    request: Json;
    window_start: Date;
    window_end: Date;
    price_book_version: string;
    result: Json | null;
    last_error: string | null;
    created_by: string;
    created_at: Date;
    finished_at: Date | null;
  };
  simulation_customers: {
    simulation_id: string;
    customer_id: string;
    currency: string;
    figures: Json;
    margin_deltas: (string | null)[];
  };
}
