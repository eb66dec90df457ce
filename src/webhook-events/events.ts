import { sql } from 'kysely';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

export interface WebhookEvent {
  /** The provider's own id: what tells a repeat from a new event. */
  webhookEventId: string;
  provider: 'stripe' | 'openmeter';
  eventType: string;
  /** The object that it tells of, and what kind of object that is. */
  relatedObjectId: string | null;
  objectType?: string | null;
  /** What is kept of the event, as JSON. */
  payload: unknown;
  /** When it happened, by the provider's clock. */
  occurredAt?: Date | null;
  receivedAt: Date;
  arrivedBy?: 'webhook' | 'event_list';
  /** False: there is nothing to be done about it. */
  needsWork?: boolean;
  /** Whether this version knows the type; unknown ones are counted apart. */
  isKnownType?: boolean;
}

export interface StoredWebhookEvent {
  webhookEventId: string;
  provider: string;
  eventType: string;
  relatedObjectId: string | null;
  objectType: string | null;
  receivedAt: Date;
  attemptCount: number;
}

/**
 * Records events once each and counts them by type, in one statement. An event that needs work is the work: it stays
 * unprocessed until somebody has done it, whatever becomes of the process or the queue in between.
 * @returns the ids of those that were not known before
 */
export async function recordWebhookEvents(
  database: LedgerDatabase,
  events: readonly WebhookEvent[],
): Promise<Set<string>> {
  if (events.length === 0) return new Set();
  const column = <Value>(pick: (event: WebhookEvent) => Value) => events.map(pick);
  const inserted = await sql<{ id: string }>`
    with given as (
      select * from unnest(${column((event) => event.webhookEventId)}::text[], ${column((event) => event.provider)}::text[],
        ${column((event) => event.eventType)}::text[], ${column((event) => event.relatedObjectId)}::text[],
        ${column((event) => event.objectType ?? null)}::text[], ${column((event) => JSON.stringify(event.payload))}::jsonb[],
        ${column((event) => event.occurredAt?.toISOString() ?? null)}::timestamptz[],
        ${column((event) => event.receivedAt.toISOString())}::timestamptz[],
        ${column((event) => event.arrivedBy ?? 'webhook')}::text[],
        ${column((event) => event.needsWork ?? true)}::boolean[], ${column((event) => event.isKnownType ?? true)}::boolean[])
        as given(id, provider, type, object_id, object_type, payload, occurred_at, received_at, arrived_by, needs_work, is_known)),
    inserted as (
      insert into webhook_events (webhook_event_id, provider, event_type, related_object_id, object_type, payload,
        occurred_at, received_at, arrived_by, processed_at)
      select id, provider, type, object_id, object_type, payload, occurred_at, received_at, arrived_by,
        case when not needs_work then received_at end
      from given
      on conflict (webhook_event_id) do nothing
      returning webhook_event_id as id),
    counted as (
      insert into webhook_counts as known (provider, event_type, is_known, received_count, duplicate_count, last_received_at)
      select provider, type, bool_and(is_known), count(inserted.id), count(*) - count(inserted.id), max(received_at)
      from given left join inserted using (id)
      group by provider, type order by provider, type
      on conflict (provider, event_type) do update
        set received_count = known.received_count + excluded.received_count, is_known = excluded.is_known,
          duplicate_count = known.duplicate_count + excluded.duplicate_count,
          last_received_at = greatest(known.last_received_at, excluded.last_received_at))
    select id from inserted`.execute(database);
  return new Set(inserted.rows.map((row) => row.id));
}

/** An event of an account that is not billed here: nothing of it is kept but its count. */
export async function countOtherAccount(
  database: LedgerDatabase,
  event: { eventType: string; isKnownType: boolean; receivedAt: Date },
): Promise<void> {
  const { eventType, isKnownType, receivedAt } = event;
  await sql`
    insert into webhook_counts as known (provider, event_type, is_known, other_account_count, last_received_at)
    values ('stripe', ${eventType}, ${isKnownType}, 1, ${receivedAt})
    on conflict (provider, event_type) do update set other_account_count = known.other_account_count + 1`.execute(
    database,
  );
}

