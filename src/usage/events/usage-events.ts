import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { UsageEventKind } from '../../platform/database/schema/schema.ts';
import { reopenHours } from '../hours/settlements.ts';

/** A usage event as the outbox keeps it; token counts as at the source (prompt includes cached). */
export interface UsageEvent {
  usageEventId: string;
  windowStart: Date;
  eventTime: Date;
  subject: string;
  feature: string;
  model: string;
  deployment: string;
  promptTokenCount: bigint;
  cachedPromptTokenCount: bigint;
  completionTokenCount: bigint;
  reasoningTokenCount: bigint;
  totalTokenCount: bigint;
  requestCount: bigint;
  /** Final JSON text of the CloudEvent. */
  body: string;
}

/** Puts events into the outbox and opens their hours again. */
export async function insertUsageEvents(
  transaction: LedgerTransaction,
  events: readonly UsageEvent[],
  now: Date,
): Promise<void> {
  if (events.length === 0) return;
  const counts = (pick: (event: UsageEvent) => bigint) => events.map((event) => String(pick(event)));
  await sql`
    insert into usage_events (usage_event_id, window_start, event_time, subject, feature, model, deployment,
      prompt_token_count, cached_prompt_token_count, completion_token_count, reasoning_token_count,
      total_token_count, request_count, body, created_at)
    select *, ${now}::timestamptz from unnest(
      ${events.map((event) => event.usageEventId)}::text[],
      ${events.map((event) => event.windowStart.toISOString())}::timestamptz[],
      ${events.map((event) => event.eventTime.toISOString())}::timestamptz[],
      ${events.map((event) => event.subject)}::text[],
      ${events.map((event) => event.feature)}::text[],
      ${events.map((event) => event.model)}::text[],
      ${events.map((event) => event.deployment)}::text[],
      ${counts((event) => event.promptTokenCount)}::bigint[],
      ${counts((event) => event.cachedPromptTokenCount)}::bigint[],
      ${counts((event) => event.completionTokenCount)}::bigint[],
      ${counts((event) => event.reasoningTokenCount)}::bigint[],
      ${counts((event) => event.totalTokenCount)}::bigint[],
      ${counts((event) => event.requestCount)}::bigint[],
      ${events.map((event) => event.body)}::text[])`.execute(transaction);
  await reopenHours(
    transaction,
    events.map((event) => event.windowStart),
  );
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
      event.subject, event.feature, event.model, event.deployment, event.prompt_token_count as "promptTokenCount",
      event.cached_prompt_token_count as "cachedPromptTokenCount",
      event.completion_token_count as "completionTokenCount", event.reasoning_token_count as "reasoningTokenCount",
      event.total_token_count as "totalTokenCount", event.request_count as "requestCount"`.execute(database);
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
    const replaced = await transaction
      .updateTable('usage_events')
      .set({
        window_start: event.windowStart,
        event_time: event.eventTime,
        subject: event.subject,
        feature: event.feature,
        model: event.model,
        deployment: event.deployment,
        prompt_token_count: event.promptTokenCount,
        cached_prompt_token_count: event.cachedPromptTokenCount,
        completion_token_count: event.completionTokenCount,
        reasoning_token_count: event.reasoningTokenCount,
        total_token_count: event.totalTokenCount,
        request_count: event.requestCount,
        body: event.body,
      })
      .where('usage_event_id', '=', event.usageEventId)
      .where('status', '=', 'pending')
      .executeTakeFirst();
    if (replaced.numUpdatedRows !== 1n) return false;
    await reopenHours(transaction, [event.windowStart]);
    return true;
  });
}
