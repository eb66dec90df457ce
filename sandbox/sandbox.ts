import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Hono } from 'hono';
import { type AzureStandIn, createAzureStandIn, SANDBOX_WORKSPACE_ID } from './azure/azure-stand-in.ts';
import { createRetailStandIn } from './azure/retail-stand-in.ts';
import { type ControlParts, createControlApp, type SandboxCalls } from './control.ts';
import { FaultSwitches, SYSTEMS, type SystemName } from './fault-switches.ts';
import { PassedCalls } from './gateway/passed-calls.ts';
import { Journal } from './journal.ts';
import { listen } from './listen.ts';
import { withNetworkFaults } from './network-faults.ts';
import { createOpenMeterStandIn, type OpenMeterStandInOptions } from './openmeter/stand-in.ts';
import { countingRates, RateCount } from './rate-count.ts';
import { createScenario, type ScenarioOptions } from './scenario.ts';
import type { StandInContext } from './stand-in.ts';
import { METER_EVENT_PATH } from './stripe/core.ts';
import type { StripeStandInOptions } from './stripe/http/options.ts';
import { createStripeStandIn } from './stripe/stand-in.ts';
import type { RequestLog } from './traffic/log-row.ts';
import { createMonthEndTraffic } from './traffic/month-end-traffic.ts';
import { createRequestLog } from './traffic/request-log.ts';
import { createTraffic } from './traffic/traffic.ts';
import { VirtualClock } from './virtual-clock.ts';

export { listen };

export interface SandboxOptions {
  scenario: ScenarioOptions;
  /** Where the stand-ins keep their journals; null: nothing outlives the process. */
  stateDirectory: string | null;
  latencyMs: number;
  /** Which source's tokens the sandbox counts as its own; the metrics unless told otherwise. */
  usageSource?: 'metrics' | 'llm-log';
  /** Hours a draft invoice stays open; Stripe's dashboard allows 1 to 72. */
  gracePeriodHours: number;
  /** Further behaviour of the OpenMeter stand-in; its own defaults otherwise. */
  openMeter?: OpenMeterStandInOptions;
  /** Further behaviour of the Stripe stand-in; its own defaults otherwise. */
  stripe?: StripeStandInOptions;
  /** A mail server runs beside the stand-ins, and its mail can be read. */
  takesMail?: boolean;
}

/** Addresses of a running sandbox: what the environment of the production code is set to. */
export interface SandboxAddresses {
  azureUrl: string;
  openMeterUrl: string;
  stripeUrl: string;
  retailPricesUrl: string;
  /** The mail server, and the page with its mail; null: there is none. */
  smtpUrl: string | null;
  mailPageUrl: string | null;
  controlUrl: string;
  workspaceId: string;
  stripeApiKey: string;
}

export interface RunningSandbox {
  addresses: SandboxAddresses;
  close(): Promise<void>;
}

/** The sandbox before anybody listens: what `startSandbox` serves, and what a test reaches into. */
export interface SandboxParts extends Omit<ControlParts, 'calls'> {
  azure: AzureStandIn;
  requestLog: RequestLog;
  close(): void;
}

