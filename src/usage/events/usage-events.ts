import { sql } from 'kysely';
import { FIGURE_NAMES, type UsageFigures, type UsageKey } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { UsageEventKind } from '../../platform/database/schema/schema.ts';
import {
  assignments,
  instantField,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import { figureFields, keyFields, selectFigures, selectKey } from '../columns.ts';
import { reopenHours } from '../hours/settlements.ts';

/** A usage event as the outbox keeps it; token counts as at the source (prompt includes cached). */
export interface UsageEvent extends UsageKey, UsageFigures {
  usageEventId: string;
  windowStart: Date;
  eventTime: Date;
  /** Final JSON text of the CloudEvent. */
  body: string;
}

/** What an event's row says, beside its id: what was sent, and what must be stored to send it. */
const FACT_FIELDS: RowFields<UsageEvent> = {
  window_start: instantField((event) => event.windowStart),
  event_time: instantField((event) => event.eventTime),
  ...keyFields<UsageEvent>((event) => event),
  ...figureFields(FIGURE_NAMES),
  body: textField((event) => event.body),
};
export const EVENT_FIELDS: RowFields<UsageEvent> = {
  usage_event_id: textField((event) => event.usageEventId),
  ...FACT_FIELDS,
};

/** Puts events into the outbox and opens their hours again. */
export async function insertUsageEvents(
  transaction: LedgerTransaction,
  events: readonly UsageEvent[],
  now: Date,
): Promise<void> {
  if (events.length === 0) return;
  await sql`
    insert into usage_events (${namesOf(EVENT_FIELDS)}, created_at)
    select ${namesOf(EVENT_FIELDS)}, ${now}::timestamptz from ${unnestRows('event', events, EVENT_FIELDS)}`.execute(
    transaction,
  );
  await reopenHours(
    transaction,
    events.map((event) => event.windowStart),
  );
}

/** Which of these events, by id and minute, the ledger holds already: their ids. */
export async function findKnownEvents(
  database: LedgerDatabase,
  events: readonly Pick<UsageEvent, 'usageEventId' | 'eventTime'>[],
): Promise<Set<string>> {
  const rows = await sql<{ id: string }>`
    select e.usage_event_id as id
    from unnest(${events.map((event) => event.usageEventId)}::text[],
      ${events.map((event) => event.eventTime.toISOString())}::timestamptz[]) as wanted(usage_event_id, event_time)
    join usage_events e on e.usage_event_id = wanted.usage_event_id and e.event_time = wanted.event_time`.execute(
    database,
  );
  return new Set(rows.rows.map((row) => row.id));
}

/** An event to be sent, with what its row says of it, to be held against its bytes. */
export type ClaimedEvent = Omit<UsageEvent, 'windowStart'> & { kind: UsageEventKind };

/** Takes up to `limit` unsent events for a while; other senders skip them. Oldest first unless told otherwise. */
export async function claimPendingEvents(
  database: LedgerDatabase,
  claim: { limit: number; seconds: number; newestFirst?: boolean },
): Promise<ClaimedEvent[]> {
  const direction = claim.newestFirst === true ? sql`desc` : sql`asc`;
  const claimed = await sql<ClaimedEvent>`
    with chosen as (
      select usage_event_id from usage_events
      where status = 'pending' and (claimed_until is null or claimed_until < now())
      order by created_at ${direction}, usage_event_id ${direction} limit ${claim.limit} for update skip locked)
    update usage_events as event
    set claimed_until = now() + make_interval(secs => ${claim.seconds}), attempt_count = attempt_count + 1
    from chosen where event.usage_event_id = chosen.usage_event_id
    returning event.usage_event_id as "usageEventId", event.body, event.kind, event.event_time as "eventTime",
      ${selectKey('event')}, ${selectFigures('event')}`.execute(database);
  return claimed.rows;
}

/** OpenMeter said 204 for these: queued there, to be confirmed by reading back. */
export async function markEventsSent(
  database: LedgerDatabase,
  usageEventIds: readonly string[],
  now: Date,
): Promise<void> {
  await sql`update usage_events set status = 'sent', sent_at = ${now}, claimed_until = null
            where usage_event_id = any(${usageEventIds}::text[]) and status = 'pending'`.execute(database);
}

/** The send failed for now: free for the next attempt. */
export async function releaseEvents(
  database: LedgerDatabase,
  usageEventIds: readonly string[],
): Promise<void> {
  await sql`update usage_events set claimed_until = null
            where usage_event_id = any(${usageEventIds}::text[]) and status = 'pending'`.execute(database);
}

/** An event that can never be sent as it is; its tokens wait here with the reason. */
export async function quarantineEvent(
  database: LedgerDatabase,
  usageEventId: string,
  reason: string,
): Promise<void> {
  await sql`update usage_events set status = 'quarantined', quarantine_reason = ${reason}, claimed_until = null
            where usage_event_id = ${usageEventId} and status = 'pending'`.execute(database);
}

/**
 * Stores a damaged event as it must have been, still to be sent, and opens its hour again.
 * @returns false when it is no longer pending
 */
export async function replaceEvent(database: LedgerDatabase, event: UsageEvent): Promise<boolean> {
  return await database.transaction().execute(async (transaction) => {
    const replaced = await sql`
      update usage_events set ${assignments(Object.keys(FACT_FIELDS), 'event')}
      from ${unnestRows('event', [event], EVENT_FIELDS)}
      where usage_events.usage_event_id = event.usage_event_id and status = 'pending'`.execute(transaction);
    if (replaced.numAffectedRows !== 1n) return false;
    await reopenHours(transaction, [event.windowStart]);
    return true;
  });
}
