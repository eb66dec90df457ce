import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { openToFound } from '../identity/require-scope.ts';
import type { Api, ApiEnvironment } from '../platform/http/dependencies.ts';
import { IdentifierSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import type { EnforcementDependencies } from './dependencies.ts';
import { keepCallers } from './kept-callers.ts';
import { CallerSchema, WholeSchema } from './schemas.ts';
import type { Answer } from './show.ts';
import { readGatewaySecrets, SIGNATURE_HEADER, signRevision } from './signature.ts';

const CallerQuery = z.strictObject({
  tenantKey: IdentifierSchema.openapi({
    description: 'The tenant of the caller’s token.',
    example: 'northwind',
  }),
  subject: IdentifierSchema.openapi({
    description: 'The user of the caller’s token.',
    example: 'user-00006',
  }),
});
const NOT_CHANGED = {
  description: 'Nothing has changed since the revision of `If-None-Match`.',
} as const;

/** Adds `/v1/enforcement`: what gateways do with whose calls. */
export function addEnforcementRoutes(api: Api, dependencies: EnforcementDependencies): void {
  const { enforcement, clock } = dependencies;
  const open = openToFound(keepCallers(dependencies), 'gateway', 'finance');
  const wholeRoute = createRoute({
    method: 'get',
    path: '/v1/enforcement',
    tags: ['Enforcement'],
    summary: 'Whom the gateway slows down, moves or stops, and why; signed, with an entity tag',
    ...open,
    responses: {
      200: jsonContent(WholeSchema, 'Whoever is not named is let through.'),
      304: NOT_CHANGED,
      ...problems(),
    },
  });
  const callerRoute = createRoute({
    method: 'get',
    path: '/v1/enforcement/caller',
    tags: ['Enforcement'],
    summary: 'What the gateway does with one caller, known or not; signed, with an entity tag',
    ...open,
    request: { query: CallerQuery },
    responses: {
      200: jsonContent(CallerSchema, 'A caller whom nobody knows has an answer, too.'),
      304: NOT_CHANGED,
      ...problems(),
    },
  });

  const send = async (context: Context<ApiEnvironment>, { body, revision }: Answer): Promise<Response> => {
    const tag = `"${revision}"`;
    context.header('ETag', tag);
    // Kept, and asked after each time: an answer that says that nothing has changed is a few bytes.
    context.header('Cache-Control', 'private, no-cache');
    context.header('Vary', 'Authorization');
    const secrets = await readGatewaySecrets(dependencies);
    context.header(SIGNATURE_HEADER, signRevision(secrets, revision, clock.now()));
    if (matches(context.req.header('if-none-match'), tag)) return context.body(null, 304);
    return context.body(body, 200, { 'Content-Type': 'application/json' });
  };
  api.openapi(wholeRoute, async (context) => (await send(context, await enforcement.whole())) as never);
  api.openapi(
    callerRoute,
    async (context) => (await send(context, await enforcement.about(context.req.valid('query')))) as never,
  );
}

/** Weak tags match as well: proxies that compress weaken ours. */
function matches(asked: string | undefined, tag: string): boolean {
  if (asked === undefined) return false;
  return asked.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === tag);
}
