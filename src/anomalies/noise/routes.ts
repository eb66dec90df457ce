import { createRoute, z } from '@hono/zod-openapi';
import { formatDecimal } from '../../../pricing/money.ts';
import { readDayWindow } from '../../costs/window.ts';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import { CountSchema, jsonContent, problems, TokenCountSchema } from '../../platform/http/schemas.ts';
import { usageWindowFields } from '../../usage/hours/window.ts';
import { readTenantLoads, type TenantLoad } from './gather.ts';

const ShareSchema = z.string().openapi({ example: '0.384' });
const LoadsSchema = z
  .object({
    loads: z.array(
      z.object({
        deployment: z.string(),
        customerId: z.string().nullable(),
        tokenCount: TokenCountSchema,
        requestCount: CountSchema,
        share: ShareSchema.openapi({ description: 'Of all tokens of the deployment.' }),
        busiestMinuteTokenCount: TokenCountSchema,
        shareOfBusiest: ShareSchema.openapi({
          description: 'Of what the deployment answered in the busiest minute of each day.',
        }),
        quotaTokensPerMinute: TokenCountSchema.nullable().openapi({
          description: 'As capacity was bought (/v1/provisioned); null: nobody has said.',
        }),
        shareOfQuota: ShareSchema.nullable().openapi({
          description: 'Its own busiest minute, of the quota.',
        }),
      }),
    ),
  })
  .openapi('TenantLoads', {
    description:
      'What each customer takes of each deployment. Calls that were answered with 429 have no metric, and are in none of these figures.',
  });
export type LoadsBody = z.output<typeof LoadsSchema>;

/** Adds `GET /v1/costs/loads`: who takes how much of each deployment. */
export function addLoadRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/costs/loads',
    tags: ['Costs'],
    summary: 'Noisy tenants: who takes how much of each deployment, over all and in its busiest minutes',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { query: z.strictObject(usageWindowFields) },
    responses: {
      200: jsonContent(LoadsSchema, 'The largest share of busiest minutes first, 200 at most.'),
      ...problems(),
    },
  });
  api.openapi(route, async (context) => {
    const window = readDayWindow(context.req.valid('query'));
    const loads = await readSnapshot(database, (snapshot) => readTenantLoads(snapshot, window));
    return context.json({ loads: loads.map(showLoad) }, 200);
  });
}

function showLoad({ customerName: _, ...load }: TenantLoad) {
  const { deployment, customerId, quotaTokensPerMinute: quota } = load;
  const share = (permille: number) => formatDecimal(BigInt(permille), 3);
  return {
    deployment,
    customerId,
    tokenCount: String(load.tokenCount),
    requestCount: String(load.requestCount),
    share: share(load.sharePermille),
    busiestMinuteTokenCount: String(load.busiestMinuteTokenCount),
    shareOfBusiest: share(load.shareOfBusiestPermille),
    quotaTokensPerMinute: quota === null ? null : String(quota),
    shareOfQuota: load.shareOfQuotaPermille === null ? null : share(load.shareOfQuotaPermille),
  };
}
