import { createRoute, z } from '@hono/zod-openapi';
import {
  getSecondPersonRequest,
  listSecondPersonRequests,
  REQUEST_STATES,
} from '../../billing/second-person/requests.ts';
import { SecondPersonRequestSchema, showSecondPersonRequest } from '../../billing/second-person/schemas.ts';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { decodeIdCursor, takePage } from '../../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import {
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../../platform/http/schemas.ts';
import { ROW_ID } from '../../platform/row-id.ts';
import { agreeToRequest, declineRequest, readStanding } from './decide.ts';

const Params = z.object({
  id: z
    .string()
    .regex(ROW_ID, { error: 'must be the id of a request' })
    .openapi({ example: '17', description: 'From GET /v1/second-person.' }),
});
const DeclineBody = z
  .strictObject({
    reason: textSchema(2_000).refine((text) => text.trim() !== '', {
      error: 'is missing; say why it is not done',
    }),
  })
  .openapi('SecondPersonRefusal');

/** Adds `/v1/second-person`: acts above the amount that one person may decide, and what another says. */
export function addSecondPersonRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/second-person',
    tags: ['Billing'],
    summary: 'Acts that wait, or waited, for a second person',
    ...openTo(dependencies, 'finance'),
    request: { query: z.strictObject({ state: z.enum(REQUEST_STATES).optional(), ...PAGE_FIELDS }) },
    responses: {
      200: jsonContent(
        z
          .object({ requests: z.array(SecondPersonRequestSchema), nextCursor: z.string().nullable() })
          .openapi('SecondPersonRequests'),
        'The oldest first.',
      ),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { state, cursor, limit } = context.req.valid('query');
    const rows = await listSecondPersonRequests(
      database,
      { states: state === undefined ? undefined : [state], now: clock.now() },
      { afterId: cursor === undefined ? 0n : decodeIdCursor(cursor), limit: limit + 1 },
    );
    const { page, nextCursor } = takePage(rows, limit, (last) => [String(last.requestId)]);
    return context.json({ requests: page.map(showSecondPersonRequest), nextCursor }, 200);
  });

  const getRoute = createRoute({
    method: 'get',
    path: '/v1/second-person/{id}',
    tags: ['Billing'],
    summary: 'One of them, and how what it is about stands now',
    ...openTo(dependencies, 'finance'),
    request: { params: Params },
    responses: {
      200: jsonContent(
        z
          .object({
            request: SecondPersonRequestSchema,
            obstacle: z.string().nullable().openapi({ description: 'Why it can no longer be done.' }),
            changes: z
              .array(z.string())
              .openapi({ description: 'What has become another since it was asked for.' }),
            deadline: InstantSchema.nullable().openapi({ description: 'When it is too late.' }),
          })
          .openapi('StandingSecondPersonRequest'),
        'As things stand.',
      ),
      ...problems(404),
    },
  });
  api.openapi(getRoute, async (context) => {
    const requestId = BigInt(context.req.valid('param').id);
    const { request, obstacle, changes, deadline } = await readSnapshot(database, async (snapshot) =>
      readStanding(snapshot, await getSecondPersonRequest(snapshot, requestId, clock.now())),
    );
    return context.json(
      {
        request: showSecondPersonRequest(request),
        obstacle,
        changes,
        deadline: deadline?.toISOString() ?? null,
      },
      200,
    );
  });

  const deciding = { method: 'post' as const, tags: ['Billing'], ...openTo(dependencies) };
  const answers = (words: string) => ({
    200: jsonContent(SecondPersonRequestSchema, words),
    ...problems(404, 409, 413),
  });
  const agreeRoute = createRoute({
    ...deciding,
    path: '/v1/second-person/{id}/agree',
    summary: 'Agree as a second person: it is done, once, if its figures are still the same',
    request: { params: Params },
    responses: answers('Agreed and done.'),
  });
  api.openapi(agreeRoute, async (context) => {
    const requestId = BigInt(context.req.valid('param').id);
    const agreed = await agreeToRequest(dependencies, requestId, context.get('caller'));
    return context.json(showSecondPersonRequest(agreed), 200);
  });

  const declineRoute = createRoute({
    ...deciding,
    path: '/v1/second-person/{id}/decline',
    summary: 'Say no, for a reason that is kept; of who asked, it is withdrawn',
    request: { params: Params, body: jsonBody(DeclineBody) },
    responses: answers('Nothing is done.'),
  });
  api.openapi(declineRoute, async (context) => {
    const declined = await declineRequest(dependencies, BigInt(context.req.valid('param').id), {
      caller: context.get('caller'),
      reason: context.req.valid('json').reason,
    });
    return context.json(showSecondPersonRequest(declined), 200);
  });
}
