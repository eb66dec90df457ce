import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Clock } from '../src/clock.ts';
import type { LedgerDatabase } from '../src/ledger/database.ts';
import { markProcessed, recordWebhookEvent } from '../src/ledger/webhook-events.ts';
import { webhookProblem } from './problem.ts';
import {
  createStripeVerifier,
  type StripeEventKind,
  type StripeVerifier,
  UnusableEventError,
  type VerifiedStripeEvent,
} from './stripe-events.ts';

export interface WebhookLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** What an event can cause: the catalog read anew, and reports of lost usage taken up. */
export type WebhookStep = 'sync-catalog' | 'reconcile';

export interface StripeWebhookDependencies {
  database: LedgerDatabase;
  clock: Clock;
  /** Of the endpoint for snapshot events; without it that endpoint answers 503. */
  webhookSecret: string | undefined;
  /** Of the event destination for thin events; each has a secret of its own. */
  thinWebhookSecret: string | undefined;
  enqueue(job: WebhookStep, data: { reason: string }): Promise<void>;
  log?: WebhookLog;
}

const MAX_BODY_BYTES = 1024 * 1024;

/** What changes something that the catalog holds. Anything else is recorded and needs no work. */
const CATALOG_EVENTS = /^(invoice|customer|product|price|billing\.meter)\b|^v1\.billing\.meter\./;
/** Meter events that were answered 2xx and are lost: money, so never only a line at info. */
const LOST_USAGE_EVENTS = /^v1\.billing\.meter\.(error_report_triggered|no_meter_found)$/;

/**
 * Routes to mount at `/webhooks/stripe`: `POST /` takes snapshot events, `POST /thin` thin ones.
 *
 * An event is recorded under its own id before it is answered, so a repeat does nothing a second time. What
 * it says is not believed: it only causes the catalog, or the report, to be read from Stripe. When that cannot be enqueued the row
 * stays unprocessed, which is also where a crash in between leaves it, and a sweep of
 * `listUnprocessed` picks it up; Stripe is answered 200, for it has nothing left to do.
 */
export function createStripeWebhookRoute(dependencies: StripeWebhookDependencies): Hono {
  const route = new Hono();
  const verify = createStripeVerifier();
  route.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (context) =>
        webhookProblem(context, 'PAYLOAD_TOO_LARGE', `The body may have at most ${MAX_BODY_BYTES} bytes.`),
    }),
  );
  route.post('/', (context) => receive(context, 'snapshot', verify, dependencies));
  route.post('/thin', (context) => receive(context, 'thin', verify, dependencies));
  return route;
}

async function receive(
  context: Context,
  kind: StripeEventKind,
  verify: StripeVerifier,
  dependencies: StripeWebhookDependencies,
): Promise<Response> {
  const { log } = dependencies;
  const secret = kind === 'snapshot' ? dependencies.webhookSecret : dependencies.thinWebhookSecret;
  if (secret === undefined || secret.trim() === '') {
    const variable = kind === 'snapshot' ? 'STRIPE_WEBHOOK_SECRET' : 'STRIPE_THIN_WEBHOOK_SECRET';
    log?.error({ kind }, 'A Stripe webhook arrived, but its secret is not set');
    return webhookProblem(context, 'WEBHOOK_NOT_CONFIGURED', `${variable} is not set.`);
  }
  // The signature is over these very characters, so nothing may parse them before.
  const rawBody = await context.req.text();
  let event: VerifiedStripeEvent;
  try {
    event = await verify(kind, rawBody, context.req.header('stripe-signature') ?? '', secret);
  } catch (error) {
    const unusable = error instanceof UnusableEventError;
    // Only the message: the SDK's error carries the body and the signature as fields.
    const reason = error instanceof Error ? error.message : String(error);
    log?.warn({ kind, reason, characterCount: rawBody.length }, 'A Stripe webhook was refused');
    return unusable
      ? webhookProblem(context, 'WEBHOOK_EVENT_INVALID', error.message)
      : webhookProblem(
          context,
          'WEBHOOK_SIGNATURE_INVALID',
          'The Stripe-Signature header is missing, does not fit the body, or is older than five minutes.',
        );
  }
  return accept(context, event, dependencies);
}

async function accept(
  context: Context,
  event: VerifiedStripeEvent,
  { database, clock, enqueue, log }: StripeWebhookDependencies,
): Promise<Response> {
  const fields = { eventId: event.id, eventType: event.type, relatedObjectId: event.relatedObjectId };
  const isNew = await recordWebhookEvent(database, {
    webhookEventId: event.id,
    provider: 'stripe',
    eventType: event.type,
    relatedObjectId: event.relatedObjectId,
    payload: event.summary,
    receivedAt: clock.now(),
  });
  if (!isNew) {
    log?.info(fields, 'A Stripe event came again and was left alone');
    return context.json({ received: true, duplicate: true });
  }
  if (LOST_USAGE_EVENTS.test(event.type)) {
    log?.error(fields, 'Stripe reports meter events that it accepted and did not count');
  }
  const wanted = CATALOG_EVENTS.test(event.type);
  if (wanted) {
    try {
      await enqueue('sync-catalog', { reason: event.type });
      if (LOST_USAGE_EVENTS.test(event.type)) await enqueue('reconcile', { reason: event.type });
    } catch (error) {
      log?.error(
        { ...fields, err: error },
        'A Stripe event was recorded, but its work could not be enqueued',
      );
      return context.json({ received: true, duplicate: false });
    }
  }
  await markProcessed(database, [event.id], clock.now());
  log?.info({ ...fields, wanted }, 'A Stripe event was received');
  return context.json({ received: true, duplicate: false });
}
