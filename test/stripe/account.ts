import type { Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { serve } from '@hono/node-server';
import type Stripe from 'stripe';
import { createScenario, type Scenario, type ScenarioOptions } from '../../sandbox/scenario.ts';
import type { StripeStandInOptions } from '../../sandbox/stripe/http/options.ts';
import { createStripeStandIn, type StripeStandIn } from '../../sandbox/stripe/stand-in.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { createStripe, type StripeOptions, type StripeSystem } from '../../src/stripe/client.ts';
import type { BillingMeterEvent } from '../../src/stripe/port.ts';
import { createStripeSdk } from '../../src/stripe/sdk.ts';

export const START_MS = Date.parse('2026-11-01T00:00:00Z');

export interface TestAccount {
  standIn: StripeStandIn;
  clock: VirtualClock;
  scenario: Scenario;
  url: string;
  billing: StripeSystem;
  sdk: Stripe;
  /** The customer of a tenant by its place in the scenario. */
  customer(index: number): Promise<{ id: string; tenantKey: string; subscriptionId: string }>;
  close(): Promise<void>;
}

export interface TestAccountOptions extends StripeStandInOptions {
  stateDirectory?: string | null;
  latencyMs?: number;
  seed?: number;
  customerCount?: number;
  startMs?: number;
  scenarioLives?: NonNullable<ScenarioOptions['lives']>;
  stripe?: StripeOptions;
}

/** A stand-in on a port of its own, with our adapter and the bare SDK pointed at it. */
export async function openAccount(options: TestAccountOptions = {}): Promise<TestAccount> {
  const seed = options.seed ?? 7;
  const startMs = options.startMs ?? START_MS;
  const clock = new VirtualClock(startMs);
  const scenario = createScenario({
    seed,
    dayCount: 35,
    customerCount: options.customerCount ?? 3,
    userCount: 10,
    startMs,
    ...(options.scenarioLives === undefined ? {} : { lives: options.scenarioLives }),
  });
  const standIn = createStripeStandIn(
    { clock, seed, stateDirectory: options.stateDirectory ?? null, latencyMs: options.latencyMs ?? 0 },
    scenario,
    { otherCallsPerSecond: Number.POSITIVE_INFINITY, ...options },
  );
  const server = serve({ fetch: standIn.app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  await new Promise<void>((resolve) => {
    if (server.listening) resolve();
    else server.once('listening', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sdk = createStripeSdk({ apiKey: standIn.apiKey, apiBase: url, timeoutMs: 60_000 });
  return {
    standIn,
    clock,
    scenario,
    url,
    sdk,
    billing: createStripe(
      { STRIPE_API_KEY: standIn.apiKey, STRIPE_API_BASE: url },
      {
        timeoutMs: 60_000,
        ...options.stripe,
        retryPolicy: { baseDelayMs: 1, maxDelayMs: 3_000, ...options.stripe?.retryPolicy },
      },
    ),
    async customer(index) {
      const tenantKey = scenario.customers[index]?.tenantKey ?? '';
      for await (const subscription of sdk.subscriptions.list({ limit: 100, expand: ['data.customer'] })) {
        const customer = subscription.customer as Stripe.Customer;
        if (customer.metadata.tenant_id === tenantKey) {
          return { id: customer.id, tenantKey, subscriptionId: subscription.id };
        }
      }
      throw new Error(`no customer of tenant ${tenantKey}`);
    },
    async close() {
      standIn.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A meter event an hour after the start, with whatever the test is about put over it. */
export function meterEvent(
  overrides: Partial<BillingMeterEvent> & { stripeCustomerId: string },
): BillingMeterEvent {
  return {
    eventName: 'gpt_4o_prompt_tokens',
    value: 1_000n,
    identifier: `test-${crypto.randomUUID()}`,
    timestamp: new Date(START_MS + HOUR_MS / 2),
    ...overrides,
  };
}

/** A port nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
