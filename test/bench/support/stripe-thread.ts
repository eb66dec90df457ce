import type { Server } from 'node:http';
import { workerData } from 'node:worker_threads';
import { createAdaptorServer } from '@hono/node-server';
import { createOpenMeterStandIn } from '../../../sandbox/openmeter/stand-in.ts';
import { createScenario, type ScenarioOptions } from '../../../sandbox/scenario.ts';
import { createStripeStandIn } from '../../../sandbox/stripe/stand-in.ts';
import { VirtualClock } from '../../../sandbox/virtual-clock.ts';
import { runThreadServer } from './thread-server.ts';

export interface StripeThreadOptions {
  scenario: ScenarioOptions;
  nowMs: number;
  callsPerSecond: number;
  latencyMs: number;
  /** One 32-bit integer, in which another thread can watch how many meter event calls came in so far. */
  receivedCalls?: SharedArrayBuffer;
}

export interface StripeThreadReport {
  /** Answers to meter event calls, by status. */
  answersByStatus: Record<string, number>;
  /** Different idempotency keys among the calls answered with 200: a stored answer that is repeated adds none. */
  acceptedKeyCount: number;
  /** What the account's token meters hold in all. */
  tokenTotal: bigint;
  /** The same by tenant. */
  tokensByTenant: Map<string, bigint>;
  /** Most meter event calls that came in within one second of real time. */
  busiestSecondCallCount: number;
}

/** The Stripe stand-in with its answers counted, and beside it an empty OpenMeter, which the catalog sync needs. */
const { scenario, nowMs, callsPerSecond, latencyMs, receivedCalls } = workerData as StripeThreadOptions;
const clock = new VirtualClock(nowMs);
const context = { clock, seed: scenario.seed, stateDirectory: null };
const stripe = createStripeStandIn({ ...context, latencyMs }, createScenario(scenario), {
  callsPerSecond,
  otherCallsPerSecond: Number.POSITIVE_INFINITY,
});
const openMeter = createOpenMeterStandIn({ ...context, latencyMs: 0 });
const answersByStatus: Record<string, number> = {};
const acceptedKeys = new Set<string | null>();
const callsBySecond = new Map<number, number>();
const received = receivedCalls === undefined ? null : new Int32Array(receivedCalls);

const server = createAdaptorServer({
  fetch: async (request, bindings) => {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith('/v1/')) return openMeter.app.fetch(request, bindings);
    const counted = request.method === 'POST' && pathname === '/v1/billing/meter_events';
    if (!counted) return stripe.app.fetch(request, bindings);
    if (received !== null) Atomics.add(received, 0, 1);
    // Before the call: of a sender that is gone by then, the request can no longer be read.
    const key = request.headers.get('idempotency-key');
    const second = Math.floor(performance.now() / 1_000);
    callsBySecond.set(second, (callsBySecond.get(second) ?? 0) + 1);
    const response = await stripe.app.fetch(request, bindings);
    answersByStatus[response.status] = (answersByStatus[response.status] ?? 0) + 1;
    if (response.status === 200) acceptedKeys.add(key);
    return response;
  },
});

runThreadServer(server as Server, (): StripeThreadReport => {
  const tokensByTenant = stripe.tokenTotalByCustomer();
  return {
    answersByStatus,
    acceptedKeyCount: acceptedKeys.size,
    tokenTotal: stripe.tokenTotal(),
    tokensByTenant,
    busiestSecondCallCount: Math.max(0, ...callsBySecond.values()),
  };
});
