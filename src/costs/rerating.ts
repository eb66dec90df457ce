import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { noteDaysToRerate } from './notes.ts';

/**
 * Takes up what changes of the price book ask for: the days they concern are noted, once for each change, in the
 * transaction that says so.
 */
export async function noteReratingRequests(database: LedgerDatabase, now: Date): Promise<void> {
  const waiting = await sql<{ id: bigint; change_id: bigint; day_start: string; day_end: string }>`
    select rerating_request_id as id, change_id, day_start, day_end from rerating_requests
    where done_at is null and noted_at is null order by rerating_request_id`.execute(database);
  for (const request of waiting.rows) {
    await database.transaction().execute(async (transaction) => {
      const noted = await noteDaysToRerate(
        transaction,
        { fromDay: request.day_start, untilDay: request.day_end },
        `price_change:${request.change_id}`,
      );
      await sql`update rerating_requests set noted_at = ${now},
                  audit = ${`${noted} rated days; see costs.rerate in the audit log`}
                where rerating_request_id = ${request.id}`.execute(transaction);
    });
  }
}

/** Says which changes are through: no day that they concern waits any more. @returns how many */
export async function finishReratingRequests(database: LedgerDatabase, now: Date): Promise<number> {
  const done = await sql`
    update rerating_requests r set done_at = ${now}
    where done_at is null and noted_at is not null and not exists (
      select 1 from cost_days_due due
      where due.day >= r.day_start and due.day < r.day_end and due.cause is not null)`.execute(database);
  return Number(done.numAffectedRows ?? 0n);
}
