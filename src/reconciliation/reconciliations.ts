import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { LedgerRow } from '../platform/database/schema/schema.ts';
import { TallystickError } from '../platform/errors.ts';

/** A reconciliation that somebody asked for. */
export interface Reconciliation {
  reconciliationId: string;
  window: TimeWindow;
  customerId: string | null;
  requestedBy: string;
  status: 'queued' | 'running' | 'done' | 'failed';
  /** Counts, once it is done. */
  result: unknown;
  lastError: string | null;
  createdAt: Date;
  finishedAt: Date | null;
}

/**
 * Asks for a window to be reconciled; the next run of the step does it.
 * @throws TallystickError NOT_FOUND when there is no such customer
 */
export async function requestReconciliation(
  database: LedgerDatabase,
  request: { window: TimeWindow; customerId: string | null; requestedBy: string; now: Date },
): Promise<Reconciliation> {
  const reconciliationId = `rec_${randomUUID().replaceAll('-', '')}`;
  return await database.transaction().execute(async (transaction) => {
    if (request.customerId !== null) {
      const customer = await transaction
        .selectFrom('customers')
        .select('customer_id')
        .where('customer_id', '=', request.customerId)
        .executeTakeFirst();
      if (customer === undefined) {
        throw new TallystickError(`There is no customer "${request.customerId}".`, {
          code: 'NOT_FOUND',
          retry: false,
        });
      }
    }
    const row = await transaction
      .insertInto('reconciliations')
      .values({
        reconciliation_id: reconciliationId,
        window_start: request.window.start,
        window_end: request.window.end,
        customer_id: request.customerId,
        requested_by: request.requestedBy,
        result: null,
        last_error: null,
        created_at: request.now,
        started_at: null,
        finished_at: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await writeAudit(transaction, {
      actor: request.requestedBy,
      action: 'reconciliation.request',
      target: reconciliationId,
      details: { from: request.window.start, to: request.window.end, customerId: request.customerId },
      now: request.now,
    });
    return toReconciliation(row);
  });
}

/** @throws TallystickError NOT_FOUND */
export async function getReconciliation(
  database: LedgerDatabase,
  reconciliationId: string,
): Promise<Reconciliation> {
  const row = await database
    .selectFrom('reconciliations')
    .selectAll()
    .where('reconciliation_id', '=', reconciliationId)
    .executeTakeFirst();
  if (row !== undefined) return toReconciliation(row);
  throw new TallystickError(`There is no reconciliation "${reconciliationId}".`, {
    code: 'NOT_FOUND',
    retry: false,
  });
}

/**
 * The next request to be done, oldest first. One that is marked as running was left by a runner that ended:
 * the step's lease lets only one run.
 */
export async function takeReconciliation(
  database: LedgerDatabase,
  now: Date,
): Promise<Reconciliation | null> {
  const taken = await sql<{ reconciliation_id: string }>`
    update reconciliations set status = 'running', started_at = ${now}
    where reconciliation_id = (select reconciliation_id from reconciliations
      where status in ('queued', 'running') order by created_at, reconciliation_id limit 1 for update skip locked)
    returning reconciliation_id`.execute(database);
  const id = taken.rows[0]?.reconciliation_id;
  return id === undefined ? null : await getReconciliation(database, id);
}

export async function finishReconciliation(
  database: LedgerDatabase,
  reconciliationId: string,
  end: { result: object } | { error: string },
  now: Date,
): Promise<void> {
  const failed = 'error' in end;
  await database
    .updateTable('reconciliations')
    .set({
      status: failed ? 'failed' : 'done',
      result: failed ? null : JSON.stringify(end.result),
      last_error: failed ? end.error : null,
      finished_at: now,
    })
    .where('reconciliation_id', '=', reconciliationId)
    .where('status', '=', 'running')
    .execute();
}

function toReconciliation(row: LedgerRow<'reconciliations'>): Reconciliation {
  const { windowStart, windowEnd, ...others } = camelRow(row);
  return { ...others, window: { start: windowStart, end: windowEnd } };
}