/** Puts the stand-ins on one virtual clock, in the state in which their journals left them. */
export function assembleSandbox(options: SandboxOptions): SandboxParts {
  const { stateDirectory } = options;
  if (stateDirectory !== null) mkdirSync(stateDirectory, { recursive: true });
  const clockJournal = new Journal<{ at: number }>(
    stateDirectory === null ? null : path.join(stateDirectory, 'clock.journal.jsonl'),
  );
  const clock = new VirtualClock(clockJournal.takeReplay().at(-1)?.at ?? options.scenario.startMs);
  const scenario = createScenario(options.scenario);
  const { story = 'days' } = options.scenario;
  const traffic = story === 'days' ? createTraffic(scenario) : createMonthEndTraffic(scenario);
  const requestLog = createRequestLog(scenario);
  const { seed } = options.scenario;
  const clockSkewMs: Record<SystemName, number> = { azure: 0, openMeter: 0, stripe: 0 };
  const contextOf = (system: SystemName | null): StandInContext => ({
    clock: { nowMs: () => clock.nowMs() + (system === null ? 0 : clockSkewMs[system]) },
    seed,
    stateDirectory,
    latencyMs: options.latencyMs,
  });
  const passedCalls = new PassedCalls(contextOf(null), options.scenario, traffic);
  const azure = createAzureStandIn(contextOf('azure'), traffic, {
    workspaceId: SANDBOX_WORKSPACE_ID,
    requestLog,
  });
  const openMeter = createOpenMeterStandIn(contextOf('openMeter'), options.openMeter);
  const retail = createRetailStandIn(contextOf(null), { startMs: options.scenario.startMs });
  const stripe = createStripeStandIn(contextOf('stripe'), scenario, {
    gracePeriodHours: options.gracePeriodHours,
    ...options.stripe,
  });
  return {
    clock,
    scenario,
    traffic,
    requestLog,
    ...(options.usageSource === 'llm-log' ? { billedRequests: requestLog } : {}),
    azure,
    openMeter,
    stripe,
    retail,
    passedCalls,
    faults: new FaultSwitches({ seed, azure, openMeter, stripe, clockSkewMs }),
    advanceTo(nowMs) {
      clock.advanceTo(nowMs);
      for (const system of SYSTEMS) {
        const standIn = { azure, openMeter, stripe }[system];
        standIn.advance(clock.nowMs() + clockSkewMs[system]);
      }
      retail.advance(clock.nowMs());
      clockJournal.append({ at: clock.nowMs() });
    },
    close() {
      for (const part of [azure, openMeter, stripe, retail, passedCalls]) part.close();
      clockJournal.close();
    },
  };
}

/** Starts the stand-ins and their control on free loopback ports, with one virtual clock. */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  const parts = assembleSandbox(options);
  const calls: SandboxCalls = {
    azureQueryCount: 0,
    ingestRequestCount: 0,
    meterEventCount: 0,
    writeCount: 0,
    stripe: new RateCount(),
  };
  const { networks } = parts.faults;
  const servers = await Promise.all([
    listen(withNetworkFaults(counting(parts.azure.app, calls, 'azureQueryCount', '/query'), networks.azure)),
    listen(
      withNetworkFaults(
        counting(parts.openMeter.app, calls, 'ingestRequestCount', '/api/v1/events'),
        networks.openMeter,
      ),
    ),
    listen(
      withNetworkFaults(
        countingRates(
          counting(parts.stripe.app, calls, 'meterEventCount', METER_EVENT_PATH),
          calls.stripe,
          METER_EVENT_PATH,
        ),
        networks.stripe,
      ),
    ),
    listen(parts.retail.app.fetch),
    listen(createControlApp({ ...parts, calls }).fetch),
  ]);
  parts.faults.onDown(async (system, down) => await servers[SYSTEMS.indexOf(system)]?.setDown(down));
  const { clock } = parts;
  const { stateDirectory } = options;
  // Loaded by who asks for it: that takes a quarter of a second.
  const post =
    options.takesMail === true
      ? await (await import('./mail/post.ts')).startPost({ clock, stateDirectory })
      : null;
  const [azureUrl = '', openMeterUrl = '', stripeUrl = '', retailPricesUrl = '', controlUrl = ''] =
    servers.map((server) => server.url);
  return {
    addresses: {
      azureUrl,
      openMeterUrl,
      stripeUrl,
      retailPricesUrl,
      smtpUrl: post?.smtpUrl ?? null,
      mailPageUrl: post?.pageUrl ?? null,
      controlUrl,
      workspaceId: SANDBOX_WORKSPACE_ID,
      stripeApiKey: parts.stripe.apiKey,
    },
    close: async () => {
      await Promise.all([...servers.map((server) => server.close()), post?.close()]);
      parts.close();
    },
  };
}

/** Counts the posts to one route, and all writes, whatever becomes of them. */
function counting(
  app: Hono,
  calls: SandboxCalls,
  count: Exclude<keyof SandboxCalls, 'stripe'>,
  route: string,
): Hono['fetch'] {
  return (request, ...rest) => {
    const { pathname } = new URL(request.url);
    if (request.method === 'POST' && pathname.endsWith(route)) calls[count] += 1;
    if (request.method !== 'GET' && !pathname.endsWith('/query')) calls.writeCount += 1;
    return app.fetch(request, ...rest);
  };
}
