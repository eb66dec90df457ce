import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { answerWholeCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import { readTextCursor, takePage } from '../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { IdentifierSchema, PAGE_FIELDS, problems } from '../platform/http/schemas.ts';
import { usageWindowFields } from '../usage/hours/window.ts';
import { countOpenHours, readSettledThrough } from './gather.ts';
import { type AccrualQuery, type CustomerAccruals, readAccruals } from './report.ts';
import { ACCRUAL_COLUMNS, type AccrualRowBody, AccrualsSchema } from './schemas.ts';
import { accrualCells, showCustomerAccruals } from './show.ts';
import { readShownRows } from './shown-rows.ts';
import { readAccrualWindow } from './window.ts';

/** Adds `GET /v1/accruals`: what was used, what of it is on which invoice, and what is still to be invoiced. */
export function addAccrualRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/accruals',
    tags: ['Billing'],
    summary:
      'Earned and not yet invoiced at an instant, by customer and currency, and what is on which invoice',
    ...openTo(dependencies, 'finance'),
    request: {
      query: z.strictObject({
        at: usageWindowFields.to.openapi({
          description: 'Whole hour, not included. Without it: up to when all that was collected is settled.',
        }),
        from: usageWindowFields.from.openapi({
          description:
            'From when `earned` counts. Without it: the first of the UTC month that `at` is in, or ends.',
        }),
        customerId: IdentifierSchema.optional(),
        ...PAGE_FIELDS,
        ...CSV_FIELDS,
      }),
    },
    responses: {
      200: {
        description: `A page of customers with all their rows. ${CSV_DESCRIPTION}`,
        content: { 'application/json': { schema: AccrualsSchema }, 'text/csv': { schema: z.string() } },
      },
      ...problems(),
    },
  });
  api.openapi(route, async (context) => {
    const { at, from, customerId, cursor, limit } = context.req.valid('query');
    const now = clock.now();
    const readQuery = async (ledger: LedgerDatabase): Promise<AccrualQuery> => {
      const settledThrough = at === undefined ? await readSettledThrough(ledger) : null;
      return {
        window: readAccrualWindow({ at, from }, { settledThrough, now }),
        customerId: customerId ?? null,
        after: readTextCursor(cursor),
      };
    };
    if (wantsCsv(context)) {
      // What is refused has to be known before the first row is sent.
      const query = await readQuery(database);
      return await answerWholeCsv<AccrualRowBody>(
        context,
        database,
        ACCRUAL_COLUMNS,
        (snapshot, after, most) => readShownRows(snapshot, query, after, most),
        accrualCells,
      );
    }
    const { window, found, openHourCount } = await readSnapshot(database, async (snapshot) => {
      const query = await readQuery(snapshot);
      const found: CustomerAccruals[] = [];
      for await (const customers of readAccruals(snapshot, query)) {
        found.push(...customers);
        if (found.length > limit) break;
      }
      return { window: query.window, found, openHourCount: await countOpenHours(snapshot, query.window.end) };
    });
    const { page, nextCursor } = takePage(found, limit, (last) => [last.customerId]);
    return context.json(
      {
        asOf: now.toISOString(),
        from: window.start.toISOString(),
        at: window.end.toISOString(),
        openHourCount: String(openHourCount),
        customers: page.map(showCustomerAccruals),
        nextCursor,
      },
      200,
    );
  });
}
