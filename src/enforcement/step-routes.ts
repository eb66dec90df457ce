import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { decodeIdCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { ROW_ID } from '../platform/row-id.ts';
import { readOverMonth, runDry } from './dry-run.ts';
import { liftStep, restoreStep } from './lifts.ts';
import { DryRunSchema, StepSchema, StepsSchema, showDryRun, showStep } from './schemas.ts';
import { listEnforcedSteps } from './steps.ts';

const ListQuery = z.strictObject({ budgetId: IdentifierSchema.optional(), ...PAGE_FIELDS });
const DryRunQuery = z.strictObject({
  budgetId: IdentifierSchema,
  period: z
    .string()
    .regex(/^\d{4}-\d{2}$/, { error: 'must be a month such as 2026-10' })
    .optional()
    .openapi({ description: 'A month that is over; the last one unless given.', example: '2026-10' }),
  stopAtPermille: z
    .string()
    .regex(/^\d{1,5}$/, { error: 'must be a whole number' })
    .transform(Number)
    .refine((permille) => permille >= 1 && permille <= 10_000, { error: 'must be between 1 and 10000' })
    .optional()
    .openapi({
      type: 'integer',
      minimum: 1,
      maximum: 10_000,
      description: 'As though it stopped there, too: 1000 is the limit.',
    }),
});
const StepParams = z.object({
  id: z
    .string()
    .regex(ROW_ID, { error: 'must be the id of a step' })
    .openapi({ example: '17', description: 'From GET /v1/enforcement/steps.' }),
});
const ReasonSchema = textSchema(2_000).openapi({ example: 'The month end is a special case.' });
const LiftBody = z
  .strictObject({ until: InstantSchema, reason: ReasonSchema.optional() })
  .openapi('EnforcementLift');
const RestoreBody = z.strictObject({ reason: ReasonSchema.optional() }).openapi('EnforcementRestore');

/** Adds `/v1/enforcement/steps`: the steps that gateways act on, and lifting one of them for a time. */
export function addEnforcedStepRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/enforcement/steps',
    tags: ['Enforcement'],
    summary: 'Steps of budgets that gateways act on, lifted ones too',
    ...openTo(dependencies, 'finance'),
    request: { query: ListQuery },
    responses: { 200: jsonContent(StepsSchema, 'The newest first.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { budgetId, cursor, limit } = context.req.valid('query');
    const beforeId = cursor === undefined ? null : decodeIdCursor(cursor);
    const now = clock.now();
    const steps = await listEnforcedSteps(database, { budgetId }, { beforeId, limit: limit + 1, now });
    const { page, nextCursor } = takePage(steps, limit, (last) => [String(last.stepId)]);
    return context.json({ steps: page.map(showStep), nextCursor }, 200);
  });

  const dryRoute = createRoute({
    method: 'get',
    path: '/v1/enforcement/dry-run',
    tags: ['Enforcement'],
    summary: 'What a budget would have stopped and slowed down in a month, and what that would have saved',
    ...openTo(dependencies, 'finance', 'sales'),
    request: { query: DryRunQuery },
    responses: { 200: jsonContent(DryRunSchema, 'As though the budget had stood then.'), ...problems(404) },
  });
  api.openapi(dryRoute, async (context) => {
    const { budgetId, period, stopAtPermille = null } = context.req.valid('query');
    const asked = { budgetId, window: readOverMonth(period, clock.now()), stopAtPermille };
    const told = await readSnapshot(database, async (snapshot) => await runDry(snapshot, asked));
    return context.json(showDryRun(told), 200);
  });

  const act = {
    method: 'post' as const,
    tags: ['Enforcement'],
    ...openTo(dependencies, 'finance'),
    responses: { 200: jsonContent(StepSchema, 'The step as it is now.'), ...problems(404, 409, 413) },
  };
  const liftRoute = createRoute({
    ...act,
    path: '/v1/enforcement/steps/{id}/lift',
    summary: 'Let a step be until an instant, at most 31 days away; it holds again by itself',
    request: { params: StepParams, body: jsonBody(LiftBody) },
  });
  api.openapi(liftRoute, async (context) => {
    const { until, reason } = context.req.valid('json');
    const step = await liftStep(database, {
      stepId: BigInt(context.req.valid('param').id),
      until: new Date(until),
      reason: reason ?? null,
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showStep(step), 200);
  });

  const restoreRoute = createRoute({
    ...act,
    path: '/v1/enforcement/steps/{id}/restore',
    summary: 'Let a lifted step hold again at once',
    request: { params: StepParams, body: jsonBody(RestoreBody) },
  });
  api.openapi(restoreRoute, async (context) => {
    const step = await restoreStep(database, {
      stepId: BigInt(context.req.valid('param').id),
      reason: context.req.valid('json').reason ?? null,
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showStep(step), 200);
  });
}
