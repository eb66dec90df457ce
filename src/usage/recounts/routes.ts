import { createRoute, z } from '@hono/zod-openapi';
import { TOKEN_TYPES } from '../../../pricing/usage/shape.ts';
import { openTo } from '../../identity/require-scope.ts';
import {
  type Api,
  type ApiDependencies,
  actorOf,
  askForStep,
  DEFAULT_API_SETTINGS,
} from '../../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  jsonBody,
  jsonContent,
  problems,
  TokenCountSchema,
  textSchema,
} from '../../platform/http/schemas.ts';
import { RECOUNT_CAUSES } from './causes.ts';
import { decideRecounts, type Recount } from './decide.ts';
import { decideRecount } from './decisions.ts';
import { gatherRecounts } from './gather.ts';

const MonthSchema = z
  .string()
  .regex(/^20\d{2}-(0[1-9]|1[0-2])$/, { error: 'must be a month such as 2026-10' })
  .openapi({ example: '2026-10' });

const RecountSchema = z
  .object({
    customerId: z.string().nullable().openapi({ description: 'Null: nobody said whose it is.' }),
    month: MonthSchema,
    model: z.string(),
    cause: z.enum(RECOUNT_CAUSES).openapi({
      description:
        'told_apart: cached tokens that the maker tells beside the prompt were taken out of it. untold_parts: audio or images ' +
        'were counted as text. contradicting: figures of a minute contradict each other.',
    }),
    tokens: z
      .array(z.object({ tokenType: z.enum(TOKEN_TYPES), formerly: TokenCountSchema, now: TokenCountSchema }))
      .openapi({ description: 'Of the token types that differ.' }),
    told: z.object({ totalTokenCount: TokenCountSchema, countedTokenCount: TokenCountSchema }).nullable(),
    proposal: z
      .array(z.enum(['late_item', 'credit']))
      .nullable()
      .openapi({ description: 'What approving brings; null: there is nothing to approve.' }),
    state: z.enum(['open', 'approved', 'rejected']),
  })
  .openapi('Recount');

const RecountsQuery = z.strictObject({ month: MonthSchema, customerId: IdentifierSchema.optional() });
const DecisionBody = z
  .strictObject({
    customerId: IdentifierSchema,
    month: MonthSchema,
    cause: z.enum(RECOUNT_CAUSES),
    reason: textSchema(2_000).optional(),
  })
  .openapi('RecountDecision');

/** Adds `/v1/recounts`: usage that the former rules counted otherwise, and a person's decision. */
export function addRecountRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock, settings = DEFAULT_API_SETTINGS } = dependencies;
  const { providers } = settings;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/recounts',
    tags: ['Pipeline'],
    summary: 'Usage of a month that was counted by former rules, and what the rules of today say',
    ...openTo(dependencies, 'finance'),
    request: { query: RecountsQuery },
    responses: {
      200: jsonContent(
        z.object({ recounts: z.array(RecountSchema) }).openapi('Recounts'),
        'By cause, customer and model.',
      ),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { month, customerId } = context.req.valid('query');
    const material = await gatherRecounts(database, { month, customerId, providers });
    return context.json({ recounts: decideRecounts(material).map(showRecount) }, 200);
  });

  for (const [act, state, summary] of [
    [
      'approve',
      'approved',
      'Make the usage events that were missing, once: items on the next invoice, or credits to decide',
    ],
    ['reject', 'rejected', 'Leave it as it was billed'],
  ] as const) {
    const route = createRoute({
      method: 'post',
      path: `/v1/recounts/${act}`,
      tags: ['Pipeline'],
      summary,
      ...openTo(dependencies),
      request: { body: jsonBody(DecisionBody) },
      responses: {
        202: jsonContent(
          z.object({ state: z.enum(['approved', 'rejected']) }).openapi('RecountDecided'),
          'Kept.',
        ),
        ...problems(404, 409, 413),
      },
    });
    api.openapi(route, async (context) => {
      const { reason, ...place } = context.req.valid('json');
      const by = { actor: actorOf(context), now: clock.now() };
      const material = await gatherRecounts(database, { ...place, providers });
      const known = decideRecounts(material).filter((recount) => recount.cause === place.cause);
      await decideRecount(database, { ...place, state, reason: reason ?? null, known }, by);
      if (state === 'approved') await askForStep(dependencies, 'sync-catalog', 'recount');
      return context.json({ state }, 202);
    });
  }
}

function showRecount(recount: Recount) {
  return {
    ...recount,
    tokens: recount.tokens.map(({ tokenType, formerly, now }) => ({
      tokenType,
      formerly: String(formerly),
      now: String(now),
    })),
    told:
      recount.told === null
        ? null
        : {
            totalTokenCount: String(recount.told.totalTokenCount),
            countedTokenCount: String(recount.told.countedTokenCount),
          },
  };
}
