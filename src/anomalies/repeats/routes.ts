import { createRoute, z } from '@hono/zod-openapi';
import { formatPico } from '../../../pricing/money.ts';
import { readDayWindow } from '../../costs/window.ts';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import {
  AmountSchema,
  CountSchema,
  IdentifierSchema,
  jsonContent,
  problems,
  TokenCountSchema,
} from '../../platform/http/schemas.ts';
import { usageWindowFields } from '../../usage/hours/window.ts';
import { type RepeatedPrompt, readRepeats } from './gather.ts';

const RepeatsSchema = z
  .object({
    repeats: z.array(
      z.object({
        customerId: z.string().nullable(),
        subject: z.string(),
        feature: z.string(),
        model: z.string(),
        deployment: z.string(),
        dayCount: z.int(),
        callCount: CountSchema.openapi({ description: 'All calls of these days.' }),
        repeatedCallCount: CountSchema.openapi({
          description: 'Of them, those whose prompts have one size.',
        }),
        promptTokenCount: TokenCountSchema.openapi({ description: 'That size, on the last of these days.' }),
        cacheHitCount: CountSchema.openapi({
          description: 'Calls that a cache with a lifetime of five minutes would have answered, at least.',
        }),
        saving: AmountSchema.nullable().openapi({
          description: 'USD: what these calls have cost, at the mean of a call; null: it is unknown.',
        }),
      }),
    ),
  })
  .openapi('RepeatedPrompts', {
    description:
      'Who sends the same prompt again and again, by equal sizes of prompts: whether their words are equal, too, nobody has looked at.',
  });
export type RepeatsBody = z.output<typeof RepeatsSchema>;

/** Adds `GET /v1/costs/repeats`: who sends the same prompt again and again, and what a cache would save. */
export function addRepeatRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/costs/repeats',
    tags: ['Costs'],
    summary: 'Who sends the same prompt again and again, and what a cache of five minutes would save',
    ...openTo(dependencies, 'sales', 'finance'),
    request: {
      query: z.strictObject({ ...usageWindowFields, customerId: IdentifierSchema.optional() }),
    },
    responses: { 200: jsonContent(RepeatsSchema, 'The largest saving first, 200 at most.'), ...problems() },
  });
  api.openapi(route, async (context) => {
    const { customerId, ...asked } = context.req.valid('query');
    const window = readDayWindow(asked);
    const repeats = await readSnapshot(database, (snapshot) =>
      readRepeats(snapshot, window, customerId ?? null),
    );
    return context.json({ repeats: repeats.map(showRepeat) }, 200);
  });
}

function showRepeat({ customerName: _, savingPicoUsd, ...repeat }: RepeatedPrompt) {
  return {
    ...repeat,
    callCount: String(repeat.callCount),
    repeatedCallCount: String(repeat.repeatedCallCount),
    cacheHitCount: String(repeat.cacheHitCount),
    promptTokenCount: String(repeat.promptTokenCount),
    saving: savingPicoUsd === null ? null : formatPico(savingPicoUsd),
  };
}
