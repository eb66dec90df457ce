import { sql } from 'kysely';
import { addMs, DAY_MS } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import { type EnforcedStep, getEnforcedStep } from './steps.ts';

/** For longer, change the budget. */
const MOST_LIFTED_DAYS = 31;

interface Act {
  stepId: bigint;
  actor: string;
  now: Date;
  /** Throws where the step, locked by then, is another than the act was about. */
  requireSame?: ((before: EnforcedStep) => void) | undefined;
}

/**
 * Lets a step be until an instant, after which it holds again by itself; it ends with its window in any case. Said again it
 * changes nothing, and another instant takes the place of the one before.
 * @throws ValidationError for an instant that is over, or too far away; TallystickError NOT_FOUND, CONFLICT (it no longer stands)
 */
export async function liftStep(
  database: LedgerDatabase,
  { until, reason, ...act }: Act & { until: Date; reason: string | null },
): Promise<EnforcedStep> {
  if (until <= act.now)
    throw new ValidationError('until', 'is over', 'Name an instant that is still to come.');
  if (until > addMs(act.now, MOST_LIFTED_DAYS * DAY_MS)) {
    throw new ValidationError(
      'until',
      `is more than ${MOST_LIFTED_DAYS} days away`,
      'Change the budget instead.',
    );
  }
  return await change(database, act, until, { action: 'enforcement.lift', reason });
}

/** Lets a lifted step hold again at once. @throws TallystickError NOT_FOUND, CONFLICT */
export async function restoreStep(
  database: LedgerDatabase,
  { reason, ...act }: Act & { reason: string | null },
): Promise<EnforcedStep> {
  return await change(database, act, null, { action: 'enforcement.restore', reason });
}

async function change(
  database: LedgerDatabase,
  { stepId, actor, now, requireSame }: Act,
  until: Date | null,
  { action, reason }: { action: string; reason: string | null },
): Promise<EnforcedStep> {
  return await database.transaction().execute(async (transaction) => {
    await sql`select from budget_step_events where budget_step_event_id = ${String(stepId)}::bigint for update`.execute(
      transaction,
    );
    const before = await getEnforcedStep(transaction, stepId, now);
    requireSame?.(before);
    if (before.isOver) {
      throw new TallystickError(`Step ${stepId} of budget ${before.budgetId} no longer holds.`, {
        code: 'CONFLICT',
        retry: false,
        fix: 'There is nothing to lift.',
      });
    }
    if (before.liftedUntil?.getTime() === until?.getTime()) return before;
    await sql`
      update budget_step_events set lifted_until = ${until}, lifted_by = ${until === null ? null : actor}
      where budget_step_event_id = ${String(stepId)}::bigint`.execute(transaction);
    const { budgetId, customerId, subject, feature, action: lifted } = before;
    await writeAudit(transaction, {
      actor,
      action,
      target: budgetId,
      details: {
        step: String(stepId),
        action: lifted,
        customer_id: customerId,
        subject,
        feature,
        until: until?.toISOString() ?? null,
        before: before.liftedUntil?.toISOString() ?? null,
        reason: reason?.trim() || null,
      },
      now,
    });
    return await getEnforcedStep(transaction, stepId, now);
  });
}
