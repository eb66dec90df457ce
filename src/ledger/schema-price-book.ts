import type { Generated } from 'kysely';

/** What Azure charges, in versions; see migration 0011. */
export interface PriceBookTables {
  price_book_changes: {
    change_id: bigint;
    kind: PriceChangeKind;
    made_at: Date;
    made_by: string;
    reason: string;
    version: string;
    state_id: Generated<string>;
  };
  price_book_sources: { source: string; change_id: bigint; title: string; as_of: string; note: string };
  price_book_models: { model: string; change_id: bigint; aliases: string[] };
  price_book_rows: {
    price_row_id: Generated<bigint>;
    change_id: bigint;
    superseded_by_change: bigint | null;
    model: string;
    deployment_type: string;
    region: string;
    token_type: string;
    currency: string;
    amount: string;
    unit: string;
    effective_from: Date | null;
    source: string;
    source_key: string;
    listed_at: string;
    note: string;
    confirmed: boolean;
    allow_absurd: string;
    allow_gap: string;
  };
  price_book_deployments: {
    deployment_rule_id: Generated<bigint>;
    change_id: bigint;
    superseded_by_change: bigint | null;
    deployment: string;
    model: string | null;
    deployment_type: string | null;
    region: string | null;
    effective_from: Date | null;
    retired: boolean;
    note: string;
  };
  rerating_requests: {
    rerating_request_id: Generated<bigint>;
    change_id: bigint;
    day_start: string;
    day_end: string;
    models: string[];
    done_at: Date | null;
    audit: string | null;
  };
}

/** What made a version of the book. */
export type PriceChangeKind = 'seed' | 'add' | 'correction' | 'import' | 'sync' | 'deployment';
