import { sql } from 'kysely';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';
import type { RecountCause } from './causes.ts';
import type { Recount } from './decide.ts';

export interface RecountDecision {
  customerId: string;
  /** `YYYY-MM`. */
  month: string;
  cause: RecountCause;
  state: 'approved' | 'rejected';
  reason: string | null;
  /** What the report shows of it. */
  known: readonly Pick<Recount, 'proposal'>[];
}

/**
 * Keeps what a person decided, once, with an audit row; approved again, what has come since is done, too. Approved, the jobs make the usage events that were missing: the
 * next invoice gets the items, or credits are proposed.
 * @throws TallystickError NOT_FOUND when nothing was counted otherwise; CONFLICT when it was decided before, and otherwise,
 *   or when there is nothing to approve
 */
export async function decideRecount(
  database: LedgerDatabase,
  decision: RecountDecision,
  by: { actor: string; now: Date },
): Promise<void> {
  const { customerId, month, cause, state, reason, known } = decision;
  const fix = 'GET /v1/recounts shows what was counted otherwise, and what was decided.';
  if (known.length === 0) {
    throw new TallystickError(`Nothing of ${customerId} in ${month} was counted otherwise as ${cause}.`, {
      code: 'NOT_FOUND',
      retry: false,
      fix,
    });
  }
  if (state === 'approved' && known.every((recount) => recount.proposal === null)) {
    throw new TallystickError('Nobody can say what these figures should have been.', {
      code: 'CONFLICT',
      retry: false,
      fix: 'A rescan counts the rows that were missing, if the source still has them; else settle it with the customer and reject it.',
    });
  }
  await database.transaction().execute(async (transaction) => {
    const kept = await sql<{ state: string }>`
      insert into recounts as known (customer_id, month, cause, state, decided_by, reason, decided_at)
      values (${customerId}, ${`${month}-01`}::date, ${cause}, ${state}, ${by.actor}, ${reason}, ${by.now})
      on conflict (customer_id, month, cause) do update set state = known.state,
        -- More may have come since: a subject that was assigned, a maker that was named.
        done_at = case when excluded.state = known.state then null else known.done_at end
      returning state`.execute(transaction);
    if (kept.rows[0]?.state !== state) {
      throw new TallystickError(`This recount was ${kept.rows[0]?.state} before.`, {
        code: 'CONFLICT',
        retry: false,
        fix,
      });
    }
    await writeAudit(transaction, {
      actor: by.actor,
      action: state === 'approved' ? 'recount.approve' : 'recount.reject',
      target: customerId,
      details: { month, cause, reason },
      now: by.now,
    });
  });
}

/** An approved one whose events are not made yet. */
export interface DueRecount {
  recountId: bigint;
  customerId: string;
  /** `YYYY-MM`. */
  month: string;
  cause: RecountCause;
}

export async function readDueRecounts(database: LedgerDatabase): Promise<DueRecount[]> {
  const rows = await sql<DueRecount>`
    select recount_id as "recountId", customer_id as "customerId", to_char(month, 'YYYY-MM') as month, cause
    from recounts where state = 'approved' and done_at is null order by recount_id`.execute(database);
  return rows.rows;
}

export async function markRecountDone(database: LedgerDatabase, recountId: bigint, now: Date): Promise<void> {
  await sql`update recounts set done_at = ${now} where recount_id = ${String(recountId)}::bigint and done_at is null`.execute(
    database,
  );
}
