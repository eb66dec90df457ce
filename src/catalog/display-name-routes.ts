import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { readTextCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { CustomerParams } from './customer-routes.ts';
import { getCustomer } from './customers.ts';
import { listDisplayNames, setDisplayNames } from './display-names.ts';

/** So many fit into a body with room for long ones. */
const MAX_NAMES = 2_000;

const NamesSchema = z
  .strictObject({
    names: z
      .record(IdentifierSchema, textSchema(512).trim().min(1, { error: 'must not be empty' }).nullable())
      .refine((names) => Object.keys(names).length <= MAX_NAMES, {
        error: `must be at most ${MAX_NAMES} names at a time`,
      })
      .openapi({
        example: { 'user-1': 'Ada Lovelace', 'user-2': null },
        description: `By user, as the gateway sends it; null takes a name away. At most ${MAX_NAMES} at a time; others stay.`,
      }),
  })
  .openapi('DisplayNamesChange');
const ChangedSchema = z
  .object({ setCount: z.int(), removedCount: z.int() })
  .openapi('DisplayNamesChanged', { description: 'How many are other than before.' });
const ListSchema = z
  .object({
    names: z.array(z.object({ subject: z.string(), name: z.string() })),
    nextCursor: z.string().nullable(),
  })
  .openapi('DisplayNames');

/** Adds `/v1/customers/{customerId}/display-names`: what its users are called where people read of them. */
export function addDisplayNameRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = {
    tags: ['Customers'],
    path: '/v1/customers/{customerId}/display-names' as const,
    ...openTo(dependencies, 'finance'),
  };

  const getRoute = createRoute({
    ...common,
    method: 'get',
    summary: 'What the users of a customer are called in its portal',
    request: { params: CustomerParams, query: z.strictObject(PAGE_FIELDS) },
    responses: { 200: jsonContent(ListSchema, 'A page.'), ...problems(404) },
  });
  api.openapi(getRoute, async (context) => {
    const { customerId } = context.req.valid('param');
    const { cursor, limit } = context.req.valid('query');
    const afterSubject = readTextCursor(cursor);
    const names = await readSnapshot(database, async (snapshot) => {
      await getCustomer(snapshot, customerId);
      return await listDisplayNames(snapshot, { customerId, afterSubject, limit: limit + 1 });
    });
    const { page, nextCursor } = takePage(names, limit, (last) => [last.subject]);
    return context.json({ names: page, nextCursor }, 200);
  });

  const putRoute = createRoute({
    ...common,
    method: 'put',
    summary:
      'Set what users of a customer are called in its portal; users that are not named stay as they are',
    request: { params: CustomerParams, body: jsonBody(NamesSchema) },
    responses: { 200: jsonContent(ChangedSchema, 'Done.'), ...problems(404, 413) },
  });
  api.openapi(putRoute, async (context) => {
    const { customerId } = context.req.valid('param');
    const names = new Map(Object.entries(context.req.valid('json').names));
    const change = { customerId, names, actor: actorOf(context), now: clock.now() };
    return context.json(await setDisplayNames(database, change), 200);
  });
}
