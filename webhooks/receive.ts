import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Clock } from '../src/platform/clock.ts';
import type { LedgerDatabase } from '../src/platform/database/database.ts';
import { recordWebhookEvent, type WebhookEvent } from '../src/webhook-events/events.ts';
import { webhookProblem } from './problem.ts';

interface WebhookLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** What an event can cause: the catalog refreshed, hours settled, or sums held against each other. */
export type WebhookStep = 'refresh-catalog' | 'aggregate-usage' | 'reconcile';

export interface WebhookDependencies {
  database: LedgerDatabase;
  clock: Clock;
  enqueue(job: WebhookStep, data: { reason: string }): Promise<void>;
  log?: WebhookLog;
}

const MAX_BODY_BYTES = 1024 * 1024;

/** Refuses a body that no event has, before it is read. */
export const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: (context) =>
    webhookProblem(context, 'PAYLOAD_TOO_LARGE', `The body may have at most ${MAX_BODY_BYTES} bytes.`),
});

/**
 * Records a verified event once and asks for the steps that it causes. The row is the work: it is committed before
 * anybody is asked or answered, and is done only when the step has done it. So a crash right after, or a queue that is
 * away, costs time and nothing else, and the sender is answered 200: it has nothing left to do.
 */
export async function acceptEvent(
  context: Context,
  event: Omit<WebhookEvent, 'receivedAt' | 'needsWork'>,
  steps: readonly WebhookStep[],
  { database, clock, enqueue, log }: WebhookDependencies,
): Promise<Response> {
  const fields = {
    provider: event.provider,
    eventId: event.webhookEventId,
    eventType: event.eventType,
    relatedObjectId: event.relatedObjectId,
  };
  const needsWork = steps.length > 0;
  const isNew = await recordWebhookEvent(database, { ...event, receivedAt: clock.now(), needsWork });
  if (!isNew) {
    log?.info(fields, 'An event came again and was left alone');
    return context.json({ received: true, duplicate: true });
  }
  for (const step of steps) {
    try {
      await enqueue(step, { reason: event.eventType });
    } catch (error) {
      log?.error({ ...fields, step, err: error }, 'An event was recorded; its step could not be asked for');
    }
  }
  log?.info({ ...fields, steps }, 'An event was received');
  return context.json({ received: true, duplicate: false });
}
