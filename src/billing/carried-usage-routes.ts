import { createRoute, z } from '@hono/zod-openapi';
import { TOKEN_TYPES } from '../../pricing/usage/shape.ts';
import { CustomerParams } from '../catalog/customer-routes.ts';
import { getCustomer } from '../catalog/customers.ts';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { InstantSchema, jsonContent, problems, TokenCountSchema } from '../platform/http/schemas.ts';
import { readCarriedUsage } from './carried-usage.ts';

const CarriedUsageSchema = z
  .object({
    customerId: z.string(),
    asOf: InstantSchema,
    tokenCount: TokenCountSchema,
    usage: z.array(
      z.object({
        model: z.string(),
        feature: z.string(),
        tokenType: z.enum(TOKEN_TYPES),
        cause: z.string().openapi({ example: 'period_finalized' }),
        usedFrom: InstantSchema,
        usedTo: InstantSchema,
        tokenCount: TokenCountSchema,
      }),
    ),
  })
  .openapi('CarriedUsage');

/** Adds `GET /v1/customers/{customerId}/carried-usage`. */
export function addCarriedUsageRoutes(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/customers/{customerId}/carried-usage',
    tags: ['Billing'],
    summary: 'Usage too late for the invoice of its period, which waits for the next',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { params: CustomerParams },
    responses: {
      200: jsonContent(CarriedUsageSchema, 'By model, feature, token type and cause.'),
      ...problems(404),
    },
  });

  api.openapi(route, async (context) => {
    const { customerId } = context.req.valid('param');
    const usage = await readSnapshot(dependencies.database, async (snapshot) => {
      await getCustomer(snapshot, customerId);
      return await readCarriedUsage(snapshot, customerId);
    });
    return context.json(
      {
        customerId,
        asOf: dependencies.clock.now().toISOString(),
        tokenCount: String(usage.reduce((sum, row) => sum + row.tokenCount, 0n)),
        usage: usage.map((row) => ({
          model: row.model,
          feature: row.feature,
          tokenType: row.tokenType,
          cause: row.cause,
          usedFrom: row.usedIn.start.toISOString(),
          usedTo: row.usedIn.end.toISOString(),
          tokenCount: String(row.tokenCount),
        })),
      },
      200,
    );
  });
}
