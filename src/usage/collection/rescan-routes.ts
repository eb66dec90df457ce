import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../../identity/require-scope.ts';
import {
  type Api,
  type ApiDependencies,
  actorOf,
  askForStep,
  DEFAULT_API_SETTINGS,
} from '../../platform/http/dependencies.ts';
import { InstantSchema, jsonBody, jsonContent, problems } from '../../platform/http/schemas.ts';
import { checkRescanWindow, getRescan, type Rescan, requestRescan } from './rescans.ts';

const instant = z.iso.datetime({ offset: true, error: 'must be an instant, e.g. 2026-11-01T00:00:00Z' });
const RescanBody = z
  .strictObject({
    from: instant.openapi({ example: '2026-11-01T00:00:00Z', description: 'First event time.' }),
    to: instant.openapi({ example: '2026-11-02T00:00:00Z', description: 'End, not included.' }),
  })
  .openapi('RescanRequest');

const CountSchema = z.string().regex(/^\d+$/);
const RescanSchema = z
  .object({
    id: z.string(),
    status: z.enum(['queued', 'running', 'done', 'failed']),
    from: InstantSchema,
    to: InstantSchema,
    doneUntil: InstantSchema.openapi({ description: 'Everything before it has been looked at.' }),
    rowCount: CountSchema.openapi({ description: 'Rows that the source holds there.' }),
    newRowCount: CountSchema.openapi({ description: 'Of these, rows that the ledger did not know.' }),
    usageEventCount: CountSchema,
    quarantinedRowCount: CountSchema,
    lastError: z.string().nullable(),
    requestedBy: z.string(),
    createdAt: InstantSchema,
    startedAt: InstantSchema.nullable(),
    finishedAt: InstantSchema.nullable(),
  })
  .openapi('Rescan');

/** Adds `POST /v1/rescans` and `GET /v1/rescans/{rescanId}`. */
export function addRescanRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = {
    tags: ['Pipeline'],
    ...openTo(dependencies),
  };

  const createRescan = createRoute({
    ...common,
    method: 'post',
    path: '/v1/rescans',
    summary: 'Look at a window of event time again, and add what the ledger does not know',
    request: { body: jsonBody(RescanBody) },
    responses: {
      202: jsonContent(RescanSchema, 'Taken; Location says where its state is.'),
      ...problems(413),
    },
  });
  api.openapi(createRescan, async (context) => {
    const { from, to } = context.req.valid('json');
    const window = { start: new Date(from), end: new Date(to) };
    const now = clock.now();
    const { sourceRetentionDays } = dependencies.settings ?? DEFAULT_API_SETTINGS;
    checkRescanWindow(window, { now, sourceRetentionDays });
    const rescan = await requestRescan(database, { window, requestedBy: actorOf(context), now });
    await askForStep(dependencies, 'rescan-usage', 'rescan');
    context.header('Location', `/v1/rescans/${rescan.rescanId}`);
    return context.json(showRescan(rescan), 202);
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/rescans/{rescanId}',
    summary: 'How far a rescan has come, and what it found',
    request: { params: z.object({ rescanId: z.string().max(100) }) },
    responses: { 200: jsonContent(RescanSchema, 'The rescan.'), ...problems(404) },
  });
  api.openapi(getRoute, async (context) =>
    context.json(showRescan(await getRescan(database, context.req.valid('param').rescanId)), 200),
  );
}

function showRescan(rescan: Rescan): z.infer<typeof RescanSchema> {
  return {
    id: rescan.rescanId,
    status: rescan.status,
    from: rescan.window.start.toISOString(),
    to: rescan.window.end.toISOString(),
    doneUntil: rescan.doneUntil.toISOString(),
    rowCount: String(rescan.rowCount),
    newRowCount: String(rescan.newRowCount),
    usageEventCount: String(rescan.usageEventCount),
    quarantinedRowCount: String(rescan.quarantinedRowCount),
    lastError: rescan.lastError,
    requestedBy: rescan.requestedBy,
    createdAt: rescan.createdAt.toISOString(),
    startedAt: rescan.startedAt?.toISOString() ?? null,
    finishedAt: rescan.finishedAt?.toISOString() ?? null,
  };
}
