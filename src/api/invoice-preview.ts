import { createRoute, z } from '@hono/zod-openapi';
import { getCustomer } from '../ledger/customers.ts';
import { type ActiveItem, readActiveItems } from '../ledger/preview-items.ts';
import { requireScope, securityOf } from './authentication.ts';
import { csvPage, wantsCsv } from './csv.ts';
import { CustomerParams } from './customers.ts';
import type { Api, ApiDependencies, PreviewCache } from './dependencies.ts';
import { toPreviewCsv } from './invoice-preview-csv.ts';
import {
  type InvoicePreviewBody,
  InvoicePreviewSchema,
  type SubscriptionPreviewBody,
} from './invoice-preview-schemas.ts';
import { previewSubscription } from './invoice-preview-subscription.ts';
import { keyedProblems, notFoundProblem } from './schemas.ts';
import { readStripePreview, type StripePreview } from './stripe-previews.ts';

type PreviewDependencies = ApiDependencies & { previewCache: PreviewCache };

/** Adds `GET /v1/customers/{customerId}/invoice-preview`. */
export function addInvoicePreviewRoutes(api: Api, dependencies: PreviewDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/customers/{customerId}/invoice-preview',
    tags: ['Billing'],
    summary:
      "Stripe's preview of the next invoices, with the usage that Stripe does not count yet and a projection",
    security: securityOf('sales', 'finance', 'admin'),
    middleware: [requireScope(dependencies, 'sales', 'finance')],
    request: { params: CustomerParams },
    responses: {
      200: {
        description: 'One preview for each active subscription; its lines as CSV with Accept: text/csv.',
        content: {
          'application/json': { schema: InvoicePreviewSchema },
          'text/csv': { schema: z.string() },
        },
      },
      ...keyedProblems,
      ...notFoundProblem,
    },
  });
  api.openapi(route, async (context) => {
    const preview = await previewInvoices(dependencies, context.req.valid('param').customerId);
    if (wantsCsv(context)) return csvPage(context, toPreviewCsv(preview), null);
    return context.json(preview, 200);
  });
}

/** @throws TallystickError UNKNOWN_CUSTOMER */
export async function previewInvoices(
  dependencies: PreviewDependencies,
  customerId: string,
): Promise<InvoicePreviewBody> {
  const customer = await getCustomer(dependencies.database, customerId);
  const items = await readActiveItems(dependencies.database, customerId);
  const subscriptions: SubscriptionPreviewBody[] = [];
  // One at a time: a customer has one or two, and Stripe's reads are rationed.
  for (const [subscriptionId, its] of Map.groupBy(items, (item) => item.subscriptionId)) {
    const stripe: StripePreview =
      customer.stripeCustomerId === null
        ? { status: 'unavailable', reason: 'NO_STRIPE_CUSTOMER' }
        : await readStripePreview(dependencies, {
            stripeCustomerId: customer.stripeCustomerId,
            subscriptionId,
            expectedLineCount: its.reduce((count, item) => count + lineCountOf(item), 0),
          });
    subscriptions.push(await previewSubscription(dependencies, customerId, its, stripe));
  }
  return { customerId, asOf: dependencies.clock.now().toISOString(), subscriptions };
}

/** At most so many lines an item has on an invoice: one for each tier's tokens and one for its flat amount. */
function lineCountOf({ price }: ActiveItem): number {
  if (price === null || price.kind === 'per_unit') return 1;
  const tiers = price.mode === 'volume' ? price.tiers.slice(0, 1) : price.tiers;
  return tiers.length * 2;
}
