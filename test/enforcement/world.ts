import { sql } from 'kysely';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';

/** A budget whose step is reached, by its holder. */
export interface StepSeed {
  budgetId: string;
  name?: string;
  /** Of the budget; absent: of everybody, and the holder is `subject` of `holder`. */
  customerId?: string;
  feature?: string;
  holder?: { customerId: string; subject: string };
  step: {
    action: string;
    sharePermille?: number;
    tokensPerMinute?: number;
    deployment?: string;
    contact?: string;
  };
  windowEnd?: string;
}

/** @returns the ids of the steps */
export async function insertOpenSteps(
  database: LedgerDatabase,
  seeds: readonly StepSeed[],
): Promise<string[]> {
  const rows = seeds.map(({ step, ...seed }) => ({
    budget_id: seed.budgetId,
    name: seed.name ?? seed.budgetId,
    scope: seed.customerId !== undefined ? 'customer' : seed.feature !== undefined ? 'feature' : 'all',
    customer_id: seed.customerId ?? null,
    feature: seed.feature ?? null,
    holder: seed.holder?.customerId ?? '',
    subject: seed.holder?.subject ?? '',
    window_end: seed.windowEnd ?? '2026-12-01T00:00:00Z',
    step: { sharePermille: 1_000, on: 'actual', ...step },
  }));
  const typed = sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row(budget_id text, name text, scope text,
    customer_id text, feature text, holder text, subject text, window_end timestamptz, step jsonb)`;
  await sql`
    insert into budgets (budget_id, name, scope, customer_id, feature, per_user, period, measure, limit_count, steps, created_at,
      created_by, changed_at, judge_at)
    select distinct on (budget_id) budget_id, name, scope, customer_id, feature, subject <> '', 'month', 'tokens', 1000,
      jsonb_build_array(step), '2026-11-01T00:00:00Z'::timestamptz, 'test', '2026-11-01T00:00:00Z'::timestamptz,
      '2026-11-01T00:00:00Z'::timestamptz from ${typed} on conflict do nothing`.execute(database);
  const inserted = await sql<{ id: string }>`
    insert into budget_step_events (budget_id, customer_id, subject, window_start, window_end, step_key, step, reached_at, used,
      effective_limit)
    select budget_id, holder, subject, '2026-11-01T00:00:00Z'::timestamptz, window_end,
      concat_ws('-', 'actual', step ->> 'sharePermille', step ->> 'action'), step, '2026-11-20T09:00:00Z'::timestamptz, 1000, 1000
    from ${typed} returning budget_step_event_id::text as id`.execute(database);
  return inserted.rows.map(({ id }) => id);
}
