import { Hono } from 'hono';
import { createOpenMeterWebhookRoute } from './openmeter.ts';
import type { WebhookDependencies } from './receive.ts';
import { createStripeWebhookRoute } from './stripe.ts';

/** What the environment says of webhooks: their secrets, and whose events are meant. */
export interface WebhookSecrets {
  STRIPE_WEBHOOK_SECRET?: string | undefined;
  STRIPE_THIN_WEBHOOK_SECRET?: string | undefined;
  STRIPE_ACCOUNT?: string | undefined;
  OPENMETER_WEBHOOK_SECRET?: readonly string[] | undefined;
}

/** All webhooks, to mount at `/webhooks`: what has no secret answers 503 and says which. */
export function createWebhookRoutes(dependencies: WebhookDependencies, secrets: WebhookSecrets): Hono {
  const routes = new Hono();
  routes.route(
    '/stripe',
    createStripeWebhookRoute({
      ...dependencies,
      webhookSecret: secrets.STRIPE_WEBHOOK_SECRET,
      thinWebhookSecret: secrets.STRIPE_THIN_WEBHOOK_SECRET,
      account: secrets.STRIPE_ACCOUNT,
    }),
  );
  routes.route(
    '/openmeter',
    createOpenMeterWebhookRoute({ ...dependencies, secrets: secrets.OPENMETER_WEBHOOK_SECRET ?? [] }),
  );
  return routes;
}
