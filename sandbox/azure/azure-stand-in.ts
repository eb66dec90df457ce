/**
 * Stand-in for the Azure Monitor Logs query API (`api.loganalytics.io`), backed by seeded traffic.
 *
 * It models: POST /v1/workspaces/{guid}/query (tables AppMetrics, ApiManagementGatewayLlmLog and
 * ApiManagementGatewayLogs) and POST /v1/{ARM resource id}/query (table
 * customMetrics, for resources of type microsoft.insights/components; AppMetrics for others); the bearer
 * requirement; the body's `timespan`, ANDed with the query; rows that become visible only when their ingestion
 * instant has passed; event times more than two days old or a day ahead replaced by the receipt time; 100 ns
 * ticks; typed columns; the 500,000 row limit with PartialError at 200; the service's error codes; an empty 200
 * for a body that is not declared JSON; and, when switched on, the faults of faults.ts.
 *
 * It does not model: validation of the token (any non-empty bearer passes), the 100 MiB limit, the rate limit
 * of 200 queries in 30 seconds and the queue behind five concurrent ones (switch on `throttled` instead),
 * `workspaces`, `$batch`, statistics and rendering, other tables, or KQL beyond ./kql, which answers 400 to
 * everything it does not understand. `hash()` spreads like Kusto's and has other values.
 *
 * It keeps no journal: its state is the traffic, which is a function of the scenario.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { createRandom, deriveSeed } from '../random.ts';
import type { StandIn, StandInContext } from '../stand-in.ts';
import type { RequestLog } from '../traffic/log-row.ts';
import type { Traffic } from '../traffic/row.ts';
import { answerQuery } from './answer-query.ts';
import { type AzureFaultSettings, FaultPlan } from './faults.ts';
import { COMPONENT_TABLES, WORKSPACE_TABLES } from './tables.ts';
import { FAULT_ANSWERS } from './wire.ts';

/** The workspace the sandbox configures itself with. */
export const SANDBOX_WORKSPACE_ID = '5a1b0c52-7e57-4a11-a57c-000000000001';

export interface AzureStandInOptions {
  /** Only this workspace exists; left out, every GUID does. */
  workspaceId?: string;
  /** Only this resource exists; left out, every resource id does. */
  resourceId?: string;
  faults?: AzureFaultSettings;
  /** Fills the two request-level tables; left out, they are empty. */
  requestLog?: RequestLog;
}

/** The request-level tables of a gateway that logs no requests. */
const NO_REQUESTS: RequestLog = {
  llmRowsIngestedBetween: () => [],
  gatewayRowsIngestedBetween: () => [],
  tokenTotalByTenant: () => new Map(),
  lastIngestionMs: 0,
  inject: () => {},
};

export interface AzureStandIn extends StandIn {
  /** Switches faults on and off while it runs. */
  setFaults(faults: AzureFaultSettings): void;
  /** How many queries it was asked, faulty answers included. */
  queryCount(): number;
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function createAzureStandIn(
  context: StandInContext,
  traffic: Traffic,
  options: AzureStandInOptions = {},
): AzureStandIn {
  const faults = new FaultPlan(createRandom(deriveSeed(context.seed, 'azure-faults')), context.seed);
  faults.set(options.faults ?? {}, context.clock.nowMs());
  let queryCount = 0;
  const app = new Hono<{ Bindings: { incoming?: { socket?: { destroy(): void } } } }>();

  app.post('/v1/*', async (exchange) => {
    if (context.latencyMs > 0) await sleep(context.latencyMs);
    const bearer = /^Bearer\s+\S+$/.test(exchange.req.header('authorization') ?? '');
    if (!bearer) {
      const error = { code: 'AuthenticationFailed', message: 'No valid authentication was provided' };
      return exchange.json({ error }, 401);
    }
    const scope = readScope(exchange.req.path, options);
    if (scope === null) return exchange.json({ error: FAULT_ANSWERS.not_found?.error }, 404);
    queryCount += 1;
    const fault = faults.draw();
    if (fault === 'reset') exchange.env.incoming?.socket?.destroy();
    const spoiled = fault === null ? undefined : FAULT_ANSWERS[fault];
    if (spoiled !== undefined) {
      if (spoiled.error === undefined) return exchange.body(null, spoiled.status);
      const headers = spoiled.retryAfter === undefined ? {} : { 'Retry-After': spoiled.retryAfter };
      return exchange.json({ error: spoiled.error }, spoiled.status, headers);
    }
    if (!/^application\/json\b/i.test(exchange.req.header('content-type') ?? '')) {
      return exchange.body(null, 200);
    }
    const answer = answerQuery({
      body: await exchange.req.text(),
      tables: scope,
      data: { traffic, requestLog: options.requestLog ?? NO_REQUESTS, faults },
      nowMs: context.clock.nowMs() - faults.staleReadMs,
      faults,
      halve: fault === 'partial',
    });
    return exchange.json(answer.body as object, answer.status);
  });

  return {
    app: app as unknown as Hono,
    tokenTotal: () => traffic.tokenTotal(),
    advance: () => {},
    close: () => {},
    setFaults: (settings) => faults.set(settings, context.clock.nowMs()),
    queryCount: () => queryCount,
  };
}

/** The tables a path gives access to; null when there is nothing at that path. */
function readScope(path: string, options: AzureStandInOptions): string[] | null {
  const workspace = /^\/v1\/workspaces\/([^/]+)\/query$/.exec(path)?.[1];
  if (workspace !== undefined) {
    const known =
      options.workspaceId === undefined || options.workspaceId.toLowerCase() === workspace.toLowerCase();
    return GUID.test(workspace) && known ? WORKSPACE_TABLES : null;
  }
  const resource = /^\/v1(\/subscriptions\/.+\/providers\/.+)\/query$/.exec(decodeURIComponent(path))?.[1];
  if (resource === undefined) return null;
  if (options.resourceId !== undefined && options.resourceId.toLowerCase() !== resource.toLowerCase())
    return null;
  return /\/providers\/microsoft\.insights\/components\//i.test(resource)
    ? COMPONENT_TABLES
    : WORKSPACE_TABLES;
}
