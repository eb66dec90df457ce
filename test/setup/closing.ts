import type { SeedTieredPrice } from '../../sandbox/stripe/seed.ts';
import { getClose, listCloses } from '../../src/closing/desk.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { openPipeline, type Pipeline, type PipelineOptions, START_MS } from './pipeline.ts';
import { makeCall } from './rows.ts';

/** When every period of the `same_hour` story ends, in hours after the start. */
const PERIOD_END_HOUR = 36;
export const PERIOD_END_MS = START_MS + PERIOD_END_HOUR * HOUR_MS;

const SCALE_PLAN = { tallystick_plan: 'scale', tallystick_plan_version: 'any' };
/** The first customer's prices of one model are of the plan `scale`, whose minimum is 500 dollars. */
export const SCALE_PLAN_PRICES: SeedTieredPrice[] = ['prompt', 'prompt_cached', 'completion'].map(
  (tokenType) => ({
    tenantKey: 'northwind',
    model: 'gpt-4o',
    tokenType,
    tiersMode: 'graduated',
    tiers: [{ upTo: null, unitAmountDecimal: '0.001', flatAmountDecimal: null }],
    metadata: SCALE_PLAN,
  }),
);

/** The first user of each customer of the scenario, to make calls as. */
export interface Caller {
  customerId: string;
  userId: string;
}

/** A pipeline whose customers' periods all end in the same hour, and that closes them. */
export async function openClosing(options: PipelineOptions = {}): Promise<Pipeline> {
  return await openPipeline({
    gracePeriodHours: 1,
    ...options,
    scenario: { story: 'same_hour', customerCount: 3, userCount: 3, ...options.scenario },
    settings: { closesInvoices: true, ...options.settings },
  });
}

export function callersOf(pipeline: Pipeline): Caller[] {
  return pipeline.scenario.customers.map((customer) => ({
    customerId: customer.tenantKey,
    userId: customer.subjects[0] ?? '',
  }));
}

/** Adds one call of a customer to the source. */
export function call(
  pipeline: Pipeline,
  caller: Caller | undefined,
  given: Parameters<typeof makeCall>[0],
): void {
  if (caller === undefined) throw new RangeError('there is no such customer');
  pipeline.traffic.inject(
    makeCall({ ...given, dimensions: { userId: caller.userId, tenantId: caller.customerId } }),
  );
}

/** Runs every step every quarter of an hour until so many hours after the periods' end. */
export async function runUntil(pipeline: Pipeline, hoursAfterEnd: number, stepMinutes = 15): Promise<void> {
  const untilMs = PERIOD_END_MS + hoursAfterEnd * HOUR_MS;
  while (pipeline.clock.nowMs() < untilMs) {
    const nextMs = Math.min(pipeline.clock.nowMs() + stepMinutes * MINUTE_MS, untilMs);
    await pipeline.tick((nextMs - pipeline.clock.nowMs()) / HOUR_MS);
  }
}

/** State of each close by customer. */
export async function states(pipeline: Pipeline): Promise<Record<string, string>> {
  const closes = await listCloses(pipeline.deps.database, {}, { after: null, limit: 1_000 });
  return Object.fromEntries(closes.map((close) => [close.customerId, close.state]));
}

/** The close of a customer, with its steps. */
export async function closeOf(pipeline: Pipeline, customerId: string | undefined) {
  const { database } = pipeline.deps;
  const [row] = await listCloses(database, { customerId }, { after: null, limit: 1 });
  if (row === undefined) throw new RangeError(`nothing of ${customerId} is closed`);
  return await getClose(database, row.invoiceId);
}
