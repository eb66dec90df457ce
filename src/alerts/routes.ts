import { createRoute, z } from '@hono/zod-openapi';
import { ALERT_KINDS } from '../../pricing/alerts/facts.ts';
import { openTo } from '../identity/require-scope.ts';
import { decodeIdCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf, askForStep } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { ROW_ID } from '../platform/row-id.ts';
import { acknowledgeAlert, resendAlert, testRoute } from './desk.ts';
import { DELIVERY_STATES, listAlerts } from './list.ts';
import { createRoute as createAlertRoute, endRoute, listRoutes } from './route-store.ts';
import { AlertSchema, RouteBody, RouteSchema, readTerms, showAlert, showRoute } from './schemas.ts';

const ListQuery = z.strictObject({
  kind: z.enum(ALERT_KINDS).optional(),
  customerId: IdentifierSchema.optional(),
  state: z.enum(DELIVERY_STATES).optional(),
  ...PAGE_FIELDS,
});
const AlertParams = z.object({ id: z.string().regex(ROW_ID, { error: 'must be the id of an alert' }) });
const RouteIdSchema = z
  .string()
  .regex(/^route_[A-Za-z0-9_-]{16}$/, { error: 'must be the id of an alert route' });
const RouteParams = z.object({ id: RouteIdSchema });
const EmptyBody = z.strictObject({});

/** Adds `/v1/alerts` and `/v1/alert-routes`: what people were told, and where it goes. */
export function addAlertRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = { tags: ['Alerts'], ...openTo(dependencies, 'finance') };

  const listRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/alerts',
    summary: 'What was told, and what became of it on each route',
    request: { query: ListQuery },
    responses: {
      200: jsonContent(
        z.object({ alerts: z.array(AlertSchema), nextCursor: z.string().nullable() }).openapi('Alerts'),
        'The newest first.',
      ),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit, ...filter } = context.req.valid('query');
    const beforeId = cursor === undefined ? null : decodeIdCursor(cursor);
    const rows = await listAlerts(database, filter, { beforeId, limit: limit + 1 });
    const { page, nextCursor } = takePage(rows, limit, (last) => [String(last.alertId)]);
    return context.json({ alerts: page.map(showAlert), nextCursor }, 200);
  });

  const acknowledge = createRoute({
    ...common,
    method: 'post',
    path: '/v1/alerts/{id}/acknowledge',
    summary: 'Say that somebody sees to it',
    request: {
      params: AlertParams,
      body: jsonBody(
        z.strictObject({ reason: textSchema(2_000).optional() }).openapi('AlertAcknowledgement'),
      ),
    },
    responses: {
      200: jsonContent(AlertSchema, 'Said; saying it again changes nothing.'),
      ...problems(404, 413),
    },
  });
  api.openapi(acknowledge, async (context) => {
    const alertId = BigInt(context.req.valid('param').id);
    const reason = context.req.valid('json').reason ?? null;
    const alert = await acknowledgeAlert(database, {
      alertId,
      reason,
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showAlert(alert), 200);
  });

  const resend = createRoute({
    ...common,
    method: 'post',
    path: '/v1/alerts/{id}/resend',
    summary: 'Send it to a route again',
    request: {
      params: AlertParams,
      body: jsonBody(z.strictObject({ routeId: RouteIdSchema }).openapi('AlertResending')),
    },
    responses: { 202: jsonContent(AlertSchema, 'It is on its way.'), ...problems(404, 409, 413) },
  });
  api.openapi(resend, async (context) => {
    const alertId = BigInt(context.req.valid('param').id);
    const { routeId } = context.req.valid('json');
    const alert = await resendAlert(database, {
      alertId,
      routeId,
      actor: actorOf(context),
      now: clock.now(),
    });
    await askForStep(dependencies, 'send-alerts', 'an alert was sent again');
    return context.json(showAlert(alert), 202);
  });

  const listOfRoutes = createRoute({
    ...common,
    method: 'get',
    path: '/v1/alert-routes',
    summary: 'Where alerts go',
    responses: {
      200: jsonContent(z.object({ routes: z.array(RouteSchema) }).openapi('AlertRoutes'), 'By name.'),
      ...problems(),
    },
  });
  api.openapi(listOfRoutes, async (context) =>
    context.json({ routes: (await listRoutes(database)).map(showRoute) }, 200),
  );

  const create = createRoute({
    ...common,
    method: 'post',
    path: '/v1/alert-routes',
    summary: 'Have alerts sent somewhere, from now on',
    request: { body: jsonBody(RouteBody) },
    responses: { 201: jsonContent(RouteSchema, 'Made.'), ...problems(409, 413) },
  });
  api.openapi(create, async (context) => {
    const terms = readTerms(context.req.valid('json'));
    const route = await createAlertRoute(database, { terms, actor: actorOf(context), now: clock.now() });
    return context.json(showRoute(route), 201);
  });

  const end = createRoute({
    ...common,
    method: 'post',
    path: '/v1/alert-routes/{id}/end',
    summary: 'Send nothing there any more',
    request: { params: RouteParams, body: jsonBody(EmptyBody) },
    responses: { 200: jsonContent(RouteSchema, 'Ended.'), ...problems(404, 413) },
  });
  api.openapi(end, async (context) => {
    const routeId = context.req.valid('param').id;
    const route = await endRoute(database, { routeId, actor: actorOf(context), now: clock.now() });
    return context.json(showRoute(route), 200);
  });

  const test = createRoute({
    ...common,
    method: 'post',
    path: '/v1/alert-routes/{id}/test',
    summary: 'Send a test there; GET /v1/alerts?kind=test tells what became of it',
    request: { params: RouteParams, body: jsonBody(EmptyBody) },
    responses: { 202: jsonContent(RouteSchema, 'It is on its way.'), ...problems(404, 413) },
  });
  api.openapi(test, async (context) => {
    const routeId = context.req.valid('param').id;
    const route = await testRoute(database, { routeId, actor: actorOf(context), now: clock.now() });
    await askForStep(dependencies, 'send-alerts', 'a test of a route');
    return context.json(showRoute(route), 202);
  });
}
