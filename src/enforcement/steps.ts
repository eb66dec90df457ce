import { type RawBuilder, sql } from 'kysely';
import { ENFORCED_ACTIONS, type EnforcedAction } from '../../pricing/enforcement/ruling.ts';
import { STANDS_UNTIL } from '../budgets/step-events.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';

/** A step that asks something of the gateway, as people see it. */
export interface EnforcedStep {
  stepId: bigint;
  budgetId: string;
  budgetName: string;
  /** Null: every customer, every user, every feature. */
  customerId: string | null;
  subject: string | null;
  feature: string | null;
  action: EnforcedAction;
  sharePermille: number;
  reachedAt: Date;
  endsAt: Date;
  /** No longer standing: withdrawn, over, or its budget ended. */
  isOver: boolean;
  liftedUntil: Date | null;
  liftedBy: string | null;
}

/** Steps that stand, lifted ones too, the newest first. */
export async function listEnforcedSteps(
  database: LedgerDatabase | LedgerTransaction,
  { budgetId }: { budgetId?: string | undefined },
  page: { beforeId: bigint | null; limit: number; now: Date },
): Promise<EnforcedStep[]> {
  return await select(
    database,
    page.now,
    sql`event.withdrawn_at is null and ${STANDS_UNTIL} > ${page.now} and budget.ended_at is null
      and ${budgetId === undefined ? sql`true` : sql`event.budget_id = ${budgetId}`}
      and ${page.beforeId === null ? sql`true` : sql`event.budget_step_event_id < ${String(page.beforeId)}::bigint`}`,
    page.limit,
  );
}

/** @throws TallystickError NOT_FOUND */
export async function getEnforcedStep(
  database: LedgerDatabase | LedgerTransaction,
  stepId: bigint,
  now: Date,
): Promise<EnforcedStep> {
  const [step] = await select(database, now, sql`event.budget_step_event_id = ${String(stepId)}::bigint`, 1);
  if (step !== undefined) return step;
  throw new TallystickError(`There is no step ${stepId} that the gateway acts on.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/enforcement/steps, or "tallystick enforcement steps", lists them.',
  });
}

async function select(
  database: LedgerDatabase | LedgerTransaction,
  now: Date,
  where: RawBuilder<unknown>,
  limit: number,
): Promise<EnforcedStep[]> {
  const { rows } = await sql<EnforcedStep>`
    select event.budget_step_event_id as "stepId", event.budget_id as "budgetId", budget.name as "budgetName",
      coalesce(nullif(event.customer_id, ''), budget.customer_id) as "customerId",
      coalesce(nullif(event.subject, ''), budget.subject) as subject, budget.feature,
      event.step ->> 'action' as action, (event.step ->> 'sharePermille')::integer as "sharePermille",
      event.reached_at as "reachedAt", ${STANDS_UNTIL} as "endsAt",
      event.withdrawn_at is not null or ${STANDS_UNTIL} <= ${now} or budget.ended_at is not null as "isOver",
      event.lifted_until as "liftedUntil", event.lifted_by as "liftedBy"
    from budget_step_events as event join budgets as budget using (budget_id)
    where event.step ->> 'action' = any(${[...ENFORCED_ACTIONS]}::text[]) and ${where}
    order by event.budget_step_event_id desc limit ${limit}`.execute(database);
  return rows;
}
