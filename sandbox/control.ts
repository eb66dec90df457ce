import { Hono } from 'hono';
import { z } from 'zod';
import type { RetailFaultSettings } from './azure/retail-faults.ts';
import type { RetailStandIn } from './azure/retail-stand-in.ts';
import type { RetailChange } from './azure/retail-state.ts';
import { faultSettingsSchema, type SandboxFaultSettings } from './fault-settings.ts';
import type { FaultSwitches } from './fault-switches.ts';
import type { GatewayTurn, PassedCalls } from './gateway/passed-calls.ts';
import type { OpenMeterStandIn } from './openmeter/stand-in.ts';
import type { RateCount } from './rate-count.ts';
import type { Scenario } from './scenario.ts';
import type { StripeStandIn } from './stripe/stand-in.ts';
import type { RequestLog } from './traffic/log-row.ts';
import type { Traffic } from './traffic/row.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What each stand-in holds, counted by itself. Token counts are prompt plus completion, as decimal text. */
export interface SandboxTotals {
  sourceTokens: string;
  meteredTokens: string;
  /** On Stripe's meters, whatever became of it. */
  billedTokens: string;
  /** On final invoices. */
  invoicedTokens: string;
  customers: {
    customer: string;
    name: string;
    subjectCount: number;
    sourceTokens: string;
    meteredTokens: string;
    billedTokens: string;
  }[];
  /** Tokens of subjects that belong to no customer. */
  unmapped: { sourceTokens: string; meteredTokens: string };
  invoices: ReturnType<StripeStandIn['invoiceReport']>;
}

export interface ControlParts {
  clock: VirtualClock;
  advanceTo(nowMs: number): void;
  scenario: Scenario;
  traffic: Traffic;
  /** Given: these requests are the source whose tokens are counted, instead of the metric rows. */
  billedRequests?: RequestLog;
  openMeter: OpenMeterStandIn;
  stripe: StripeStandIn;
  retail: RetailStandIn;
  passedCalls: PassedCalls;
  faults: FaultSwitches;
  calls: SandboxCalls;
}

/** Requests that reached the stand-ins since they started. */
export interface SandboxCalls {
  azureQueryCount: number;
  ingestRequestCount: number;
  meterEventCount: number;
  /** All that may change something: neither a GET nor a query. */
  writeCount: number;
  /** Stripe's calls without meter events, which it counts apart. */
  stripe: RateCount;
}

/** The sandbox's own door, beside the three that production code knows: time, faults, and counting. */
export function createControlApp(parts: ControlParts): Hono {
  const { clock, stripe } = parts;
  const app = new Hono();
  app.get('/clock', (context) =>
    context.json({ nowMs: clock.nowMs(), lastIngestionMs: sourceOf(parts).lastIngestionMs }),
  );
  app.post('/clock', async (context) => {
    const { nowMs } = await context.req.json<{ nowMs: number }>();
    parts.advanceTo(nowMs);
    return context.json({ nowMs: clock.nowMs() });
  });
  app.post('/clock/run', (context) => {
    clock.runWithRealTime();
    return context.json({ nowMs: clock.nowMs() });
  });
  app.post('/stripe/drop-meter-events', async (context) => {
    const { count } = await context.req.json<{ count: number }>();
    stripe.faults.dropNextMeterEvents(count);
    return context.json({ count });
  });
  app.put('/faults', async (context) => {
    const parsed = faultSettingsSchema.safeParse(await context.req.json().catch(() => null));
    if (!parsed.success) return context.json({ error: z.prettifyError(parsed.error) }, 400);
    await parts.faults.set(parsed.data as SandboxFaultSettings);
    return context.json({});
  });
  app.delete('/faults', async (context) => {
    await parts.faults.clear();
    return context.json({});
  });
  app.post('/retail/faults', async (context) => {
    parts.retail.setFaults(await context.req.json<RetailFaultSettings>());
    return context.json({});
  });
  app.post('/retail/changes', async (context) => {
    parts.retail.schedule(await context.req.json<RetailChange>());
    return context.json({});
  });
  app.get('/gateway', (context) => context.json(parts.passedCalls.totals()));
  app.post('/gateway', async (context) => {
    parts.passedCalls.record(await context.req.json<GatewayTurn>());
    return context.json(parts.passedCalls.totals());
  });
  app.get('/calls', (context) => context.json(parts.calls));
  app.get('/totals', (context) => context.json(countTotals(parts)));
  return app;
}

/** Whichever of the two sources bills. */
function sourceOf({ traffic, billedRequests }: Pick<ControlParts, 'traffic' | 'billedRequests'>) {
  return billedRequests ?? traffic;
}

export function countTotals(
  parts: Omit<ControlParts, 'calls' | 'retail' | 'faults' | 'passedCalls'>,
): SandboxTotals {
  const { scenario, openMeter, stripe } = parts;
  const sourceByTenant = sourceOf(parts).tokenTotalByTenant();
  const meteredBySubject = openMeter.tokenTotalBySubject();
  const billedByCustomer = stripe.tokenTotalByCustomer();
  const mapped = new Set(scenario.customers.flatMap((customer) => customer.subjects));
  const sum = (values: Iterable<bigint>) => String([...values].reduce((total, value) => total + value, 0n));
  const knownTenants = new Set(scenario.customers.map((customer) => customer.tenantKey));
  return {
    sourceTokens: sum(sourceByTenant.values()),
    meteredTokens: String(openMeter.tokenTotal()),
    billedTokens: String(stripe.tokenTotal()),
    invoicedTokens: String(stripe.invoicedTokenTotal()),
    customers: scenario.customers.map((customer) => ({
      customer: customer.tenantKey,
      name: customer.name,
      subjectCount: customer.subjects.length,
      sourceTokens: String(sourceByTenant.get(customer.tenantKey) ?? 0n),
      meteredTokens: sum(customer.subjects.map((subject) => meteredBySubject.get(subject) ?? 0n)),
      billedTokens: String(billedByCustomer.get(customer.tenantKey) ?? 0n),
    })),
    unmapped: {
      sourceTokens: sum(
        [...sourceByTenant].filter(([tenant]) => !knownTenants.has(tenant)).map(([, count]) => count),
      ),
      meteredTokens: sum(
        [...meteredBySubject].filter(([subject]) => !mapped.has(subject)).map(([, count]) => count),
      ),
    },
    invoices: stripe.invoiceReport(),
  };
}
