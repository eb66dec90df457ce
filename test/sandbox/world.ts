import { randomUUID } from 'node:crypto';
import type { SandboxTotals } from '../../sandbox/control.ts';
import type { SandboxFaultSettings } from '../../sandbox/fault-settings.ts';
import type { SystemName } from '../../sandbox/fault-switches.ts';
import { type SandboxOptions, startSandbox } from '../../sandbox/sandbox.ts';

/** A Thursday, and the first of a month. */
export const START_MS = Date.UTC(2026, 9, 1);
const HOUR_MS = 3_600_000;

export interface FaultyWorld {
  urls: Record<SystemName, string>;
  /** Switches faults through the control's door, as anybody would. */
  set(settings: SandboxFaultSettings): Promise<Response>;
  clear(): Promise<void>;
  totals(): Promise<SandboxTotals>;
  advance(hours: number): Promise<void>;
  /** A call that only reads, and one that changes something: a query, an event, a meter event. */
  read(system: SystemName, init?: RequestInit): Promise<Response>;
  write(system: 'openMeter' | 'stripe', fields?: Record<string, unknown>): Promise<Response>;
  query(kql: string): Promise<{ tables: { rows: unknown[][] }[]; error?: { code: string } }>;
  stripe(path: string): Promise<Response>;
  close(): Promise<void>;
}

/** The sandbox over HTTP, asked by plain `fetch`: no client of ours between the fault and the test. */
export async function openFaultyWorld(options: Partial<SandboxOptions> = {}): Promise<FaultyWorld> {
  const sandbox = await startSandbox({
    scenario: { seed: 1, dayCount: 2, customerCount: 3, userCount: 6, startMs: START_MS },
    stateDirectory: null,
    latencyMs: 0,
    gracePeriodHours: 2,
    ...options,
    stripe: { otherCallsPerSecond: 1_000, ...options.stripe },
  });
  const { addresses } = sandbox;
  let nowMs = START_MS;
  const control = (path: string, method: string, body?: object) =>
    fetch(`${addresses.controlUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const stripeHeaders = { authorization: `Bearer ${addresses.stripeApiKey}` };
  const stripe = (path: string, init: RequestInit = {}) =>
    fetch(`${addresses.stripeUrl}${path}`, { ...init, headers: stripeHeaders });
  const ask = (query: string, init: RequestInit = {}) =>
    fetch(`${addresses.azureUrl}/v1/workspaces/${addresses.workspaceId}/query`, {
      ...init,
      method: 'POST',
      headers: { authorization: 'Bearer any', 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
  const world: FaultyWorld = {
    urls: { azure: addresses.azureUrl, openMeter: addresses.openMeterUrl, stripe: addresses.stripeUrl },
    set: (settings) => control('/faults', 'PUT', settings),
    clear: async () => void (await control('/faults', 'DELETE')),
    totals: async () => (await (await control('/totals', 'GET')).json()) as SandboxTotals,
    advance: async (hours) => {
      nowMs += hours * HOUR_MS;
      await control('/clock', 'POST', { nowMs });
    },
    read: (system, init) => {
      if (system === 'azure') return ask('AppMetrics | take 5', init);
      if (system === 'openMeter') return fetch(`${addresses.openMeterUrl}/api/v1/events`, init);
      return stripe('/v1/customers?limit=2', init);
    },
    write: async (system, fields = {}) => {
      if (system === 'openMeter') {
        return await fetch(`${addresses.openMeterUrl}/api/v1/events`, {
          method: 'POST',
          headers: { 'content-type': 'application/cloudevents+json' },
          body: JSON.stringify({
            specversion: '1.0',
            id: randomUUID(),
            source: 'test',
            type: 'tallystick.usage',
            subject: 'user-00001',
            time: new Date(START_MS).toISOString(),
            data: { prompt_tokens: '7', completion_tokens: '0', total_tokens: '7' },
            ...fields,
          }),
        });
      }
      const customers = (await (await stripe('/v1/customers?limit=1')).json()) as { data: { id: string }[] };
      return await stripe('/v1/billing/meter_events', {
        method: 'POST',
        body: new URLSearchParams({
          event_name: 'gpt_4o_prompt_tokens',
          'payload[stripe_customer_id]': customers.data[0]?.id ?? '',
          'payload[value]': '7',
          timestamp: String(nowMs / 1_000),
          ...(fields as Record<string, string>),
        }),
      });
    },
    query: async (kql) => (await (await ask(kql)).json()) as never,
    stripe,
    close: () => sandbox.close(),
  };
  return world;
}
