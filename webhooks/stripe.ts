import { type Context, Hono } from 'hono';
import { catalogTargetOf, isKnownStripeEvent, tellsOfLostUsage } from '../src/stripe/event-targets.ts';
import { countOtherAccount } from '../src/webhook-events/events.ts';
import { webhookProblem } from './problem.ts';
import { acceptEvent, limitBody, type WebhookDependencies, type WebhookStep } from './receive.ts';
import {
  createStripeVerifier,
  type StripeEventKind,
  type StripeVerifier,
  UnusableEventError,
  type VerifiedStripeEvent,
} from './stripe-events.ts';

export interface StripeWebhookDependencies extends WebhookDependencies {
  /** Of the endpoint for snapshot events; without it that endpoint answers 503. */
  webhookSecret: string | undefined;
  /** Of the event destination for thin events; each has a secret of its own. */
  thinWebhookSecret: string | undefined;
  /** The account that is acted for; events of others are counted, and nothing else. Absent: the key's own, whatever is told. */
  account?: string | undefined;
}

/**
 * Routes to mount at `/webhooks/stripe`: `POST /` takes snapshot events, `POST /thin` thin ones.
 *
 * An event is recorded under its own id before it is answered, so a repeat does nothing a second time. What
 * it says is not believed: it only causes its object, or the report, to be read from Stripe.
 */
export function createStripeWebhookRoute(dependencies: StripeWebhookDependencies): Hono {
  const route = new Hono();
  const verify = createStripeVerifier();
  route.use(limitBody);
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
  if (
    dependencies.account !== undefined &&
    event.account !== null &&
    event.account !== dependencies.account
  ) {
    const { database, clock } = dependencies;
    const isKnownType = isKnownStripeEvent(event.type);
    await countOtherAccount(database, { eventType: event.type, isKnownType, receivedAt: clock.now() });
    log?.warn(
      { eventId: event.id, eventType: event.type, account: event.account },
      'An event of another account was left alone',
    );
    return context.json({ received: true, otherAccount: true });
  }
  if (tellsOfLostUsage(event.type)) {
    const fields = { eventId: event.id, eventType: event.type, relatedObjectId: event.relatedObjectId };
    log?.error(fields, 'Stripe reports meter events that it accepted and did not count');
  }
  return await acceptEvent(
    context,
    {
      webhookEventId: event.id,
      provider: 'stripe',
      eventType: event.type,
      relatedObjectId: event.relatedObjectId,
      objectType: event.objectType,
      payload: event.summary,
      occurredAt: event.occurredAt,
      isKnownType: isKnownStripeEvent(event.type),
    },
    stepsFor(event),
    dependencies,
  );
}

/** A report of lost usage is about a meter: that may have been archived, so it is read again as well. */
function stepsFor(event: VerifiedStripeEvent): WebhookStep[] {
  const target = catalogTargetOf({
    eventType: event.type,
    objectType: event.objectType,
    objectId: event.relatedObjectId,
  });
  const steps: WebhookStep[] = target === null ? [] : ['refresh-catalog'];
  return tellsOfLostUsage(event.type) ? [...steps, 'reconcile'] : steps;
}
