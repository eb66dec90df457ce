import { createRoute, z } from '@hono/zod-openapi';
import { formatAmount } from '../../../pricing/budgets/amounts.ts';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { decodeCursor, invalidCursor, takePage } from '../../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import {
  CountSchema,
  IdentifierSchema,
  InstantSchema,
  jsonContent,
  PAGE_FIELDS,
  problems,
} from '../../platform/http/schemas.ts';
import { type Budget, getBudget } from '../budgets.ts';
import { StepSchema } from '../schemas.ts';
import { listPastWindows, MOST_COUNTED, type PastWindow } from './windows.ts';

const PAGE = 24;

const Params = z.object({ id: IdentifierSchema.openapi({ example: 'bud_x4s1' }) });
const Query = z.strictObject({ cursor: PAGE_FIELDS.cursor });

const PastWindowSchema = z
  .object({
    windowStart: InstantSchema,
    windowEnd: InstantSchema,
    customerId: z.string().nullable(),
    userId: z.string().nullable().openapi({ description: 'Of a budget of users: who used most.' }),
    used: z.string().openapi({ description: 'As the limit; of users by the one who used most.' }),
    limit: z.string().openapi({ description: 'As it was in the end, with a grace.' }),
    unpricedTokenCount: CountSchema,
    unknownReason: z.string().nullable(),
    overCount: CountSchema.openapi({
      description: `Who used all of it, or more; of the ${MOST_COUNTED} who used most.`,
    }),
    steps: z
      .array(z.object({ step: StepSchema, reachedCount: z.int(), withdrawnCount: z.int() }))
      .openapi({ description: `What was reached in it, by how many; of its first ${MOST_COUNTED} steps.` }),
  })
  .openapi('PastBudgetWindow');
const PastWindowsSchema = z
  .object({ windows: z.array(PastWindowSchema), nextCursor: z.string().nullable() })
  .openapi('PastBudgetWindows');
export type PastWindowsBody = z.output<typeof PastWindowsSchema>;

/** Adds `/v1/budgets/{id}/windows`. */
export function addPastWindowRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/budgets/{id}/windows',
    tags: ['Costs'],
    summary: 'How the windows of a budget that are over ended: used, limit, steps reached',
    ...openTo(dependencies, 'finance', 'sales'),
    request: { params: Params, query: Query },
    responses: { 200: jsonContent(PastWindowsSchema, `The newest first, ${PAGE} a page.`), ...problems(404) },
  });
  api.openapi(route, async (context) => {
    const { cursor } = context.req.valid('query');
    const before = cursor === undefined ? null : readCursor(cursor);
    const { budget, rows } = await readSnapshot(database, async (snapshot) => {
      const budget = await getBudget(snapshot, context.req.valid('param').id);
      const page = { now: clock.now(), before, limit: PAGE + 1 };
      return { budget, rows: await listPastWindows(snapshot, budget, page) };
    });
    const { page, nextCursor } = takePage(rows, PAGE, (last) => [last.windowStart.toISOString()]);
    return context.json({ windows: page.map((row) => show(row, budget)), nextCursor }, 200);
  });
}

function readCursor(cursor: string): Date {
  const [at = ''] = decodeCursor(cursor, 1);
  const instant = new Date(at);
  if (Number.isNaN(instant.getTime())) throw invalidCursor();
  return instant;
}

function show(
  { windowStart, windowEnd, customerId, subject, used, effectiveLimit, ...row }: PastWindow,
  budget: Budget,
): PastWindowsBody['windows'][number] {
  return {
    windowStart: windowStart.toISOString(),
    windowEnd: windowEnd.toISOString(),
    customerId: customerId || budget.customerId,
    userId: subject || budget.subject,
    used: formatAmount(used, budget.measure),
    limit: formatAmount(effectiveLimit, budget.measure),
    unpricedTokenCount: String(row.unpricedTokenCount),
    unknownReason: row.unknownReason,
    overCount: String(row.overCount),
    steps: row.steps,
  };
}
