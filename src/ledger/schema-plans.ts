import type { ColumnType, Generated } from 'kysely';

/** What a reseller charges, in versions; see migration 0012. */
export interface PlanTables {
  plan_versions: {
    plan_version_id: Generated<bigint>;
    plan_id: string;
    version_id: string;
    effective_from: Date;
    content: ColumnType<unknown, string, never>;
    recorded_by: string;
    recorded_at: Date;
  };
  global_markups: {
    global_markup_id: Generated<bigint>;
    effective_from: Date;
    markup_percent: string;
    recorded_by: string;
    recorded_at: Date;
  };
}
