import { createRoute, z } from '@hono/zod-openapi';
import { formatPico } from '../../../pricing/money.ts';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import {
  AmountSchema,
  InstantSchema,
  jsonContent,
  problems,
  TokenCountSchema,
} from '../../platform/http/schemas.ts';
import { usageWindowFields } from '../../usage/hours/window.ts';
import { readDayWindow } from '../window.ts';
import { readSwaps } from './gather.ts';

const SwapsSchema = z
  .object({
    asOf: InstantSchema,
    features: z
      .array(
        z.object({
          feature: z.string(),
          model: z.string(),
          cost: AmountSchema.openapi({ description: 'USD; of tokens that are paid by the token.' }),
          candidates: z.array(
            z.object({
              model: z.string(),
              cost: AmountSchema,
              saving: AmountSchema,
            }),
          ),
        }),
      )
      .openapi({
        description: 'Where another model would have cost less; the largest saving first, of each, too.',
      }),
    unknownTokenCount: TokenCountSchema.openapi({
      description: 'Tokens of features and models of which some cost is unknown: they are in no row.',
    }),
  })
  .openapi('ModelSwaps', {
    description:
      'The same tokens at another model’s prices of the time. Whether its answers would be as good, or take as many tokens, is not measured.',
  });
export type SwapsBody = z.output<typeof SwapsSchema>;

/** Adds `GET /v1/costs/swaps`: what each feature would have saved on another model. */
export function addSwapRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/costs/swaps',
    tags: ['Costs'],
    summary:
      'What each feature would have saved on other models, rated on its real usage; quality is not measured',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { query: z.strictObject(usageWindowFields) },
    responses: { 200: jsonContent(SwapsSchema, 'The swaps.'), ...problems() },
  });
  api.openapi(route, async (context) => {
    const window = readDayWindow(context.req.valid('query'));
    const now = clock.now();
    const { features, unknownTokenCount } = await readSnapshot(database, (snapshot) =>
      readSwaps(snapshot, window, now),
    );
    return context.json(
      {
        asOf: now.toISOString(),
        features: features.map(({ feature, model, costPicoUsd, candidates }) => ({
          feature,
          model,
          cost: formatPico(costPicoUsd),
          candidates: candidates.map((candidate) => ({
            model: candidate.model,
            cost: formatPico(candidate.costPicoUsd),
            saving: formatPico(candidate.savingPicoUsd),
          })),
        })),
        unknownTokenCount: String(unknownTokenCount),
      },
      200,
    );
  });
}
