import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import { IdentifierSchema, jsonBody, jsonContent, PAGE_FIELDS, problems } from '../platform/http/schemas.ts';
import { type Budget, getBudget, listBudgets } from './budgets.ts';
import { changeBudget, createBudget, endBudget, graceBudget } from './desk.ts';
import { addPastWindowRoutes } from './past/routes.ts';
import {
  BudgetChangeBody,
  BudgetSchema,
  BudgetsSchema,
  GraceBody,
  NewBudgetBody,
  OneBudgetSchema,
  readAmount,
  showBudget,
  showStanding,
  showStepEvent,
  toNewBudget,
} from './schemas.ts';
import { listHolders, readFreshness, readStandings } from './standings.ts';
import { listStepEvents } from './step-events.ts';

/** More than a person reads of one budget. */
const MOST_LISTED = 200;

const ListQuery = z.strictObject({
  customerId: IdentifierSchema.optional(),
  feature: IdentifierSchema.optional(),
  ended: z.enum(['true', 'false']).optional().openapi({ description: 'true: those that are ended, too.' }),
  ...PAGE_FIELDS,
});
const BudgetParams = z.object({ id: IdentifierSchema.openapi({ example: 'bud_x4s1' }) });

/** Adds `/v1/budgets`: what usage may come to, where it stands, and what was reached. */
export function addBudgetRoutes(api: Api, dependencies: ApiDependencies): void {
  addPastWindowRoutes(api, dependencies);
  const { database, clock } = dependencies;
  const common = { tags: ['Costs'], ...openTo(dependencies, 'finance') };
  const one = async (budget: Budget) =>
    await readSnapshot(database, async (snapshot) => {
      const now = clock.now();
      const [standing] = await readStandings(snapshot, [budget], now);
      const whole = standing ?? { budget, standing: null, holderCount: 0n, overCount: 0n, open: [] };
      return showBudget(whole, await readFreshness(snapshot, now), now);
    });

  const listRoute = createRoute({
    ...common,
    ...openTo(dependencies, 'finance', 'sales'),
    method: 'get',
    path: '/v1/budgets',
    summary: 'Budgets, and where they stand',
    request: { query: ListQuery },
    responses: { 200: jsonContent(BudgetsSchema, 'The newest first.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { customerId, feature, ended, cursor, limit } = context.req.valid('query');
    const now = clock.now();
    const after = cursor === undefined ? null : readCursor(cursor);
    const { rows, freshness } = await readSnapshot(database, async (snapshot) => {
      const filter = { customerId, feature, withEnded: ended === 'true' };
      const budgets = await listBudgets(snapshot, filter, { after, limit: limit + 1 });
      return {
        rows: await readStandings(snapshot, budgets, now),
        freshness: await readFreshness(snapshot, now),
      };
    });
    const { page, nextCursor } = takePage(rows, limit, ({ budget }) => [
      budget.createdAt.toISOString(),
      budget.budgetId,
    ]);
    return context.json({ budgets: page.map((row) => showBudget(row, freshness, now)), nextCursor }, 200);
  });

  const getRoute = createRoute({
    ...common,
    ...openTo(dependencies, 'finance', 'sales'),
    method: 'get',
    path: '/v1/budgets/{id}',
    summary: 'One budget: where its holders stand, and what happened to it',
    request: { params: BudgetParams },
    responses: { 200: jsonContent(OneBudgetSchema, 'The budget.'), ...problems(404) },
  });
  api.openapi(getRoute, async (context) => {
    const now = clock.now();
    const { id: budgetId } = context.req.valid('param');
    const answer = await readSnapshot(database, async (snapshot) => {
      const budget = await getBudget(snapshot, budgetId);
      const [standing] = await readStandings(snapshot, [budget], now);
      const freshness = await readFreshness(snapshot, now);
      const holders = budget.perUser
        ? await listHolders(snapshot, budgetId, { now, limit: MOST_LISTED })
        : [];
      const events = await listStepEvents(snapshot, { budgetId, limit: MOST_LISTED });
      const whole = standing ?? { budget, standing: null, holderCount: 0n, overCount: 0n, open: [] };
      return {
        ...showBudget(whole, freshness, now),
        holders: holders.map((holder) => showStanding(holder, budget.measure, freshness, now)),
        events: events.map((event) => showStepEvent(event, budget.measure)),
      };
    });
    return context.json(answer, 200);
  });

  const createBudgetRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/budgets',
    summary: 'Create a budget; it is judged within a minute, from the beginning of its window',
    request: { body: jsonBody(NewBudgetBody) },
    responses: { 201: jsonContent(BudgetSchema, 'Created.'), ...problems(404, 413) },
  });
  api.openapi(createBudgetRoute, async (context) => {
    const budget = await createBudget(database, toNewBudget(context.req.valid('json')), {
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(await one(budget), 201);
  });

  const act = {
    ...common,
    method: 'post' as const,
    responses: {
      200: jsonContent(BudgetSchema, 'Done; asked again it changes nothing.'),
      ...problems(404, 409, 413),
    },
  };
  const changeRoute = createRoute({
    ...act,
    path: '/v1/budgets/{id}/change',
    summary:
      'Another name, limit or ladder; steps are judged anew, and withdrawn where they are reached no longer',
    request: { params: BudgetParams, body: jsonBody(BudgetChangeBody) },
  });
  api.openapi(changeRoute, async (context) => {
    const { id: budgetId } = context.req.valid('param');
    const { limit, ...rest } = context.req.valid('json');
    const { measure } = await getBudget(database, budgetId);
    const budget = await changeBudget(database, {
      ...rest,
      budgetId,
      ...(limit === undefined ? {} : { limit: readAmount(limit, measure, 'limit') }),
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(await one(budget), 200);
  });

  const graceRoute = createRoute({
    ...act,
    path: '/v1/budgets/{id}/grace',
    summary: 'More for one time, once in a window',
    request: { params: BudgetParams, body: jsonBody(GraceBody) },
  });
  api.openapi(graceRoute, async (context) => {
    const { id: budgetId } = context.req.valid('param');
    const { extra, until, reason } = context.req.valid('json');
    const { measure } = await getBudget(database, budgetId);
    const budget = await graceBudget(database, {
      budgetId,
      extra: readAmount(extra, measure, 'extra'),
      until: until === undefined ? null : new Date(until),
      reason,
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(await one(budget), 200);
  });

  const endRoute = createRoute({
    ...act,
    path: '/v1/budgets/{id}/end',
    summary: 'Judge nothing by it any more; what was reached is withdrawn at once',
    request: { params: BudgetParams },
  });
  api.openapi(endRoute, async (context) => {
    const { id: budgetId } = context.req.valid('param');
    const budget = await endBudget(database, { budgetId, actor: actorOf(context), now: clock.now() });
    return context.json(await one(budget), 200);
  });
}

function readCursor(cursor: string): { createdAt: Date; budgetId: string } {
  const [at = '', budgetId = ''] = decodeCursor(cursor, 2);
  const createdAt = new Date(at);
  if (Number.isNaN(createdAt.getTime())) throw invalidCursor();
  return { createdAt, budgetId };
}
