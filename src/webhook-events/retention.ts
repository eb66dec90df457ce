import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/**
 * Drops recorded events that were received before an instant and whose work is done, the oldest first. They are kept for
 * as long as their sender may bring them again, so that a repeat is known as one; what was counted of them stays.
 * @returns how many, at most `limit`
 */
export async function dropOldWebhookEvents(
  database: LedgerDatabase,
  { receivedBefore, limit }: { receivedBefore: Date; limit: number },
): Promise<number> {
  const dropped = await sql`
    delete from webhook_events where webhook_event_id in (
      select webhook_event_id from webhook_events
      where processed_at is not null and received_at < ${receivedBefore} order by received_at limit ${limit})`.execute(
    database,
  );
  return Number(dropped.numAffectedRows ?? 0n);
}
