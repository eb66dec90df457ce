import { sql } from 'kysely';
import { addMs, DAY_MS } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import { type Finding, getFinding } from './findings.ts';

/** Later than this nobody remembers what was snoozed. */
const MOST_SNOOZED_DAYS = 90;

interface Act {
  findingId: bigint;
  actor: string;
  now: Date;
  /** Throws where the finding, locked by then, is another than the act was about. */
  requireSame?: (before: Finding) => void;
}

/**
 * A person says of a finding that it is real, or that it is none and why, with an audit row in the same transaction. Said again
 * it changes nothing; another word takes the place of the one before.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND
 */
export async function decideOnFinding(
  database: LedgerDatabase,
  { decision, reason, ...act }: Act & { decision: 'acknowledged' | 'dismissed'; reason: string | null },
): Promise<Finding> {
  const said = reason?.trim() || null;
  if (decision === 'dismissed' && said === null) {
    throw new ValidationError('reason', 'is missing', 'Say why it is no anomaly.');
  }
  return await change(database, act, async (transaction, before) => {
    if (before.decision === decision && before.decisionReason === said) return null;
    await sql`
      update anomaly_findings set decision = ${decision}, decision_reason = ${said}, decided_by = ${act.actor},
        decided_at = ${act.now}, snoozed_until = null, changed_at = ${act.now}
      where anomaly_finding_id = ${String(act.findingId)}::bigint`.execute(transaction);
    const action = decision === 'acknowledged' ? 'anomalies.acknowledge' : 'anomalies.dismiss';
    return { action, details: { reason: said, before: before.decision } };
  });
}

/**
 * A person wants to hear of a finding again later.
 * @throws ValidationError for an instant that is over, or too far away; TallystickError NOT_FOUND, CONFLICT
 */
export async function snoozeFinding(
  database: LedgerDatabase,
  { until, ...act }: Act & { until: Date },
): Promise<Finding> {
  if (until <= act.now)
    throw new ValidationError('until', 'is over', 'Name an instant that is still to come.');
  if (until > addMs(act.now, MOST_SNOOZED_DAYS * DAY_MS)) {
    throw new ValidationError(
      'until',
      `is more than ${MOST_SNOOZED_DAYS} days away`,
      'Dismiss it with a reason.',
    );
  }
  return await change(database, act, async (transaction, before) => {
    if (before.decision !== null || before.state === 'withdrawn') {
      throw new TallystickError(`Anomaly ${act.findingId} is ${before.decision ?? before.state} already.`, {
        code: 'CONFLICT',
        retry: false,
        fix: 'Snooze what still needs somebody.',
      });
    }
    if (before.snoozedUntil?.getTime() === until.getTime()) return null;
    await sql`update anomaly_findings set snoozed_until = ${until}, changed_at = ${act.now}
              where anomaly_finding_id = ${String(act.findingId)}::bigint`.execute(transaction);
    return { action: 'anomalies.snooze', details: { until: until.toISOString() } };
  });
}

type Change = (
  transaction: Parameters<typeof writeAudit>[0],
  before: Finding,
) => Promise<{ action: string; details: Record<string, unknown> } | null>;

async function change(
  database: LedgerDatabase,
  { findingId, actor, now, requireSame }: Act,
  apply: Change,
): Promise<Finding> {
  return await database.transaction().execute(async (transaction) => {
    await sql`select from anomaly_findings where anomaly_finding_id = ${String(findingId)}::bigint for update`.execute(
      transaction,
    );
    const before = await getFinding(transaction, findingId, now);
    requireSame?.(before);
    const done = await apply(transaction, before);
    if (done === null) return before;
    await writeAudit(transaction, {
      actor,
      action: done.action,
      target: `anomaly-${findingId}`,
      details: { customer_id: before.customerId, ...done.details },
      now,
    });
    return await getFinding(transaction, findingId, now);
  });
}
