import { sql } from 'kysely';
import type { RouteTerms } from '../../src/alerts/route-store.ts';
import { RouteBody, readTerms } from '../../src/alerts/schemas.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';

/** An operator's mail route, as the form offers it, with what a test changes. */
export function routeTerms(changes: Partial<RouteTerms> = {}): RouteTerms {
  const body = RouteBody.parse({
    name: 'operations',
    channel: 'email',
    emailAddresses: ['operations@example.com'],
  });
  return { ...readTerms(body), ...changes };
}

export interface StepEventSeed {
  budget: string;
  customerId: string | null;
  measure?: 'cost' | 'revenue' | 'tokens';
  sharePermille: number;
  reachedAt: Date;
  action?: 'tell' | 'stop';
}

/** A budget of this name, unless there is one, and a step of it that was reached. @returns the id of what was reached */
export async function insertStepEvent(database: LedgerDatabase, seed: StepEventSeed): Promise<string> {
  const { budget, customerId, measure = 'tokens', sharePermille, reachedAt, action = 'tell' } = seed;
  const isMoney = measure !== 'tokens';
  await sql`
    insert into budgets (budget_id, name, scope, customer_id, per_user, period, measure, currency, limit_amount_pico, limit_count,
      steps, created_at, created_by, changed_at, judge_at)
    values (${`bud_${budget}`}, ${budget}, ${customerId === null ? 'all' : 'customer'}, ${customerId}, false, 'month', ${measure},
      ${isMoney ? 'usd' : null}, ${isMoney ? '100000000000000' : null}, ${isMoney ? null : '1000000'}, '[]', ${reachedAt}, 'test',
      ${reachedAt}, ${reachedAt}) on conflict do nothing`.execute(database);
  const step = { sharePermille, on: 'actual', action };
  const { rows } = await sql<{ id: string }>`
    insert into budget_step_events (budget_id, customer_id, subject, window_start, window_end, step_key, step, reached_at, used,
      effective_limit)
    values (${`bud_${budget}`}, '', '', '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z', ${`actual-${sharePermille}-${action}`},
      ${JSON.stringify(step)}::jsonb, ${reachedAt}, ${isMoney ? '80000000000000' : '800000'}, ${isMoney ? '100000000000000' : '1000000'})
    returning budget_step_event_id::text as id`.execute(database);
  return rows[0]?.id ?? '';
}

/** Forgets all alerts, and what they are about. */
export async function clearAlerts(database: LedgerDatabase): Promise<void> {
  await sql`truncate alert_attempts, alert_deliveries, alerts, alert_routes, budget_step_events, budgets, anomaly_findings, drifts,
    price_sync_items restart identity cascade`.execute(database);
  await sql`delete from close_steps`.execute(database);
  await sql`delete from closes`.execute(database);
}
