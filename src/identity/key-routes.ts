import { createRoute, z } from '@hono/zod-openapi';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { InstantSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import { API_SCOPES } from './api-keys.ts';
import { exchangeOwnKey } from './exchange-key.ts';
import { openTo } from './require-scope.ts';

const ExchangedKeySchema = z
  .object({
    key: z.string().openapi({ description: 'The new secret, which is told this once.' }),
    apiKeyId: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(API_SCOPES)),
    takenOverAt: InstantSchema,
  })
  .openapi('ExchangedKey');

/** Adds `POST /v1/keys/own/exchange`. */
export function addKeyRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    tags: ['Keys'],
    ...openTo(dependencies, 'sales', 'finance', 'portal', 'gateway'),
    method: 'post',
    path: '/v1/keys/own/exchange',
    summary: 'Gives the key that calls another secret',
    description:
      'The old secret and the sessions that it began end at once. From then on the key is its holder’s alone, also where a second person is needed.',
    responses: { 201: jsonContent(ExchangedKeySchema, 'With the new secret.'), ...problems(404, 409) },
  });
  api.openapi(route, async (context) => {
    const now = clock.now();
    const { plainKey, key } = await exchangeOwnKey(database, context.get('caller'), { now });
    const { apiKeyId, name, scopes } = key;
    context.header('Cache-Control', 'no-store');
    return context.json({ key: plainKey, apiKeyId, name, scopes, takenOverAt: now.toISOString() }, 201);
  });
}
