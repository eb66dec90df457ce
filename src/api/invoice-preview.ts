import { createRoute, z } from '@hono/zod-openapi';
import { requireScope, securityOf } from './authentication.ts';
import { csvPage, wantsCsv } from './csv.ts';
import { CustomerParams } from './customers.ts';
import type { Api } from './dependencies.ts';
import { toPreviewCsv } from './invoice-preview-csv.ts';
import { decidePreview } from './invoice-preview-decide.ts';
import { gatherPreview, type PreviewDependencies } from './invoice-preview-gather.ts';
import { InvoicePreviewSchema } from './invoice-preview-schemas.ts';
import { showPreview } from './invoice-preview-show.ts';
import { keyedProblems, notFoundProblem } from './schemas.ts';

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
    const material = await gatherPreview(dependencies, context.req.valid('param').customerId);
    const preview = showPreview(material, material.subscriptions.map(decidePreview));
    if (wantsCsv(context)) return csvPage(context, toPreviewCsv(preview), null);
    return context.json(preview, 200);
  });
}
