import { DEFAULT_SETTINGS, type JobDependencies } from '../../jobs/dependencies.ts';
import {
  type AzureStandIn,
  createAzureStandIn,
  SANDBOX_WORKSPACE_ID,
} from '../../sandbox/azure/azure-stand-in.ts';
import { createOpenMeterStandIn, type OpenMeterStandIn } from '../../sandbox/openmeter/stand-in.ts';
import { deriveSeed } from '../../sandbox/random.ts';
import { createScenario, type Scenario } from '../../sandbox/scenario.ts';
import { createStripeStandIn, type StripeStandIn } from '../../sandbox/stripe/stand-in.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { createAppMetricsSource } from '../../src/azure/usage-source.ts';
import { createCallKeys } from '../../src/billing/call-keys.ts';
import { createOpenMeter } from '../../src/openmeter/client.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLogger } from '../../src/platform/log.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { createAzureHttpClient } from './azure-http.ts';
import { drawLife, type Life, priceDearly } from './closing/life.ts';
import { Person } from './closing/person.ts';
import { Post } from './closing/post.ts';
import { type Connections, ProcessDatabase } from './database.ts';
import { Draws } from './draws.ts';
import { createSystems } from './own-faults.ts';
import type { Profile } from './profile.ts';
import { Scheduler, type SimulatedProcess } from './scheduler.ts';
import { Trace } from './trace.ts';
import { createProviders, drawMakers, MAKER_MODELS } from './traffic/makers.ts';
import { drawRows, SimulatedTraffic } from './traffic/traffic.ts';
import { createTransport, type SystemName } from './transport.ts';
import { Witness } from './witness.ts';

/** A Thursday, and the first of a month. */
const START_MS = Date.UTC(2026, 9, 1);
const LOOPBACK = 'http://127.0.0.1:1';

/** A process and what it works with. */
export interface Worker {
  process: SimulatedProcess;
  deps: JobDependencies;
}

export interface World {
  seed: number;
  profile: Profile;
  life: Life;
  /** Who changes things at Stripe, and the process that the changes are made in. */
  person: Person;
  personProcess: SimulatedProcess;
  post: Post;
  scenario: Scenario;
  clock: VirtualClock;
  traffic: SimulatedTraffic;
  azure: AzureStandIn;
  openMeter: OpenMeterStandIn;
  stripe: StripeStandIn;
  scheduler: Scheduler;
  trace: Trace;
  witness: Witness;
  /** Whether calls may go wrong at present. */
  weather: { stormy: boolean; down: SystemName | null };
  /** Ids that a mutant made up so far. */
  freshIdCount: number;
  advanceTo(nowMs: number): void;
  startWorker(name: string, index: number): Worker;
}

export interface WorldParts {
  seed: number;
  profile: Profile;
  connections: Connections;
  /** A mutant's change of what a worker is given. */
  alter?: (deps: JobDependencies, world: World) => JobDependencies;
  /** A mutant's change of what goes over the wire to Stripe. */
  alterStripe?: (transport: typeof fetch) => typeof fetch;
}

