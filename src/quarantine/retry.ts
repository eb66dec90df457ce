import { sql } from 'kysely';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { reopenHours } from '../usage/hours/settlements.ts';
import { audit, getWaitingEntry, resolvedMeanwhile } from './desk.ts';
import type { QuarantineEntry } from './entries.ts';

/**
 * Takes up everything that an outside system refused, with one audit row in the same transaction.
 * @returns how many events and pushes
 */
export async function retryAllRefused(
  database: LedgerDatabase,
  by: { actor: string; now: Date },
): Promise<number> {
  return await database.transaction().execute(async (transaction) => {
    const eventCount = await retryRefusedEvents(transaction);
    const pushCount = await retryRefusedPushes(transaction);
    if (eventCount + pushCount > 0) {
      await writeAudit(transaction, {
        actor: by.actor,
        action: 'quarantine.retry_all',
        target: 'refused',
        details: { event_count: eventCount, push_count: pushCount },
        now: by.now,
      });
    }
    return eventCount + pushCount;
  });
}

/**
 * Puts refused events back into the outbox, bytes and id unchanged, and opens their hours again.
 * `only` names one of them; without it those that were refused, not those whose row is corrupt.
 * @returns how many
 */
async function retryRefusedEvents(database: LedgerTransaction, only?: string): Promise<number> {
  const released = await sql<{ window_start: Date }>`
    update usage_events set status = 'pending', quarantine_reason = null, claimed_until = null
    where status = 'quarantined' and written_off_at is null
      and ${only === undefined ? sql`quarantine_reason <> 'corrupt'` : sql`usage_event_id = ${only}`}
    returning window_start`.execute(database);
  await reopenHours(
    database,
    released.rows.map((row) => row.window_start),
  );
  return released.rows.length;
}

/** Judges one row of settled usage anew at the next push. */
async function retryUsage(database: LedgerTransaction, hourlyUsageId: string): Promise<boolean> {
  const released = await sql`
    update hourly_usage set quarantine_reason = null, quarantine_detail = null, customer_id = null
    where hourly_usage_id = ${hourlyUsageId}::bigint and quarantine_reason is not null and written_off_at is null
      and meter_push_id is null and late_item_id is null and credit_proposal_id is null`.execute(database);
  return (released.numAffectedRows ?? 0n) === 1n;
}

/**
 * Takes refused pushes up again. What Stripe said no to is withdrawn, and its usage judged and planned anew under
 * another identifier: the customer, the meter or the period may be others by now. Where nothing says whether Stripe
 * counted it, the push itself is asked about again, unless its meter keeps the newest value of an hour, which a
 * new plan overwrites.
 * @returns how many
 */
async function retryRefusedPushes(database: LedgerTransaction, only?: string): Promise<number> {
  const chosen = sql`p.status = 'refused' and p.written_off_at is null
    and ${only === undefined ? sql`true` : sql`p.meter_push_id = ${only}::bigint`}`;
  const isHourWindow = sql`exists (select 1 from stripe_meters m
    where m.stripe_meter_id = p.stripe_meter_id and m.event_time_window = 'hour')`;
  const result = await sql<{ count: number }>`
    with asked as (
      update meter_pushes p set status = 'pending'
      where ${chosen} and p.is_unproven and not ${isHourWindow} returning p.meter_push_id),
    withdrawn as (
      update meter_pushes p set status = 'withdrawn'
      where ${chosen} and (not p.is_unproven or ${isHourWindow}) returning p.meter_push_id),
    freed as (
      update hourly_usage h set meter_push_id = null, customer_id = null from withdrawn
      where h.meter_push_id = withdrawn.meter_push_id returning h.hourly_usage_id)
    select ((select count(*) from asked) + (select count(*) from withdrawn) + 0 * (select count(*) from freed))::int as count`.execute(
    database,
  );
  return result.rows[0]?.count ?? 0;
}

/**
 * Takes one waiting entry up again, with an audit row in the same transaction: an event is sent again, settled usage
 * is judged anew by the next push, a refused push is withdrawn and planned anew, a source item is judged again by the
 * next synchronization. What is still wrong comes back with its reason.
 * @throws ValidationError, TallystickError NOT_FOUND, CONFLICT
 */
export async function retryEntry(
  database: LedgerDatabase,
  given: { quarantineId: string; actor: string; now: Date },
): Promise<QuarantineEntry> {
  const entry = await getWaitingEntry(database, given.quarantineId);
  const { stage, row } = entry.key;
  await database.transaction().execute(async (transaction) => {
    const isTaken =
      (stage === 'source_item' && (await requestJudgement(transaction, row, given.now))) ||
      (stage === 'usage_event' && (await retryRefusedEvents(transaction, row)) === 1) ||
      (stage === 'hourly_usage' && (await retryUsage(transaction, row))) ||
      (stage === 'meter_push' && (await retryRefusedPushes(transaction, row)) === 1);
    if (!isTaken) throw resolvedMeanwhile(given.quarantineId);
    await audit(transaction, 'quarantine.retry', entry, given);
  });
  return entry;
}

async function requestJudgement(transaction: LedgerTransaction, number: string, now: Date): Promise<boolean> {
  const requested = await sql`
    update source_items set retry_requested_at = ${now}
    where quarantine_number = ${number}::bigint and quarantine_reason is not null and written_off_at is null`.execute(
    transaction,
  );
  return requested.numAffectedRows === 1n;
}
