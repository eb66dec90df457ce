import { createRoute, z } from '@hono/zod-openapi';
import { formatPico } from '../../pricing/money.ts';
import { PROJECTION_METHOD } from '../../pricing/previews/projection.ts';
import { readDayWindow } from '../costs/window.ts';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { InstantSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import { usageWindowFields } from '../usage/hours/window.ts';
import { readCostProjection } from './cost-projection.ts';
import { RangeSchema } from './schemas.ts';

const CostProjectionSchema = z
  .object({
    asOf: InstantSchema,
    periodEnd: InstantSchema,
    total: RangeSchema.nullable().openapi({
      description:
        'USD at the end, of what has a known cost, without idle capacity. null: `reason` says why.',
    }),
    reason: z.enum(['too_little_history', 'period_is_over', 'cost_unknown']).nullable().openapi({
      description: '`cost_unknown`: more than one token in twenty of the period has no known cost.',
    }),
    knownDayCount: z.int().openapi({ description: 'Wholly settled days that it rests on; at least 14.' }),
    method: z.string(),
  })
  .openapi('CostProjection');
export type CostProjectionBody = z.output<typeof CostProjectionSchema>;

/** Adds `GET /v1/costs/projection`: what a period that runs will have cost. */
export function addCostProjectionRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/costs/projection',
    tags: ['Costs'],
    summary: 'What all usage of a period will have cost at its end, as a range',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { query: z.strictObject(usageWindowFields) },
    responses: { 200: jsonContent(CostProjectionSchema, 'The projection.'), ...problems() },
  });
  api.openapi(route, async (context) => {
    const window = readDayWindow(context.req.valid('query'));
    const now = clock.now();
    const { total, ...rest } = await readSnapshot(database, (snapshot) =>
      readCostProjection(snapshot, window, now),
    );
    return context.json(
      {
        asOf: now.toISOString(),
        ...rest,
        periodEnd: rest.periodEnd.toISOString(),
        total:
          total === null
            ? null
            : {
                expected: formatPico(total.expected),
                p10: formatPico(total.p10),
                p50: formatPico(total.p50),
                p90: formatPico(total.p90),
              },
        method: PROJECTION_METHOD,
      },
      200,
    );
  });
}
