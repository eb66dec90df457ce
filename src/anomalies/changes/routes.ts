import { createRoute } from '@hono/zod-openapi';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { type Api, type ApiDependencies, actorOf } from '../../platform/http/dependencies.ts';
import { jsonBody, jsonContent, problems } from '../../platform/http/schemas.ts';
import { ChangeBody, ChangeSchema, ChangesSchema, showChange, toChange } from './schemas.ts';
import { listChanges, recordChange } from './store.ts';

/** Adds `/v1/costs/changes`: what was changed to save cost, and what came of it. */
export function addChangeRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/costs/changes',
    tags: ['Costs'],
    summary: 'Swaps, caches and caps that were made: what was forecast, and what they really saved',
    ...openTo(dependencies, 'sales', 'finance'),
    responses: { 200: jsonContent(ChangesSchema, 'The newest first, 100 at most.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const now = clock.now();
    const changes = await readSnapshot(database, (snapshot) => listChanges(snapshot, now));
    return context.json({ changes: changes.map(showChange) }, 200);
  });

  const recordRoute = createRoute({
    method: 'post',
    path: '/v1/costs/changes',
    tags: ['Costs'],
    summary: 'Say that a swap, a cache or a cap was made; what it should save is kept with it',
    ...openTo(dependencies, 'finance'),
    request: { body: jsonBody(ChangeBody) },
    responses: {
      200: jsonContent(ChangeSchema, 'Recorded; saying it again changes nothing.'),
      ...problems(413),
    },
  });
  api.openapi(recordRoute, async (context) => {
    const recorded = await recordChange(database, {
      ...toChange(context.req.valid('json')),
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showChange(recorded), 200);
  });
}
