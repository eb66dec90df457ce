import { createRoute, z } from '@hono/zod-openapi';
import { CustomerParams } from '../catalog/customer-routes.ts';
import { getCustomer } from '../catalog/customers.ts';
import type { KnownLink } from '../identity/links/links.ts';
import { LINK_KINDS } from '../identity/links/signature.ts';
import { openTo } from '../identity/require-scope.ts';
import { answerWholeCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonContent,
  PAGE_FIELDS,
  problems,
} from '../platform/http/schemas.ts';
import { LINK_STATES, listLinks, stateOf } from './list.ts';
import { withdrawCustomerLinks, withdrawLink } from './withdraw.ts';

const LinkSchema = z
  .object({
    linkId: z.string().openapi({ example: 'lnk_f8o2Ns0t3eQk1vXyZ4abCd' }),
    kind: z.enum(LINK_KINDS),
    targetId: z.string().openapi({ description: 'The quote, the invoice, or the customer.' }),
    customerId: z.string().nullable().openapi({ description: 'Null: of a quote for nobody in particular.' }),
    userId: z.string().nullable().openapi({ description: 'Of a portal of one user.' }),
    state: z.enum(LINK_STATES),
    expiresAt: InstantSchema,
    madeBy: z.string(),
    madeAt: InstantSchema,
    lastSeenAt: InstantSchema.nullable().openapi({ description: 'To the hour.' }),
    withdrawnAt: InstantSchema.nullable(),
    withdrawnBy: z.string().nullable(),
  })
  .openapi('Link');

const LinkListSchema = z
  .object({ links: z.array(LinkSchema), nextCursor: z.string().nullable() })
  .openapi('LinkList');

const WithdrawnAllSchema = z
  .object({
    customerId: z.string(),
    linkCount: z.int().openapi({ description: 'Living links that were withdrawn.' }),
    sessionCount: z.int().openapi({ description: 'Sessions of the portal that ended.' }),
  })
  .openapi('WithdrawnLinks');

const CSV_COLUMNS = [
  'linkId',
  'kind',
  'targetId',
  'customerId',
  'userId',
  'state',
  'expiresAt',
  'madeBy',
  'madeAt',
  'lastSeenAt',
  'withdrawnAt',
  'withdrawnBy',
] as const;

/** Adds `GET /v1/links` and what withdraws them. */
export function addLinkRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = { tags: ['Links'], ...openTo(dependencies, 'finance') };

  const listRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/links',
    summary: 'Signed links, the newest first',
    description: CSV_DESCRIPTION,
    request: {
      query: z.strictObject({
        kind: z.enum(LINK_KINDS).optional(),
        customerId: IdentifierSchema.optional(),
        state: z.enum(LINK_STATES).optional(),
        ...PAGE_FIELDS,
        ...CSV_FIELDS,
      }),
    },
    responses: {
      200: {
        description: 'JSON, or CSV with Accept: text/csv.',
        content: { 'application/json': { schema: LinkListSchema }, 'text/csv': { schema: z.string() } },
      },
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit, kind, customerId, state } = context.req.valid('query');
    const now = clock.now();
    const filter = { kind, customerId, state, now };
    if (wantsCsv(context)) {
      return await answerWholeCsv<KnownLink>(
        context,
        database,
        CSV_COLUMNS,
        (snapshot, after, batch) => listLinks(snapshot, filter, { after, limit: batch }),
        (link) => {
          const shown = showLink(link, now);
          return CSV_COLUMNS.map((column) => shown[column]);
        },
      );
    }
    const after = cursor === undefined ? null : readCursor(cursor);
    const found = await listLinks(database, filter, { after, limit: limit + 1 });
    const { page, nextCursor } = takePage(found, limit, (last) => [last.madeAt.toISOString(), last.linkId]);
    return context.json({ links: page.map((link) => showLink(link, now)), nextCursor }, 200);
  });

  const withdrawRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/links/{linkId}/withdraw',
    summary: 'Ends a link, and the sessions that it opened, at once',
    request: { params: z.object({ linkId: IdentifierSchema }) },
    responses: { 200: jsonContent(LinkSchema, 'As it is now.'), ...problems(404) },
  });
  api.openapi(withdrawRoute, async (context) => {
    const now = clock.now();
    const by = { actor: actorOf(context), now };
    const { link } = await withdrawLink(database, context.req.valid('param').linkId, by);
    return context.json(showLink(link, now), 200);
  });

  const withdrawAllRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/customers/{customerId}/links/withdraw',
    summary: 'Ends all links of a customer, also those that no list knows, and its sessions of the portal',
    request: { params: CustomerParams },
    responses: { 200: jsonContent(WithdrawnAllSchema, 'What ended.'), ...problems(404) },
  });
  api.openapi(withdrawAllRoute, async (context) => {
    const { customerId } = context.req.valid('param');
    await getCustomer(database, customerId);
    const by = { actor: actorOf(context), now: clock.now() };
    return context.json({ customerId, ...(await withdrawCustomerLinks(database, customerId, by)) }, 200);
  });
}

function showLink(link: KnownLink, now: Date) {
  return {
    linkId: link.linkId,
    kind: link.kind,
    targetId: link.targetId,
    customerId: link.customerId,
    userId: link.userId,
    state: stateOf(link, now),
    expiresAt: link.expiresAt.toISOString(),
    madeBy: link.madeBy,
    madeAt: link.madeAt.toISOString(),
    lastSeenAt: link.lastSeenAt?.toISOString() ?? null,
    withdrawnAt: link.withdrawnAt?.toISOString() ?? null,
    withdrawnBy: link.withdrawnBy,
  };
}

function readCursor(cursor: string) {
  const [made = '', linkId = ''] = decodeCursor(cursor, 2);
  const madeAt = new Date(made);
  if (Number.isNaN(madeAt.getTime())) throw invalidCursor();
  return { madeAt, linkId };
}
