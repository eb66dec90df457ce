import { createRoute, z } from '@hono/zod-openapi';
import { CustomerParams } from '../catalog/customer-routes.ts';
import { openTo } from '../identity/require-scope.ts';
import { answerCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import type { Api } from '../platform/http/dependencies.ts';
import { problems } from '../platform/http/schemas.ts';
import { previewTable } from './csv.ts';
import { decidePreview, decideProjection } from './decide.ts';
import type { PreviewDependencies } from './dependencies.ts';
import { gatherPreview } from './gather.ts';
import { InvoicePreviewSchema } from './schemas.ts';
import { showPreview } from './show.ts';

/** Adds `GET /v1/customers/{customerId}/invoice-preview`. */
export function addInvoicePreviewRoutes(api: Api, dependencies: PreviewDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/customers/{customerId}/invoice-preview',
    tags: ['Billing'],
    summary:
      "Stripe's preview of the next invoices, with the usage that Stripe does not count yet and a projection",
    ...openTo(dependencies, 'sales', 'finance'),
    request: { params: CustomerParams, query: z.strictObject(CSV_FIELDS) },
    responses: {
      200: {
        description: `One preview for each active subscription; its lines as CSV with Accept: text/csv. ${CSV_DESCRIPTION}`,
        content: {
          'application/json': { schema: InvoicePreviewSchema },
          'text/csv': { schema: z.string() },
        },
      },
      ...problems(404),
    },
  });
  api.openapi(route, async (context) => {
    const material = await gatherPreview(dependencies, context.req.valid('param').customerId);
    const preview = showPreview(
      material,
      material.subscriptions.map(decidePreview).map((decided) => ({
        ...decided,
        projection: decideProjection(decided),
      })),
    );
    if (wantsCsv(context)) return answerCsv(context, previewTable(preview));
    return context.json(preview, 200);
  });
}
