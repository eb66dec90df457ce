import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import {
  type AzureStandInOptions,
  createAzureStandIn,
  SANDBOX_WORKSPACE_ID,
} from '../../sandbox/azure/azure-stand-in.ts';
import { createScenario, type Scenario } from '../../sandbox/scenario.ts';
import { createRequestLog } from '../../sandbox/traffic/request-log.ts';
import type { Traffic, TrafficRow } from '../../sandbox/traffic/row.ts';
import { createTraffic } from '../../sandbox/traffic/traffic.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { createLlmLogSource } from '../../src/azure/llm-log-source.ts';
import type { LogsSourceOptions } from '../../src/azure/logs-source.ts';
import { createAppMetricsSource } from '../../src/azure/usage-source.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';

/** Thursday, so that traffic of two days has weekdays only. */
export const START_MS = Date.UTC(2026, 9, 1);

export function smallScenario(seed = 1, dayCount = 2): Scenario {
  return createScenario({ seed, dayCount, customerCount: 4, userCount: 8, startMs: START_MS });
}

export const RESOURCE_ID =
  '/subscriptions/0f1e2d3c-0000-4000-8000-000000000000/resourceGroups/shared/providers/microsoft.insights/components/gateway';

/** A stand-in listening on loopback, its clock past the end of the traffic, and a source that reads it. */
export async function startAzure(
  options: {
    scenario?: Scenario;
    standIn?: AzureStandInOptions;
    environment?: Record<string, string>;
    source?: LogsSourceOptions;
    nowMs?: number;
    /** Real milliseconds that every answer takes. */
    latencyMs?: number;
  } = {},
) {
  const scenario = options.scenario ?? smallScenario();
  const traffic = createTraffic(scenario);
  const requestLog = createRequestLog(scenario);
  const clock = new VirtualClock(options.nowMs ?? START_MS + (scenario.options.dayCount + 2) * DAY_MS);
  const standIn = createAzureStandIn(
    { clock, seed: scenario.options.seed, stateDirectory: null, latencyMs: 0 },
    traffic,
    { requestLog, ...options.standIn },
  );
  let inFlight = 0;
  let mostInFlight = 0;
  const server = serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request, bindings) => {
      inFlight += 1;
      mostInFlight = Math.max(mostInFlight, inFlight);
      try {
        if (options.latencyMs !== undefined) await sleep(options.latencyMs);
        return await standIn.app.fetch(request, bindings);
      } finally {
        inFlight -= 1;
      }
    },
  });
  if (!server.listening) await new Promise<void>((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const pausesMs: number[] = [];
  const target = options.environment ?? { AZURE_LOGS_WORKSPACE_ID: SANDBOX_WORKSPACE_ID };
  const config = loadConfig({ AZURE_LOGS_ENDPOINT: endpoint, ...target });
  const sourceOptions = {
    retryTools: {
      random: () => 0.5,
      sleep: async (milliseconds: number) => {
        pausesMs.push(milliseconds);
      },
    },
    ...options.source,
  };
  const source = createAppMetricsSource(config, sourceOptions);
  return {
    scenario,
    traffic,
    clock,
    standIn,
    requestLog,
    source,
    /** The request-level source over the same stand-in. */
    openLlmLog: (environment: Record<string, string> = {}) =>
      createLlmLogSource(
        loadConfig({ AZURE_LOGS_ENDPOINT: endpoint, ...target, ...environment }),
        sourceOptions,
      ),
    endpoint,
    /** The most requests that were being answered at one time. */
    mostInFlight: () => mostInFlight,
    /** Pauses the client asked for, in milliseconds; none was waited for. */
    pausesMs,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

export type AzureWorld = Awaited<ReturnType<typeof startAzure>>;

/** The whole time in which a small scenario's rows can have been ingested. */
export const EVERYTHING = {
  window: { start: new Date(START_MS), end: new Date(START_MS + 4 * DAY_MS) },
  by: 'ingestion',
  rowLimit: 100_000,
} as const;

/** A sound prompt row, with what a test wants to be different. */
export function makeRow(changes: Partial<TrafficRow> = {}): TrafficRow {
  return {
    itemId: '00000000-0000-4000-8000-000000000001',
    eventMs: START_MS + 60_000,
    ingestedMs: START_MS + 180_000,
    ingestedTicks: 0,
    metricName: 'Prompt Tokens',
    sum: 100,
    itemCount: 1,
    min: 100,
    max: 100,
    properties: { userId: 'u', tenantId: 't', featureArea: 'f', model: 'gpt-4o', deployment: 'd' },
    ...changes,
  };
}

/** Every row of a traffic, read in windows of `stepMs` as a collector would. */
export function allRows(traffic: Traffic, stepMs = 6 * HOUR_MS): TrafficRow[] {
  const rows: TrafficRow[] = [];
  for (let startMs = START_MS; startMs <= traffic.lastIngestionMs; startMs += stepMs) {
    rows.push(...traffic.rowsIngestedBetween(startMs, startMs + stepMs));
  }
  return rows;
}
