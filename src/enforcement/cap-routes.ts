import { createRoute, z } from '@hono/zod-openapi';
import type { HardCap, LeftBudget } from '../../pricing/enforcement/hard-caps.ts';
import { formatPico } from '../../pricing/money.ts';
import { openTo } from '../identity/require-scope.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { AmountSchema, CountSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import { namedValueOf, renderCapFragment } from './cap-fragment.ts';
import { readHardCaps } from './hard-caps.ts';

const DEFAULT_HEADROOM_PERCENT = 10;

const CapsQuery = z.strictObject({
  headroomPercent: z
    .string()
    .regex(/^\d{1,3}$/, { error: 'must be a whole number below 1000' })
    .transform(Number)
    .optional()
    .openapi({
      type: 'integer',
      minimum: 0,
      maximum: 999,
      description: `So much above the budget; ${DEFAULT_HEADROOM_PERCENT} unless given.`,
    }),
});
const BudgetNameSchema = z.object({ id: z.string(), name: z.string() });
const HardCapsSchema = z
  .object({
    headroomPercent: z.int(),
    pricedMonth: z
      .string()
      .openapi({ example: '2026-10', description: 'Money is tokens at what they cost then, on average.' }),
    caps: z.array(
      z.object({
        budget: BudgetNameSchema,
        tenantKey: z.string().nullable().openapi({ description: 'Whose calls count; null: whoever.' }),
        subject: z.string().nullable(),
        feature: z.string().nullable(),
        perUser: z.boolean().openapi({ description: 'Each user has a counter of its own.' }),
        exceptTenantKeys: z.array(z.string()).openapi({ description: 'Under narrower budgets.' }),
        exceptSubjects: z.array(z.string()),
        period: z.enum(['Daily', 'Weekly', 'Monthly']),
        namedValue: z.string().openapi({ example: 'tallystick-cap-bud_x4s1' }),
        tokenCount: CountSchema.openapi({ description: 'What the named value holds.' }),
        millionTokens: AmountSchema.nullable().openapi({
          description: 'What a million tokens of it cost, in US dollars; null: the budget is of tokens.',
        }),
      }),
    ),
    left: z
      .array(
        z.object({
          budget: BudgetNameSchema,
          reason: z.enum(['calls', 'revenue', 'currency', 'period', 'no_tenant', 'no_usage']),
        }),
      )
      .openapi({ description: 'Budgets that stop, and that a gateway cannot count by itself.' }),
    fragment: z.string().openapi({ description: 'The policy fragment for API Management.' }),
  })
  .openapi('HardCaps');
export type HardCapsBody = z.infer<typeof HardCapsSchema>;

/** Adds `/v1/enforcement/hard-caps`: what gateways count by themselves. */
export function addHardCapRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/enforcement/hard-caps',
    tags: ['Enforcement'],
    summary:
      'What gateways count by themselves of the budgets that stop: a policy fragment and its named values',
    ...openTo(dependencies, 'finance'),
    request: { query: CapsQuery },
    responses: { 200: jsonContent(HardCapsSchema, 'In the order of budgets’ ids.'), ...problems() },
  });
  api.openapi(route, async (context) => {
    const { headroomPercent = DEFAULT_HEADROOM_PERCENT } = context.req.valid('query');
    const told = await readHardCaps(database, { headroomPercent, now: clock.now() });
    return context.json(showHardCaps(told, headroomPercent), 200);
  });
}

function showHardCaps(
  { caps, left, pricedMonth }: { caps: HardCap[]; left: LeftBudget[]; pricedMonth: TimeWindow },
  headroomPercent: number,
): HardCapsBody {
  const byId = (a: { budgetId: string }, b: { budgetId: string }) => (a.budgetId < b.budgetId ? -1 : 1);
  const named = ({ budgetId, budgetName }: LeftBudget | HardCap) => ({ id: budgetId, name: budgetName });
  return {
    headroomPercent,
    pricedMonth: pricedMonth.start.toISOString().slice(0, 7),
    caps: caps.sort(byId).map((cap) => {
      const { budgetId: _, budgetName: __, tokenCount, millionTokensPicoUsd, ...rest } = cap;
      return {
        ...rest,
        budget: named(cap),
        namedValue: namedValueOf(cap),
        tokenCount: String(tokenCount),
        millionTokens: millionTokensPicoUsd === null ? null : formatPico(millionTokensPicoUsd),
      };
    }),
    left: left.sort(byId).map((one) => ({ budget: named(one), reason: one.reason })),
    fragment: renderCapFragment(caps),
  };
}