/** The three stand-ins and the workers' dependencies: production code on virtual time, without sockets. */
export function createWorld(parts: WorldParts): World {
  const { seed, profile, connections } = parts;
  const clock = new VirtualClock(START_MS);
  const nowMs = () => clock.nowMs();
  const created = createScenario({
    seed,
    dayCount: profile.dayCount,
    customerCount: profile.customerCount,
    userCount: profile.userCount,
    startMs: START_MS,
  });
  const scenario = { ...created, models: [...created.models, ...MAKER_MODELS].map(priceDearly) };
  const providers = createProviders(drawMakers(seed, profile), START_MS, nowMs);
  const life = drawLife(seed, scenario, profile);
  scenario.customers.forEach((customer, index) => {
    customer.billingAnchorMs = life.periodEndMs[index] ?? 0;
  });
  const traffic = new SimulatedTraffic(drawRows(seed, scenario, profile), nowMs);
  const context = { clock, seed: deriveSeed(seed, 'stand-ins'), stateDirectory: null, latencyMs: 0 };
  const azure = createAzureStandIn(context, traffic, {
    workspaceId: SANDBOX_WORKSPACE_ID,
    faults: { rowCeiling: profile.azureRowCeiling, duplicatePercent: profile.azureDuplicatePercent },
  });
  const openMeter = createOpenMeterStandIn(context, {
    flushDelayMs: profile.openMeterFlushDelayMs,
    dedupe: profile.openMeterDedupeMs === null ? null : { windowMs: profile.openMeterDedupeMs },
  });
  const hasHourWindow = {
    none: () => false,
    all: () => true,
    some: (name: string) => name.includes('completion'),
  }[profile.hourWindowMeters];
  const stripe = createStripeStandIn(context, scenario, {
    callsPerSecond: Number.POSITIVE_INFINITY,
    otherCallsPerSecond: Number.POSITIVE_INFINITY,
    gracePeriodHours: profile.gracePeriodHours,
    draftQuantities: profile.draftQuantities,
    aggregationDelayMs: profile.stripeSummaryDelayMs,
    hourWindowMeters: hasHourWindow,
    tieredPrices: life.planPrices,
  });
  const trace = new Trace(nowMs);
  const advanceTo = (toMs: number) => {
    clock.advanceTo(toMs);
    for (const standIn of [azure, openMeter, stripe]) standIn.advance(clock.nowMs());
  };
  const advance = (milliseconds: number) => advanceTo(clock.nowMs() + milliseconds);
  const databases = new Map<SimulatedProcess, ProcessDatabase>();
  const scheduler = new Scheduler({
    draws: new Draws(seed, 'scheduler'),
    trace,
    nowMs,
    advance,
    onKill: async (process) => {
      await databases.get(process)?.abandon();
      databases.delete(process);
    },
    findTransactionHolder: () => {
      for (const [process, database] of databases) if (database.hasOpenTransaction()) return process;
      return null;
    },
  });
  const witness = new Witness(traffic, scenario, stripe);
  const weather: World['weather'] = { stormy: true, down: null };
  const systems = createSystems({ seed, profile, azure, openMeter, stripe, witness, weather });
  const network = new Draws(seed, 'network');
  const jitter = new Draws(seed, 'jitter');

  const personProcess: SimulatedProcess = {
    name: 'person',
    alive: true,
    frozenUntilEffect: null,
    isSpared: true,
  };
  const person = new Person(life, {
    apiKey: stripe.apiKey,
    nowMs,
    send: createTransport(
      { process: personProcess, scheduler, draws: network, advance },
      {
        name: 'stripe',
        answer: systems.stripe.answer,
        isDown: () => false,
        faultChance: () => 0,
        observe: () => {},
      },
    ),
  });

  const world: World = {
    seed,
    profile,
    life,
    person,
    personProcess,
    post: new Post(seed, stripe, life.webhooks),
    scenario,
    clock,
    traffic,
    azure,
    openMeter,
    stripe,
    scheduler,
    trace,
    witness,
    weather,
    freshIdCount: 0,
    advanceTo,
    startWorker(name, index) {
      const skewMs = profile.clockSkewMs[index] ?? 0;
      const process: SimulatedProcess = { name, alive: true, frozenUntilEffect: null };
      const database = new ProcessDatabase({ process, scheduler, connections, now: () => clock.now() });
      databases.set(process, database);
      const wire = { process, scheduler, draws: network, advance };
      const sleep = (milliseconds: number) =>
        new Promise<void>((resolve) => {
          setTimeout(resolve, milliseconds);
        });
      const billing = createStripe(
        { STRIPE_API_KEY: stripe.apiKey, STRIPE_API_BASE: LOOPBACK },
        {
          fetch: (parts.alterStripe ?? ((unaltered) => unaltered))(createTransport(wire, systems.stripe)),
          keys: createCallKeys(database.database, clock),
          retryPolicy: { random: jitter.random, sleep, attemptCount: 2 },
        },
      );
      const deps: JobDependencies = {
        database: database.database,
        source: createAppMetricsSource(
          loadConfig({ AZURE_LOGS_ENDPOINT: LOOPBACK, AZURE_LOGS_WORKSPACE_ID: SANDBOX_WORKSPACE_ID }),
          {
            httpClient: createAzureHttpClient(createTransport(wire, systems.azure)),
            retryPolicy: { attemptCount: 2 },
            retryTools: { random: jitter.random, sleep, elapsedMs: nowMs },
          },
        ),
        metering: createOpenMeter(
          { OPENMETER_URL: LOOPBACK },
          { fetch: createTransport(wire, systems.openmeter), random: jitter.random, sleep, attemptCount: 2 },
        ),
        billing,
        invoicing: billing.invoicing,
        clock: { now: () => new Date(clock.nowMs() + (weather.stormy ? skewMs : 0)) },
        settings: {
          ...DEFAULT_SETTINGS,
          collectStart: new Date(START_MS),
          providers,
          ...profile.settings,
        },
        log: createLogger('silent'),
      };
      return { process, deps: parts.alter === undefined ? deps : parts.alter(deps, world) };
    },
  };
  return world;
}
