import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { toTallystickError } from '../errors.ts';
import { limitBody } from './body-limit.ts';
import { addCarriedUsageRoutes } from './carried-usage.ts';
import { addCloseRoutes } from './closes.ts';
import { addCostRoutes } from './costs.ts';
import { addCoverageRoutes } from './coverage.ts';
import { addCreditProposalRoutes } from './credit-proposals.ts';
import { addCustomerRoutes } from './customers.ts';
import type { Api, ApiDependencies, ApiEnvironment } from './dependencies.ts';
import { addDeploymentRoutes } from './deployments.ts';
import { addDriftRoutes } from './drift.ts';
import { addEvidenceRoutes } from './evidence.ts';
import { addHealthRoutes } from './health.ts';
import { addInvoicePreviewRoutes } from './invoice-preview.ts';
import { addMarginRoutes } from './margins.ts';
import { addMetricsRoute } from './metrics.ts';
import { addOpenApiDocument } from './openapi-document.ts';
import { addPlanRoutes } from './plans.ts';
import { addPriceFileRoutes } from './price-files.ts';
import { addPriceSyncRoutes } from './price-sync.ts';
import { addPriceRoutes } from './prices.ts';
import { errorFromZod, problemFromError, problemResponse } from './problem.ts';
import { addProvisionedRoutes } from './provisioned.ts';
import { addQuarantineRoutes } from './quarantine.ts';
import { addQuarantineDeskRoutes } from './quarantine-desk.ts';
import { addQuotePage } from './quote-pages.ts';
import { addQuoteRoutes } from './quotes.ts';
import { addReconciliationRoutes } from './reconciliations.ts';
import { addReferencePage } from './reference-page.ts';
import { requestIds } from './request-id.ts';
import { addRescanRoutes } from './rescans.ts';
import { addSimulationRoutes } from './simulations.ts';
import { addStatementPages } from './statement-pages.ts';
import { addStatementRoutes } from './statements.ts';
import { addStatusRoutes } from './status.ts';
import { addSubjectRoutes } from './subjects.ts';
import { addUsageRoutes } from './usage.ts';

export type { ApiDependencies } from './dependencies.ts';

/** The largest body any route of the API needs is a quote of 500 lines, well below this. */
export const MAX_BODY_BYTES = 256 * 1024;

/**
 * The whole API over what it is given. It holds no state but a short cache of Stripe's previews, opens
 * nothing and starts nothing, so the same function serves Node, a Worker and a test.
 */
export function createApp(dependencies: ApiDependencies): Api {
  const app = new OpenAPIHono<ApiEnvironment>({
    defaultHook: (result) => {
      if (!result.success) throw errorFromZod(result.target, result.error);
    },
  });

  app.use(requestIds);
  app.use(async (context, next) => {
    context.header('X-Content-Type-Options', 'nosniff');
    if (context.req.path.startsWith('/v1/')) context.header('Cache-Control', 'no-store');
    await next();
  });
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (context, methods) =>
        problemResponse(
          context,
          'METHOD_NOT_ALLOWED',
          `${context.req.method} is not offered here; ${methods.join(', ')} is.`,
          { headers: { Allow: methods.join(', ') } },
        ),
    }),
  );
  app.use('/v1/*', limitBody(MAX_BODY_BYTES));

  addCustomerRoutes(app, dependencies);
  addSubjectRoutes(app, dependencies);
  addUsageRoutes(app, dependencies);
  const previewing = { ...dependencies, previewCache: dependencies.previewCache ?? new Map() };
  addInvoicePreviewRoutes(app, previewing);
  addStatementRoutes(app, previewing);
  addEvidenceRoutes(app, dependencies);
  addPlanRoutes(app, dependencies);
  addQuoteRoutes(app, dependencies);
  addCostRoutes(app, dependencies);
  addMarginRoutes(app, dependencies);
  addProvisionedRoutes(app, dependencies);
  addSimulationRoutes(app, dependencies);
  addPriceRoutes(app, dependencies);
  addPriceFileRoutes(app, dependencies);
  addDeploymentRoutes(app, dependencies);
  addPriceSyncRoutes(app, dependencies);
  addStatusRoutes(app, dependencies);
  addQuarantineRoutes(app, dependencies);
  addQuarantineDeskRoutes(app, dependencies);
  addCarriedUsageRoutes(app, dependencies);
  addCloseRoutes(app, dependencies);
  addCreditProposalRoutes(app, dependencies);
  addRescanRoutes(app, dependencies);
  addMetricsRoute(app, dependencies);
  addCoverageRoutes(app, dependencies);
  addDriftRoutes(app, dependencies);
  addReconciliationRoutes(app, dependencies);
  addHealthRoutes(app, dependencies);
  addOpenApiDocument(app, dependencies);
  addReferencePage(app, dependencies);
  addQuotePage(app, dependencies);
  addStatementPages(app, previewing);
  if (dependencies.webhooks !== undefined) app.route('/webhooks', dependencies.webhooks);

  app.notFound((context) =>
    problemResponse(context, 'NOT_FOUND', `${context.req.path} is not here; /docs lists what is.`),
  );
  app.onError((error, context) => {
    if (error instanceof HTTPException && error.status < 500) {
      const detail = error.status === 400 ? 'The body is not well-formed JSON.' : error.message;
      return problemResponse(context, 'VALIDATION', detail, {
        errors: [{ field: 'body', message: detail, fix: 'Send JSON with Content-Type: application/json.' }],
      });
    }
    const known = toTallystickError(error);
    const response = problemFromError(context, known);
    if (response.status >= 500) {
      const fields = {
        err: error,
        code: known.code,
        context: known.context,
        requestId: context.get('requestId'),
      };
      dependencies.log?.error(fields, 'a request failed');
    }
    return response;
  });
  return app;
}
