import { createRoute, z } from '@hono/zod-openapi';
import { planProblems } from '../../pricing/plans/check.ts';
import { parsePlanFile, toPlan } from '../../pricing/plans/file.ts';
import { type Plan, type PlanProblem, planVersionAt } from '../../pricing/plans/plan.ts';
import { planRatesAt } from '../../pricing/plans/rates.ts';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { type ErrorCode, TallystickError, ValidationError } from '../platform/errors.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import { InstantSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import { readTextBody } from '../platform/http/text-body.ts';
import { readPriceBook } from '../prices/book.ts';
import { readGlobalMarkups, readPlan, readPlans, readUsedFeatures } from './plans.ts';
import { recordPlans } from './recording.ts';
import { PlanDetailSchema, PlanListSchema, PlanRecordingSchema, showPlan, showPlanHead } from './schemas.ts';

const PlanParams = z.object({ planId: z.string().max(100).openapi({ example: 'standard' }) });
const PlanQuery = z.strictObject({
  at: z
    .union([InstantSchema, z.iso.date()])
    .optional()
    .openapi({ type: 'string', description: 'An instant or a date, UTC; default: now.' }),
});
/** Described and not validated here: one reader takes YAML and JSON, and sees amounts as they were written. */
const PlanFileContent = {
  schema: { type: 'object' as const, description: 'A plan file, see docs/pricing.md, "Plans and rating".' },
};

/** Adds `GET /v1/plans`, `GET /v1/plans/{planId}` and `POST /v1/plans`. */
export function addPlanRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = { tags: ['Pricing'], ...openTo(dependencies, 'sales', 'finance') };

  const listRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/plans',
    summary: 'Plans and their versions',
    responses: { 200: jsonContent(PlanListSchema, 'All plans.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const now = clock.now();
    const plans = (await readSnapshot(database, readPlans)).map((plan) => showPlanHead(plan, now));
    return context.json({ asOf: now.toISOString(), plans }, 200);
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/plans/{planId}',
    summary: 'What a plan charges at an instant',
    request: { params: PlanParams, query: PlanQuery },
    responses: { 200: jsonContent(PlanDetailSchema, 'The plan.'), ...problems(404) },
  });
  api.openapi(getRoute, async (context) => {
    const now = clock.now();
    const { at: asked } = context.req.valid('query');
    const at = asked === undefined ? now : new Date(asked);
    const { plan, book } = await readSnapshot(database, async (snapshot) => ({
      plan: await readPlan(snapshot, context.req.valid('param').planId),
      book: await readPriceBook(snapshot),
    }));
    refuseBeforeFirst(plan, at);
    return context.json(showPlan(plan, planRatesAt(plan, at, book), at, now, book.version), 200);
  });

  const postRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/plans',
    summary: 'Record a new version of a plan, or a new plan',
    description: 'All problems are reported at once, and then nothing is recorded.',
    ...openTo(dependencies, 'finance'),
    request: {
      body: {
        required: true,
        content: { 'application/json': PlanFileContent, 'application/yaml': PlanFileContent },
      },
    },
    responses: {
      200: jsonContent(PlanRecordingSchema, 'Nothing is new.'),
      201: jsonContent(PlanRecordingSchema, 'Recorded.'),
      ...problems(409, 413, 422),
    },
  });
  api.openapi(postRoute, async (context) => {
    const data = await readCheckedPlan(dependencies, await readTextBody(context));
    const recording = await recordPlans(database, [data], { actor: actorOf(context), now: clock.now() });
    const [first] = recording.refused;
    if (first !== undefined) {
      throw new TallystickError(`Version ${first.versionId} of plan ${first.planId}: ${first.message}.`, {
        code: 'CONFLICT',
        retry: false,
        fix: first.fix,
      });
    }
    const { recorded, unchanged } = recording;
    return context.json({ recorded, unchanged }, recorded.length > 0 ? 201 : 200);
  });
}

/**
 * Reads a plan file and holds it against the price book and the features in use.
 * @throws TallystickError VALIDATION, or UNKNOWN_MODEL, _FEATURE or _CURRENCY, with every problem
 */
export async function readCheckedPlan({ database }: Pick<ApiDependencies, 'database'>, source: string) {
  const parsed = parsePlanFile(source);
  if (parsed.value === null) throw planError(parsed.problems);
  const { markups, ...context } = await readSnapshot(database, async (snapshot) => ({
    book: await readPriceBook(snapshot),
    features: await readUsedFeatures(snapshot),
    markups: await readGlobalMarkups(snapshot),
  }));
  const problems = planProblems(toPlan(parsed.value, markups), context);
  if (problems.length > 0) throw planError(problems);
  return parsed.value;
}

const UNKNOWN_CODES = {
  model: 'UNKNOWN_MODEL',
  feature: 'UNKNOWN_FEATURE',
  currency: 'UNKNOWN_CURRENCY',
} satisfies Record<string, ErrorCode>;

function planError(problems: readonly PlanProblem[]): TallystickError {
  const unknown = problems.find((problem) => problem.unknown !== undefined)?.unknown;
  const count = problems.length === 1 ? 'One thing is' : `${problems.length} things are`;
  const sentences = problems.slice(0, 5).map(({ path, message, fix }) => `${path}: ${message}. ${fix}`);
  return new TallystickError(`${count} wrong with the plan. ${sentences.join(' ')}`, {
    code: unknown === undefined ? 'VALIDATION' : UNKNOWN_CODES[unknown],
    retry: false,
    context: { errors: problems.map(({ path, message, fix }) => ({ field: path, message, fix })) },
  });
}

function refuseBeforeFirst(plan: Plan, at: Date): void {
  if (planVersionAt(plan, at) !== null) return;
  const first = plan.versions[0]?.effectiveFrom ?? 'never';
  throw new ValidationError('at', `plan ${plan.planId} begins at ${first}`, 'Ask for that instant or later.');
}