/**
 * Records one event once.
 * @returns false when it had been recorded before
 */
export async function recordWebhookEvent(database: LedgerDatabase, event: WebhookEvent): Promise<boolean> {
  return (await recordWebhookEvents(database, [event])).has(event.webhookEventId);
}

/** Marks events whose work is done. Those already marked keep their first instant. */
export async function markProcessed(
  database: LedgerDatabase,
  webhookEventIds: readonly string[],
  processedAt: Date,
): Promise<void> {
  if (webhookEventIds.length === 0) return;
  await database
    .updateTable('webhook_events')
    .set({ processed_at: processedAt })
    .where('webhook_event_id', '=', sql<string>`any(${[...webhookEventIds]}::text[])`)
    .where('processed_at', 'is', null)
    .execute();
}

/** Marks all events of a provider that were received up to an instant: a step has done whatever they could cause. */
export async function markProviderProcessed(
  database: LedgerDatabase,
  provider: WebhookEvent['provider'],
  receivedUpTo: Date,
): Promise<void> {
  await database
    .updateTable('webhook_events')
    .set({ processed_at: receivedUpTo })
    .where('provider', '=', provider)
    .where('processed_at', 'is', null)
    .where('received_at', '<=', receivedUpTo)
    .execute();
}

/** Notes that the work of events failed, and why; they stay due. */
export async function markFailed(
  database: LedgerDatabase,
  webhookEventIds: readonly string[],
  error: string,
): Promise<void> {
  await sql`
    update webhook_events set attempt_count = attempt_count + 1, last_error = ${error}
    where webhook_event_id = any(${[...webhookEventIds]}::text[]) and processed_at is null`.execute(database);
}

/** Events whose work is due, oldest first, of those received before an instant. */
export async function listUnprocessed(
  database: LedgerDatabase,
  options: { receivedBefore: Date; limit: number; provider?: WebhookEvent['provider'] },
): Promise<StoredWebhookEvent[]> {
  let query = database
    .selectFrom('webhook_events')
    .select([
      'webhook_event_id',
      'provider',
      'event_type',
      'related_object_id',
      'object_type',
      'received_at',
      'attempt_count',
    ])
    .where('processed_at', 'is', null)
    .where('received_at', '<', options.receivedBefore);
  if (options.provider !== undefined) query = query.where('provider', '=', options.provider);
  const rows = await query.orderBy('received_at').orderBy('webhook_event_id').limit(options.limit).execute();
  return rows.map(camelRow);
}

/** When the last webhook of a provider came by itself; null: never. */
export async function readLastArrival(
  database: LedgerDatabase,
  provider: WebhookEvent['provider'],
): Promise<Date | null> {
  const row = await database
    .selectFrom('webhook_events')
    .select(({ fn }) => fn.max('received_at').as('last'))
    .where('provider', '=', provider)
    .where('arrived_by', '=', 'webhook')
    .executeTakeFirst();
  return row?.last ?? null;
}

export interface WebhookCount {
  provider: string;
  eventType: string;
  isKnown: boolean;
  receivedCount: bigint;
  duplicateCount: bigint;
  /** Events of accounts that are not billed here. */
  otherAccountCount: bigint;
}

/** What came, by type. */
export async function readWebhookCounts(database: LedgerDatabase): Promise<WebhookCount[]> {
  const counts = await database
    .selectFrom('webhook_counts')
    .select([
      'provider',
      'event_type',
      'is_known',
      'received_count',
      'duplicate_count',
      'other_account_count',
    ])
    .orderBy('provider')
    .orderBy('event_type')
    .execute();
  return counts.map(camelRow);
}

/** How much of what came is not done yet, and since when. */
export async function readDueWebhooks(
  database: LedgerDatabase,
): Promise<{ dueCount: bigint; oldestDueAt: Date | null }> {
  const due = await database
    .selectFrom('webhook_events')
    .select(({ fn }) => [fn.countAll<bigint>().as('count'), fn.min('received_at').as('oldest')])
    .where('processed_at', 'is', null)
    .executeTakeFirstOrThrow();
  return { dueCount: due.count, oldestDueAt: due.oldest };
}
