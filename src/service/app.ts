import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { addAccrualRoutes } from '../accruals/routes.ts';
import { addAlertRoutes } from '../alerts/routes.ts';
import { addChangeRoutes } from '../anomalies/changes/routes.ts';
import { addLoadRoutes } from '../anomalies/noise/routes.ts';
import { addRepeatRoutes } from '../anomalies/repeats/routes.ts';
import { addAnomalyRoutes } from '../anomalies/routes.ts';
import { addCarriedUsageRoutes } from '../billing/carried-usage-routes.ts';
import { addCreditProposalRoutes } from '../billing/credit-routes.ts';
import { addInvoiceChoiceRoutes } from '../billing/uninvoiced/choice-routes.ts';
import { addUninvoicedRoutes } from '../billing/uninvoiced/routes.ts';
import { addBudgetRoutes } from '../budgets/routes.ts';
import { addCustomerRoutes } from '../catalog/customer-routes.ts';
import { addDisplayNameRoutes } from '../catalog/display-name-routes.ts';
import { addSubjectRoutes } from '../catalog/subject-routes.ts';
import { addCloseRoutes } from '../closing/routes.ts';
import { addConsole } from '../console/routes.ts';
import { addExchangeRoutes } from '../costs/exchange/routes.ts';
import { addMarginRoutes } from '../costs/margin-routes.ts';
import { addProvisionedRoutes } from '../costs/provisioned/routes.ts';
import { addCostRoutes } from '../costs/routes.ts';
import { addSwapRoutes } from '../costs/swaps/routes.ts';
import { addHardCapRoutes } from '../enforcement/cap-routes.ts';
import { addEnforcementRoutes } from '../enforcement/routes.ts';
import { createEnforcementState, type EnforcementState } from '../enforcement/state.ts';
import { addEnforcedStepRoutes } from '../enforcement/step-routes.ts';
import { addExportRoutes } from '../exports/routes.ts';
import { addKeyRoutes } from '../identity/key-routes.ts';
import { addOpenRoute } from '../links/open-routes.ts';
import { addPortalAccessRoutes } from '../links/portal-routes.ts';
import { addLinkRoutes } from '../links/routes.ts';
import { PAGE_HEADERS } from '../pages/document.ts';
import { addPlanRoutes } from '../plans/routes.ts';
import { toTallystickError } from '../platform/errors.ts';
import { limitBody } from '../platform/http/body-limit.ts';
import type { Api, ApiEnvironment } from '../platform/http/dependencies.ts';
import { addOpenApiDocument } from '../platform/http/openapi-document.ts';
import { errorFromZod, problemFromError, problemResponse } from '../platform/http/problem.ts';
import { addReferencePage } from '../platform/http/reference-page.ts';
import { requestIds } from '../platform/http/request-id.ts';
import { addPortal } from '../portal/routes.ts';
import { addCostProjectionRoutes } from '../previews/cost-projection-routes.ts';
import type { PreviewCache } from '../previews/dependencies.ts';
import { addInvoicePreviewRoutes } from '../previews/routes.ts';
import { readPriceBook } from '../prices/book.ts';
import { addDeploymentRoutes } from '../prices/deployment-routes.ts';
import { addPriceFileRoutes } from '../prices/file-routes.ts';
import { addPriceRoutes } from '../prices/routes.ts';
import { addPriceSyncRoutes } from '../prices/sync/routes.ts';
import { addQuarantineDeskRoutes } from '../quarantine/desk-routes.ts';
import { addQuarantineRoutes } from '../quarantine/routes.ts';
import { addQuotePage } from '../quotes/page/routes.ts';
import { addQuoteRoutes } from '../quotes/routes.ts';
import { addDriftRoutes } from '../reconciliation/drift-routes.ts';
import { addReconciliationRoutes } from '../reconciliation/routes.ts';
import { addSimulationRoutes } from '../simulations/routes.ts';
import type { StatementDependencies } from '../statements/dependencies.ts';
import { addEvidenceRoutes } from '../statements/evidence/routes.ts';
import { addStatementPages } from '../statements/page/routes.ts';
import { addStatementRoutes } from '../statements/routes.ts';
import { addHealthRoutes } from '../status/health-routes.ts';
import { addMetricsRoute } from '../status/metric-routes.ts';
import { addStatusRoutes } from '../status/routes.ts';
import { addRescanRoutes } from '../usage/collection/rescan-routes.ts';
import { addCoverageRoutes } from '../usage/coverage/routes.ts';
import { addUsageRoutes } from '../usage/hours/routes.ts';
import { addRecountRoutes } from '../usage/recounts/routes.ts';

