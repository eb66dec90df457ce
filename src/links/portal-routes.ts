import { createRoute, z } from '@hono/zod-openapi';
import { beginPortalSession, endPortalSession } from '../identity/portal-sessions.ts';
import { openTo } from '../identity/require-scope.ts';
import { TallystickError } from '../platform/errors.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  problems,
} from '../platform/http/schemas.ts';
import { DEFAULT_VALID_DAYS, MOST_VALID_DAYS, makePortalLink, requireReader } from './portal-links.ts';

const READER_FIELDS = {
  customerId: IdentifierSchema,
  userId: IdentifierSchema.nullable().default(null).openapi({
    description: 'One user of the customer, who sees what is theirs alone. Null: the whole customer.',
  }),
};

const PortalLinkSchema = z
  .object({
    linkId: z.string().openapi({ description: 'To withdraw it by.' }),
    url: z.url(),
    expiresAt: InstantSchema,
  })
  .openapi('PortalLink');

const PortalSessionSchema = z
  .object({
    sessionId: z.string().openapi({ description: 'To end it by; opens nothing.' }),
    url: z.url().openapi({ description: 'For the frame. Whoever has it reads the portal until it expires.' }),
    expiresAt: InstantSchema,
  })
  .openapi('PortalSession');

/** Adds `POST /v1/portal/links`, and sessions that a host's own backend begins and ends. */
export function addPortalAccessRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, settings } = dependencies;
  const tags = ['Portal'];

  const linkRoute = createRoute({
    tags,
    ...openTo(dependencies, 'finance'),
    method: 'post',
    path: '/v1/portal/links',
    summary: 'Makes a link that opens the portal of a customer, or of one user, to whoever has it',
    request: {
      body: jsonBody(
        z
          .strictObject({
            ...READER_FIELDS,
            validDays: z.int().min(1).max(MOST_VALID_DAYS).default(DEFAULT_VALID_DAYS),
          })
          .openapi('PortalLinkRequest'),
      ),
    },
    responses: { 201: jsonContent(PortalLinkSchema, 'The link.'), ...problems(404) },
  });
  api.openapi(linkRoute, async (context) => {
    const { validDays, ...reader } = context.req.valid('json');
    const { origin } = new URL(context.req.url);
    const made = { origin, actor: actorOf(context), validDays };
    const { expiresAt, ...link } = await makePortalLink(dependencies, reader, made);
    return context.json({ ...link, expiresAt: expiresAt.toISOString() }, 201);
  });

  const sessionRoute = createRoute({
    tags,
    ...openTo(dependencies, 'portal'),
    method: 'post',
    path: '/v1/portal/sessions',
    summary: 'Begins a session of the portal for a frame of your own pages',
    request: {
      body: jsonBody(
        z
          .strictObject({ ...READER_FIELDS, validMinutes: z.int().min(1).max(1_440).default(60) })
          .openapi('PortalSessionRequest'),
      ),
    },
    responses: { 201: jsonContent(PortalSessionSchema, 'The session.'), ...problems(404) },
  });
  api.openapi(sessionRoute, async (context) => {
    const { validMinutes, ...reader } = context.req.valid('json');
    const { apiKeyId } = context.get('caller');
    if (apiKeyId === undefined) {
      throw new TallystickError('A session of the portal is begun with a key, and ends with it.', {
        code: 'FORBIDDEN',
        retry: false,
        fix: 'Send the key of the host, or make a link to the portal instead.',
      });
    }
    await requireReader(database, reader);
    const session = await beginPortalSession(database, reader, { apiKeyId }, validMinutes * 60);
    const origin = (settings?.publicUrl ?? new URL(context.req.url).origin).replace(/\/$/, '');
    return context.json(
      {
        sessionId: session.sessionId,
        url: `${origin}/portal/s/${session.token}`,
        expiresAt: session.expiresAt.toISOString(),
      },
      201,
    );
  });

  const endRoute = createRoute({
    tags,
    ...openTo(dependencies, 'portal'),
    method: 'delete',
    path: '/v1/portal/sessions/{sessionId}',
    summary: 'Ends a session of the portal at once; of another key only with the scope admin',
    request: { params: z.object({ sessionId: IdentifierSchema }) },
    responses: {
      200: jsonContent(z.object({ sessionId: z.string() }).openapi('EndedPortalSession'), 'It has ended.'),
      ...problems(404),
    },
  });
  api.openapi(endRoute, async (context) => {
    const { sessionId } = context.req.valid('param');
    const { apiKeyId = '', scopes } = context.get('caller');
    const ofKey = scopes.includes('admin') ? null : apiKeyId;
    if (await endPortalSession(database, sessionId, ofKey)) return context.json({ sessionId }, 200);
    throw new TallystickError('No live session of yours has this id.', { code: 'NOT_FOUND', retry: false });
  });
}
