import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { type Api, type ApiDependencies, actorOf, askForStep } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  problems,
} from '../platform/http/schemas.ts';
import { checkReconciliationWindow } from './drift-window.ts';
import { getReconciliation, type Reconciliation, requestReconciliation } from './reconciliations.ts';

const instant = z.iso.datetime({ offset: true, error: 'must be an instant, e.g. 2026-11-01T00:00:00Z' });
const ReconciliationBody = z
  .strictObject({
    from: instant.openapi({ example: '2026-11-01T00:00:00Z' }),
    to: instant.openapi({ example: '2026-11-02T00:00:00Z', description: 'Not included.' }),
    customerId: IdentifierSchema.optional(),
  })
  .openapi('ReconciliationRequest');

const count = z.int().nonnegative();
const ReconciliationSchema = z
  .object({
    id: z.string(),
    status: z.enum(['queued', 'running', 'done', 'failed']),
    from: InstantSchema,
    to: InstantSchema,
    customerId: z.string().nullable(),
    result: z
      .object({
        hourCount: count.openapi({ description: 'Settled hours read from OpenMeter once more.' }),
        reopenedHourCount: count.openapi({ description: 'Of these, hours that differ now.' }),
        sourceDifferenceCount: count,
        pairCount: count.openapi({ description: 'Customers and meters held against Stripe.' }),
        stripeReadCount: count,
        billingDriftCount: count.openapi({ description: 'Customer-hours in which Stripe counts otherwise.' }),
        unexplainedCount: count,
        repairedPushCount: count,
        unreadPairCount: count.openapi({ description: "Pairs that the day's reads did not reach." }),
      })
      .nullable(),
    lastError: z.string().nullable(),
    requestedBy: z.string(),
    createdAt: InstantSchema,
    finishedAt: InstantSchema.nullable(),
  })
  .openapi('Reconciliation');

/** Adds `POST /v1/reconciliations` and `GET /v1/reconciliations/{reconciliationId}`. */
export function addReconciliationRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = {
    tags: ['Pipeline'],
    ...openTo(dependencies),
  };
  const createReconciliation = createRoute({
    ...common,
    method: 'post',
    path: '/v1/reconciliations',
    summary: 'Hold source, meter and bill of a window against each other now',
    request: { body: jsonBody(ReconciliationBody) },
    responses: {
      202: jsonContent(ReconciliationSchema, 'Taken; Location says where its state is.'),
      ...problems(404, 413),
    },
  });
  api.openapi(createReconciliation, async (context) => {
    const { from, to, customerId } = context.req.valid('json');
    const now = clock.now();
    const window = { start: new Date(from), end: new Date(to) };
    checkReconciliationWindow(window, now);
    const requested = await requestReconciliation(database, {
      window,
      customerId: customerId ?? null,
      requestedBy: actorOf(context),
      now,
    });
    await askForStep(dependencies, 'reconcile', 'reconciliation');
    context.header('Location', `/v1/reconciliations/${requested.reconciliationId}`);
    return context.json(showReconciliation(requested), 202);
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/reconciliations/{reconciliationId}',
    summary: 'What a reconciliation found',
    request: { params: z.object({ reconciliationId: z.string().max(100) }) },
    responses: {
      200: jsonContent(ReconciliationSchema, 'The reconciliation.'),
      ...problems(404),
    },
  });
  api.openapi(getRoute, async (context) => {
    const found = await getReconciliation(database, context.req.valid('param').reconciliationId);
    return context.json(showReconciliation(found), 200);
  });
}

function showReconciliation(reconciliation: Reconciliation): z.output<typeof ReconciliationSchema> {
  return {
    id: reconciliation.reconciliationId,
    status: reconciliation.status,
    from: reconciliation.window.start.toISOString(),
    to: reconciliation.window.end.toISOString(),
    customerId: reconciliation.customerId,
    result: reconciliation.result as z.output<typeof ReconciliationSchema>['result'],
    lastError: reconciliation.lastError,
    requestedBy: reconciliation.requestedBy,
    createdAt: reconciliation.createdAt.toISOString(),
    finishedAt: reconciliation.finishedAt?.toISOString() ?? null,
  };
}
