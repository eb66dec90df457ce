import type { Hono } from 'hono';
import type Stripe from 'stripe';
import { DEFAULT_SETTINGS, type JobDependencies, type PipelineSettings } from '../../jobs/dependencies.ts';
import { runStep, type StepName, type StepResult, stepNames } from '../../jobs/queue/steps.ts';
import { readProviders } from '../../pricing/usage/providers.ts';
import { SANDBOX_WORKSPACE_ID } from '../../sandbox/azure/azure-stand-in.ts';
import { countTotals } from '../../sandbox/control.ts';
import { SYSTEMS, type SystemName } from '../../sandbox/fault-switches.ts';
import { withNetworkFaults } from '../../sandbox/network-faults.ts';
import type { OpenMeterStandInOptions } from '../../sandbox/openmeter/stand-in.ts';
import { assembleSandbox, listen, type SandboxParts } from '../../sandbox/sandbox.ts';
import type { ScenarioOptions } from '../../sandbox/scenario.ts';
import type { StripeStandInOptions } from '../../sandbox/stripe/http/options.ts';
import { createLlmLogSource } from '../../src/azure/llm-log-source.ts';
import { createAppMetricsSource } from '../../src/azure/usage-source.ts';
import { createCallKeys } from '../../src/billing/call-keys.ts';
import { createOpenMeter } from '../../src/openmeter/client.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLogger } from '../../src/platform/log.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { createStripeSdk } from '../../src/stripe/sdk.ts';
import { findAccrualFaults } from './accruals.ts';
import { draftQuantities } from './drafts.ts';
import { createTestLedger, type TestLedger } from './ledger.ts';
import { expectKeptSums } from './whole-totals.ts';

/** A Thursday, and the first of a month. */
export const START_MS = Date.UTC(2026, 9, 1);

/** Ends a call that hangs, and no call of a loaded machine. */
const CALL_TIMEOUT_MS = 60_000;

export interface PipelineOptions {
  scenario?: Partial<ScenarioOptions>;
  settings?: Partial<PipelineSettings>;
  gracePeriodHours?: number;
  /** Which source bills, the metrics unless named, and which one is the control, none unless named. */
  usageSource?: 'metrics' | 'llm-log';
  controlSource?: 'metrics' | 'llm-log';
  openMeter?: OpenMeterStandInOptions;
  stripe?: StripeStandInOptions;
  /** Put around what each stand-in answers, inside the network's faults; to record it. */
  around?: Partial<Record<SystemName, (handler: Hono['fetch']) => Hono['fetch']>>;
  /** Serve items without a meter through usage records. */
  legacyUsageRecords?: boolean;
}

/** The whole pipeline for one test: production code, the vendors' SDKs, real HTTP, a real Postgres. */
export interface Pipeline extends Omit<SandboxParts, 'close'> {
  ledger: TestLedger;
  deps: JobDependencies;
  /** Stripe's own SDK on the same account, for what a person would do in the dashboard. */
  account: Stripe;
  /** Where the stand-ins listen. */
  urls: Record<SystemName, string>;
  /** What the environment must say to reach the Azure stand-in. */
  azureEnvironment: Record<string, string>;
  /** Every call that reached a stand-in, as `METHOD path`, oldest first. */
  calls: string[];
  /** Runs steps in the order of the pipeline, all of them unless named; throws what a step throws. */
  run(...names: StepName[]): Promise<Record<StepName, StepResult>>;
  /** Moves the clock on. */
  advance(hours: number): void;
  /** Moves the clock on, then runs every step. */
  tick(hours: number): Promise<Record<StepName, StepResult>>;
  close(): Promise<void>;
}

/**
 * Opens a pipeline over a small world. Without `dayCount` nobody calls the gateway: the rows are the test's own.
 */
