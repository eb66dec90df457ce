import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { decodeIdCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { ROW_ID } from '../platform/row-id.ts';
import { decideOnFinding, snoozeFinding } from './desk.ts';
import { FINDING_GROUPS, listFindings, readFindingFigures } from './findings.ts';
import { FindingSchema, FindingsSchema, showFigures, showFinding } from './schemas.ts';

const ListQuery = z.strictObject({
  group: z.enum(FINDING_GROUPS).optional(),
  customerId: IdentifierSchema.optional(),
  ...PAGE_FIELDS,
});
const FindingParams = z.object({
  id: z
    .string()
    .regex(ROW_ID, { error: 'must be the id of an anomaly' })
    .openapi({ example: '17', description: 'From GET /v1/anomalies.' }),
});
const ReasonSchema = textSchema(2_000).openapi({ example: 'A load test, announced on Monday.' });
const SaidBody = z.strictObject({ reason: ReasonSchema.optional() }).openapi('AnomalyAcknowledgement');
const DismissBody = z.strictObject({ reason: ReasonSchema }).openapi('AnomalyDismissal');
const SnoozeBody = z.strictObject({ until: InstantSchema }).openapi('AnomalySnooze');

/** Adds `/v1/anomalies`: usage that stands out, and what people say of it. */
export function addAnomalyRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/anomalies',
    tags: ['Costs'],
    summary: 'Usage that stands out: who, what, how much so far and how much if it goes on',
    ...openTo(dependencies, 'finance', 'sales'),
    request: { query: ListQuery },
    responses: { 200: jsonContent(FindingsSchema, 'The newest first.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { group, customerId, cursor, limit } = context.req.valid('query');
    const now = clock.now();
    const beforeId = cursor === undefined ? null : decodeIdCursor(cursor);
    const { rows, figures } = await readSnapshot(database, async (snapshot) => ({
      rows: await listFindings(snapshot, { group, customerId }, { beforeId, limit: limit + 1, now }),
      figures: await readFindingFigures(snapshot, now),
    }));
    const { page, nextCursor } = takePage(rows, limit, (last) => [String(last.findingId)]);
    return context.json({ anomalies: page.map(showFinding), figures: showFigures(figures), nextCursor }, 200);
  });

  const act = {
    method: 'post' as const,
    tags: ['Costs'],
    ...openTo(dependencies, 'finance'),
    responses: {
      200: jsonContent(FindingSchema, 'Said; saying it again changes nothing.'),
      ...problems(404, 409, 413),
    },
  };
  const acknowledgeRoute = createRoute({
    ...act,
    path: '/v1/anomalies/{id}/acknowledge',
    summary: 'Say that it is real, and that somebody sees to it',
    request: { params: FindingParams, body: jsonBody(SaidBody) },
  });
  api.openapi(acknowledgeRoute, async (context) => {
    const finding = await decideOnFinding(database, {
      findingId: BigInt(context.req.valid('param').id),
      decision: 'acknowledged',
      reason: context.req.valid('json').reason ?? null,
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showFinding(finding), 200);
  });

  const dismissRoute = createRoute({
    ...act,
    path: '/v1/anomalies/{id}/dismiss',
    summary: 'Say that it is none, for a reason that is kept',
    request: { params: FindingParams, body: jsonBody(DismissBody) },
  });
  api.openapi(dismissRoute, async (context) => {
    const finding = await decideOnFinding(database, {
      findingId: BigInt(context.req.valid('param').id),
      decision: 'dismissed',
      reason: context.req.valid('json').reason,
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showFinding(finding), 200);
  });

  const snoozeRoute = createRoute({
    ...act,
    path: '/v1/anomalies/{id}/snooze',
    summary: 'Ask to be reminded of it later, at most 90 days from now',
    request: { params: FindingParams, body: jsonBody(SnoozeBody) },
  });
  api.openapi(snoozeRoute, async (context) => {
    const finding = await snoozeFinding(database, {
      findingId: BigInt(context.req.valid('param').id),
      until: new Date(context.req.valid('json').until),
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showFinding(finding), 200);
  });
}