/** What the whole API works with; the cache of previews and what gateways are told are fresh ones for each app unless given. */
export interface AppDependencies extends Omit<StatementDependencies, 'previewCache'> {
  previewCache?: PreviewCache;
  enforcement?: EnforcementState;
}

/** The largest body that other routes of the API need is a quote of 500 lines, well below this. */
const MAX_BODY_BYTES = 256 * 1024;
/** Whole price books, and the sheets that come from elsewhere. */
const MAX_PRICE_FILE_BYTES = 8 * 1024 * 1024;
const PRICE_FILE_PATH = '/v1/prices/import';

/**
 * Pages that are somebody's, some with a secret in their address. What answers below them besides the pages, which say it
 * themselves, is framed, kept and told on as little: redirects, errors, wrong methods.
 */
const OF_SOMEBODY = /^\/(?:portal|console|quotes|statements)(?:\/|$)/;

/**
 * The whole API over what it is given. It holds no state but a short cache of Stripe's previews and what gateways are told, opens
 * nothing and starts nothing, so the same function serves Node, a Worker and a test.
 */
export function createApp(dependencies: AppDependencies): Api {
  const app = new OpenAPIHono<ApiEnvironment>({
    defaultHook: (result) => {
      if (!result.success) throw errorFromZod(result.target, result.error);
    },
  });

  app.use(requestIds);
  app.use(async (context, next) => {
    context.header('X-Content-Type-Options', 'nosniff');
    if (context.req.path.startsWith('/v1/')) context.header('Cache-Control', 'no-store');
    if (OF_SOMEBODY.test(context.req.path))
      for (const [name, value] of Object.entries(PAGE_HEADERS)) context.header(name, value);
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
  const [limitUsual, limitPriceFile] = [limitBody(MAX_BODY_BYTES), limitBody(MAX_PRICE_FILE_BYTES)];
  app.use('/v1/*', (context, next) =>
    (context.req.path === PRICE_FILE_PATH ? limitPriceFile : limitUsual)(context, next),
  );

  addCustomerRoutes(app, dependencies);
  addDisplayNameRoutes(app, dependencies);
  addSubjectRoutes(app, dependencies);
  addUsageRoutes(app, dependencies);
  const previewing = { ...dependencies, previewCache: dependencies.previewCache ?? new Map() };
  addInvoicePreviewRoutes(app, previewing);
  addStatementRoutes(app, previewing);
  addEvidenceRoutes(app, previewing);
  addPlanRoutes(app, dependencies);
  addQuoteRoutes(app, dependencies);
  addCostRoutes(app, dependencies);
  addSwapRoutes(app, dependencies);
  addRepeatRoutes(app, dependencies);
  addChangeRoutes(app, dependencies);
  addLoadRoutes(app, dependencies);
  addCostProjectionRoutes(app, dependencies);
  addMarginRoutes(app, dependencies);
  addAlertRoutes(app, dependencies);
  addAnomalyRoutes(app, dependencies);
  const enforcement = dependencies.enforcement ?? openEnforcement(dependencies);
  addEnforcementRoutes(app, { ...dependencies, enforcement });
  addEnforcedStepRoutes(app, dependencies);
  addHardCapRoutes(app, dependencies);
  addBudgetRoutes(app, dependencies);
  addExportRoutes(app, dependencies);
  addExchangeRoutes(app, dependencies);
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
  addUninvoicedRoutes(app, dependencies);
  addAccrualRoutes(app, dependencies);
  addInvoiceChoiceRoutes(app, dependencies);
  addRescanRoutes(app, dependencies);
  addRecountRoutes(app, dependencies);
  addMetricsRoute(app, dependencies);
  addCoverageRoutes(app, dependencies, readPriceBook);
  addDriftRoutes(app, dependencies);
  addReconciliationRoutes(app, dependencies);
  addHealthRoutes(app, dependencies);
  addOpenApiDocument(app, dependencies);
  addReferencePage(app, dependencies);
  addKeyRoutes(app, dependencies);
  addLinkRoutes(app, dependencies);
  addPortalAccessRoutes(app, dependencies);
  addQuotePage(app, dependencies);
  addStatementPages(app, previewing);
  addConsole(app, previewing);
  addOpenRoute(app, dependencies);
  addPortal(app, previewing);
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

/** What gateways are told, as the configuration has it. */
function openEnforcement({ database, clock, settings }: AppDependencies): EnforcementState {
  return createEnforcementState({ database, clock, stopsUnknown: settings?.stopsUnknownCallers });
}
