import type { LedgerDatabase } from './database.ts';

export interface WebhookEvent {
  /** The provider's own id: what tells a repeat from a new event. */
  webhookEventId: string;
  provider: 'stripe';
  eventType: string;
  relatedObjectId: string | null;
  /** What is kept of the event, as JSON. */
  payload: unknown;
  receivedAt: Date;
}

export type StoredWebhookEvent = Omit<WebhookEvent, 'payload' | 'provider'> & { provider: string };

/**
 * Records an event once.
 * @returns false when it had been recorded before
 */
export async function recordWebhookEvent(database: LedgerDatabase, event: WebhookEvent): Promise<boolean> {
  const inserted = await database
    .insertInto('webhook_events')
    .values({
      webhook_event_id: event.webhookEventId,
      provider: event.provider,
      event_type: event.eventType,
      related_object_id: event.relatedObjectId,
      payload: JSON.stringify(event.payload),
      received_at: event.receivedAt,
      processed_at: null,
    })
    .onConflict((conflict) => conflict.column('webhook_event_id').doNothing())
    .returning('webhook_event_id')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** Marks events whose work was handed on, or that need none. Those already marked keep their first instant. */
export async function markProcessed(
  database: LedgerDatabase,
  webhookEventIds: readonly string[],
  processedAt: Date,
): Promise<void> {
  if (webhookEventIds.length === 0) return;
  await database
    .updateTable('webhook_events')
    .set({ processed_at: processedAt })
    .where('webhook_event_id', 'in', [...webhookEventIds])
    .where('processed_at', 'is', null)
    .execute();
}

/**
 * Events whose work was never handed on: the queue was away, or the process ended in between.
 * Oldest first. `receivedBefore` leaves those alone that a request may be at work on.
 */
export async function listUnprocessed(
  database: LedgerDatabase,
  options: { receivedBefore: Date; limit: number },
): Promise<StoredWebhookEvent[]> {
  const rows = await database
    .selectFrom('webhook_events')
    .select(['webhook_event_id', 'provider', 'event_type', 'related_object_id', 'received_at'])
    .where('processed_at', 'is', null)
    .where('received_at', '<', options.receivedBefore)
    .orderBy('received_at')
    .orderBy('webhook_event_id')
    .limit(options.limit)
    .execute();
  return rows.map((row) => ({
    webhookEventId: row.webhook_event_id,
    provider: row.provider,
    eventType: row.event_type,
    relatedObjectId: row.related_object_id,
    receivedAt: row.received_at,
  }));
}
