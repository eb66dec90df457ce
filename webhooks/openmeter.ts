import { type Context, Hono } from 'hono';
import { webhookProblem } from './problem.ts';
import { acceptEvent, limitBody, type WebhookDependencies, type WebhookStep } from './receive.ts';
import { SvixSignatureError, verifySvix } from './svix.ts';

export interface OpenMeterWebhookDependencies extends WebhookDependencies {
  /** The notification channel's secrets, newest first; none: the endpoint answers 503. */
  secrets: readonly string[];
}

/** Kinds of notifications that OpenMeter documents. */
const KNOWN_TYPES = /^(entitlements\.(balance\.threshold|reset)|invoice\.(created|updated))$/;
/** What says that OpenMeter counted: hours are read back and held against the ledger. */
const USAGE_TYPES = /^entitlements\./;

/**
 * The route to mount at `/webhooks/openmeter`: notifications of OpenMeter, signed as Svix does. What one says is not
 * believed: it causes open hours to be settled and sums to be compared, a little sooner than the schedule would.
 */
export function createOpenMeterWebhookRoute(dependencies: OpenMeterWebhookDependencies): Hono {
  const route = new Hono();
  route.use(limitBody);
  route.post('/', (context) => receive(context, dependencies));
  return route;
}

async function receive(context: Context, dependencies: OpenMeterWebhookDependencies): Promise<Response> {
  const { log, secrets } = dependencies;
  if (secrets.length === 0) {
    log?.error({}, 'An OpenMeter webhook arrived, but its secret is not set');
    return webhookProblem(context, 'WEBHOOK_NOT_CONFIGURED', 'OPENMETER_WEBHOOK_SECRET is not set.');
  }
  const rawBody = await context.req.text();
  const headers = {
    id: context.req.header('svix-id') ?? context.req.header('webhook-id'),
    timestamp: context.req.header('svix-timestamp') ?? context.req.header('webhook-timestamp'),
    signature: context.req.header('svix-signature') ?? context.req.header('webhook-signature'),
  };
  let messageId: string;
  try {
    messageId = await verifySvix(rawBody, headers, secrets, Date.now());
  } catch (error) {
    if (!(error instanceof SvixSignatureError)) throw error;
    log?.warn({ reason: error.message, characterCount: rawBody.length }, 'An OpenMeter webhook was refused');
    return webhookProblem(context, 'WEBHOOK_SIGNATURE_INVALID', error.message);
  }
  const notification = readNotification(rawBody);
  if (notification === null) {
    return webhookProblem(context, 'WEBHOOK_EVENT_INVALID', 'The body is no notification with a type.');
  }
  const { id, type, occurredAt } = notification;
  const steps: WebhookStep[] = USAGE_TYPES.test(type) ? ['aggregate-usage', 'reconcile'] : [];
  return await acceptEvent(
    context,
    {
      webhookEventId: `openmeter:${id ?? messageId}`,
      provider: 'openmeter',
      eventType: type,
      relatedObjectId: null,
      payload: { messageId, type },
      occurredAt,
      isKnownType: KNOWN_TYPES.test(type),
    },
    steps,
    dependencies,
  );
}

/** The notification's own id, type and time. Names and addresses in it are not kept. */
function readNotification(
  rawBody: string,
): { id: string | null; type: string; occurredAt: Date | null } | null {
  let body: unknown;
  try {
    body = JSON.parse(rawBody);
  } catch {
    return null;
  }
  if (typeof body !== 'object' || body === null) return null;
  const { id, type, timestamp } = body as Record<string, unknown>;
  if (typeof type !== 'string' || !/^[\w.-]{1,255}$/.test(type)) return null;
  const occurredAt = new Date(typeof timestamp === 'string' ? timestamp : Number.NaN);
  return {
    id: typeof id === 'string' && id !== '' && id.length <= 200 ? id : null,
    type,
    occurredAt: Number.isNaN(occurredAt.getTime()) ? null : occurredAt,
  };
}