export async function openPipeline(options: PipelineOptions = {}): Promise<Pipeline> {
  const ledger = await createTestLedger();
  const parts = assembleSandbox({
    scenario: {
      seed: 1,
      dayCount: 0,
      customerCount: 3,
      userCount: 6,
      startMs: START_MS,
      ...options.scenario,
    },
    stateDirectory: null,
    latencyMs: 0,
    gracePeriodHours: options.gracePeriodHours ?? 2,
    usageSource: options.usageSource ?? 'metrics',
    openMeter: options.openMeter ?? {},
    stripe: {
      callsPerSecond: Number.POSITIVE_INFINITY,
      otherCallsPerSecond: Number.POSITIVE_INFINITY,
      draftQuantities: draftQuantities(),
      ...options.stripe,
    },
  });
  const calls: string[] = [];
  const servers = await Promise.all(
    SYSTEMS.map((system) => {
      const { fetch } = parts[system].app;
      const answer = options.around?.[system]?.(fetch) ?? fetch;
      return listen(
        withNetworkFaults((request, bindings, context) => {
          calls.push(`${request.method} ${new URL(request.url).pathname}`);
          return answer(request, bindings, context);
        }, parts.faults.networks[system]),
      );
    }),
  );
  parts.faults.onDown(async (system, down) => await servers[SYSTEMS.indexOf(system)]?.setDown(down));
  const [azureUrl = '', openMeterUrl = '', stripeUrl = ''] = servers.map((server) => server.url);
  const azureEnvironment = {
    AZURE_LOGS_ENDPOINT: azureUrl,
    AZURE_LOGS_WORKSPACE_ID: SANDBOX_WORKSPACE_ID,
  };
  const openSource = (kind: 'metrics' | 'llm-log', keepFailed: boolean) => {
    const config = loadConfig(azureEnvironment);
    const retryTools = { sleep: async () => {} };
    return kind === 'metrics'
      ? createAppMetricsSource(config, { retryTools })
      : createLlmLogSource(config, { retryTools, keepFailed });
  };
  const stripe = createStripe(
    {
      STRIPE_API_KEY: parts.stripe.apiKey,
      STRIPE_API_BASE: stripeUrl,
      STRIPE_LEGACY_USAGE_RECORDS: options.legacyUsageRecords === true,
    },
    {
      timeoutMs: CALL_TIMEOUT_MS,
      retryPolicy: { baseDelayMs: 1, attemptCount: 2 },
      keys: createCallKeys(ledger.database, parts.clock),
    },
  );
  const deps: JobDependencies = {
    database: ledger.database,
    source: openSource(options.usageSource ?? 'metrics', false),
    ...(options.controlSource === undefined ? {} : { control: openSource(options.controlSource, true) }),
    metering: createOpenMeter(
      { OPENMETER_URL: openMeterUrl },
      { baseDelayMs: 1, timeoutMs: CALL_TIMEOUT_MS, attemptCount: 2 },
    ),
    billing: stripe,
    invoicing: stripe.invoicing,
    clock: parts.clock,
    settings: {
      ...DEFAULT_SETTINGS,
      collectStart: new Date(START_MS),
      // Tests invent models; what nobody names a maker of is theirs to say.
      providers: readProviders({ modelProviders: '*=openai,claude*=anthropic' }),
      // Most tests are about usage before and after Stripe's own grace; those of the close say so.
      closesInvoices: false,
      ...options.settings,
    },
    log: createLogger('silent'),
  };
  const run = async (...names: StepName[]) => {
    const results: Partial<Record<StepName, StepResult>> = {};
    for (const name of names.length > 0 ? names : stepNames(deps)) results[name] = await runStep(deps, name);
    return results as Record<StepName, StepResult>;
  };
  const advance = (hours: number) => parts.advanceTo(parts.clock.nowMs() + hours * HOUR_MS);
  return {
    ...parts,
    ledger,
    deps,
    account: createStripeSdk({ apiKey: parts.stripe.apiKey, apiBase: stripeUrl, timeoutMs: CALL_TIMEOUT_MS }),
    urls: { azure: azureUrl, openMeter: openMeterUrl, stripe: stripeUrl },
    azureEnvironment,
    calls,
    run,
    advance,
    tick: async (hours) => {
      advance(hours);
      return await run();
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
      parts.close();
      await ledger.close();
    },
  };
}

/** The balance of a pipeline: the outside three by the stand-ins' own counts, due and quarantined by the ledger. */
export async function balance(pipeline: Pipeline) {
  const outside = countTotals(pipeline);
  const ledger = await readTokenTotals(pipeline.deps.database);
  const faults = await findAccrualFaults(pipeline.deps.database);
  if (faults.length > 0) throw new Error(`the report of accruals: ${faults.join('; ')}`);
  await expectKeptSums(pipeline.deps.database);
  const source = BigInt(outside.sourceTokens);
  const billed = BigInt(outside.billedTokens);
  return {
    source,
    metered: BigInt(outside.meteredTokens),
    billed,
    due: ledger.dueTokenCount,
    quarantined: ledger.quarantinedTokenCount,
    writtenOff: ledger.writtenOffTokenCount,
    byReason: ledger.quarantinedByReason,
    collected: ledger.collectedTokenCount,
    delivered: ledger.deliveredTokenCount,
    invoiced: ledger.invoicedTokenCount,
    invoicedOutside: BigInt(outside.invoicedTokens),
    awaiting: ledger.awaitingInvoiceTokenCount,
    uninvoiced: ledger.uninvoicedTokenCount,
    uninvoicedByReason: ledger.uninvoicedByReason,
    // What the ledger collected and accounts for, and what Stripe's meters have, are held against the outside.
    drift:
      source - ledger.collectedTokenCount + ledger.differenceTokenCount + ledger.deliveredTokenCount - billed,
    customers: outside.customers,
  };
}

/** Calls that changed something outside; reads by POST (queries) are none. */
export function outsideWrites(calls: readonly string[]): string[] {
  return calls.filter((call) => !call.startsWith('GET ') && !call.endsWith('/query'));
}
