import type { Server } from 'node:http';
import { workerData } from 'node:worker_threads';
import { createAdaptorServer } from '@hono/node-server';
import { createOpenMeterStandIn } from '../../../sandbox/openmeter/stand-in.ts';
import { createScenario, type ScenarioOptions } from '../../../sandbox/scenario.ts';
import { createStripeStandIn } from '../../../sandbox/stripe/stand-in.ts';
import { VirtualClock } from '../../../sandbox/virtual-clock.ts';
import { DAY_MS, HOUR_MS } from '../../../src/platform/clock.ts';
import { runThreadServer } from './thread-server.ts';

export interface MeterHistoryOptions {
  scenario: ScenarioOptions;
  /** Meters in all; those that the scenario has no price for are made beside its own. */
  meterCount: number;
  /** Every pair has usage on so many days, spread over the scenario's. */
  daysPerPair: number;
}

/** One hour of usage that Stripe holds of one customer and meter. */
export interface MeterHistoryEvent {
  stripeCustomerId: string;
  stripeMeterId: string;
  eventName: string;
  hourMs: number;
  value: number;
}

export interface MeterHistoryReport {
  events: MeterHistoryEvent[];
  summaryReadCount: number;
}

/** The Stripe stand-in with a month of usage in it, its summary reads counted, and an empty OpenMeter beside it. */
const { scenario, meterCount, daysPerPair } = workerData as MeterHistoryOptions;
const endMs = scenario.startMs + scenario.dayCount * DAY_MS;
const clock = new VirtualClock(endMs + DAY_MS);
const context = { clock, seed: scenario.seed, stateDirectory: null, latencyMs: 0 };
const stripe = createStripeStandIn(context, createScenario(scenario), {
  callsPerSecond: Number.POSITIVE_INFINITY,
  otherCallsPerSecond: Number.POSITIVE_INFINITY,
});
const openMeter = createOpenMeterStandIn(context);
let summaryReadCount = 0;

async function ask<Answer>(path: string, form?: Record<string, string>): Promise<Answer> {
  const headers = { authorization: `Bearer ${stripe.apiKey}` };
  const request =
    form === undefined
      ? new Request(`http://stripe${path}`, { headers })
      : new Request(`http://stripe${path}`, { method: 'POST', headers, body: new URLSearchParams(form) });
  const response = await stripe.app.fetch(request);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

async function listAll<Item extends { id: string }>(path: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let after = ''; ; ) {
    const page = await ask<{ data: Item[]; has_more: boolean }>(`${path}?limit=100${after}`);
    items.push(...page.data);
    const last = page.data.at(-1);
    if (!page.has_more || last === undefined) return items;
    after = `&starting_after=${last.id}`;
  }
}

async function fill(): Promise<MeterHistoryEvent[]> {
  let meters = await listAll<{ id: string; event_name: string }>('/v1/billing/meters');
  for (let number = meters.length; number < meterCount; number += 1) {
    await ask('/v1/billing/meters', {
      display_name: `Further ${number}`,
      event_name: `further_${number}`,
      'default_aggregation[formula]': 'sum',
    });
  }
  meters = (await listAll<{ id: string; event_name: string }>('/v1/billing/meters')).slice(0, meterCount);
  const customers = await listAll<{ id: string }>('/v1/customers');
  const events: MeterHistoryEvent[] = [];
  for (const [customerIndex, customer] of customers.entries()) {
    for (const [meterIndex, meter] of meters.entries()) {
      for (let use = 0; use < daysPerPair; use += 1) {
        const day = Math.floor((use * scenario.dayCount) / daysPerPair);
        const hour = (customerIndex * 7 + meterIndex * 5 + use * 3) % 24;
        // A few customers have most of the usage.
        const value =
          1_000 + Math.floor(5_000_000 / (customerIndex + 1)) + ((meterIndex * 31 + use * 17) % 97);
        events.push({
          stripeCustomerId: customer.id,
          stripeMeterId: meter.id,
          eventName: meter.event_name,
          hourMs: scenario.startMs + day * DAY_MS + hour * HOUR_MS,
          value,
        });
      }
    }
  }
  for (const [index, event] of events.entries()) {
    await ask('/v1/billing/meter_events', {
      event_name: event.eventName,
      'payload[stripe_customer_id]': event.stripeCustomerId,
      'payload[value]': String(event.value),
      identifier: `history-${index}`,
      timestamp: String(event.hourMs / 1_000),
    });
  }
  return events;
}

const events = await fill();
clock.advanceTo(clock.nowMs() + HOUR_MS);
const server = createAdaptorServer({
  fetch: (request, bindings) => {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith('/v1/')) return openMeter.app.fetch(request, bindings);
    if (pathname.endsWith('/event_summaries')) summaryReadCount += 1;
    return stripe.app.fetch(request, bindings);
  },
});
runThreadServer(server as Server, (): MeterHistoryReport => ({ events, summaryReadCount }));
