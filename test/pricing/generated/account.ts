import { createScenario } from '../../../sandbox/scenario.ts';
import { addMonths } from '../../../sandbox/stripe/invoices/months.ts';
import { createStripeStandIn } from '../../../sandbox/stripe/stand-in.ts';
import { VirtualClock } from '../../../sandbox/virtual-clock.ts';
import { DAY_MS } from '../../../src/platform/clock.ts';
import { createStripe } from '../../../src/stripe/client.ts';
import { FormCalls } from '../../setup/form-calls.ts';
import { Draws } from '../../simulation/draws.ts';
import type { ComparedPeriod } from './compared.ts';
import { type Customer, openCustomer, openShelf } from './customer.ts';
import { Months } from './months.ts';
import { drawPlan } from './plan-spec.ts';

/** What Stripe's documents, or its dashboard, leave open. */
export type Readings = ReturnType<typeof drawReadings>;

function drawReadings(seed: number) {
  const draws = new Draws(seed, 'readings of the stand-in');
  return {
    taxRounding: draws.pick(['line', 'invoice'] as const),
    packageQuantities: draws.pick(['units', 'packages'] as const),
    creditScopes: draws.pick(['same', 'applicable'] as const),
    creditsOnDrafts: draws.pick(['available', 'taken'] as const),
    creditsFormerPrices: draws.chance(0.5),
    showsTrials: draws.chance(0.5),
  };
}

/** Mostly none; the first month, or a part of it. */
function drawTrialDays(draws: Draws): number | null {
  if (!draws.chance(0.2)) return null;
  return draws.chance(0.3) ? FIRST_MONTH_DAYS : draws.between(2, 50) / 2;
}

const FIRST_MONTH_DAYS = 30;
const START = new Date('2026-11-01T00:00:00Z');

/**
 * Plays customers with plans of their own through months of usage in one account of the stand-in: prices made and changed,
 * meter events sent, drafts topped up to their minimum, invoices finalized by its clock.
 */
export async function playAccount(options: {
  seed: number;
  customerCount: number;
  monthCount: number;
}): Promise<ComparedPeriod[]> {
  const draws = new Draws(options.seed, 'generated periods');
  const clock = new VirtualClock(START.getTime());
  const scenario = {
    ...createScenario({
      seed: options.seed,
      dayCount: 1,
      userCount: options.customerCount,
      customerCount: options.customerCount,
      startMs: START.getTime(),
    }),
    models: [],
  };
  const plans = scenario.customers.map(() => drawPlan(draws));
  const trials = plans.map(() => drawTrialDays(draws));
  scenario.customers.forEach((customer, index) => {
    // The sandbox's own worlds know two.
    customer.currency = (plans[index]?.currency ?? 'usd') as 'usd';
    customer.billingAnchorMs = addMonths(START.getTime(), 1);
    const trialDays = trials[index] ?? null;
    customer.life = trialDays === null ? {} : { trialDays };
  });
  const readings = drawReadings(options.seed);
  const draftQuantities = options.seed % 2 === 0 ? 'follow' : 'stand_still';
  // A draft that stands still at nothing does not show how lines are rounded: there the likelier reading is played alone.
  const roundsLinesToSteps = draftQuantities === 'stand_still' || options.seed % 4 === 0;
  const standIn = createStripeStandIn(
    { clock, seed: options.seed, stateDirectory: null, latencyMs: 0 },
    scenario,
    {
      aggregationDelayMs: 0,
      callsPerSecond: Number.POSITIVE_INFINITY,
      otherCallsPerSecond: Number.POSITIVE_INFINITY,
      draftQuantities,
      roundsLinesToSteps,
      ...readings,
    },
  );
  const billing = createStripe(
    { STRIPE_API_KEY: standIn.apiKey, STRIPE_API_BASE: 'http://127.0.0.1:1' },
    { fetch: async (input, init) => await standIn.app.fetch(new Request(input, init)) },
  );
  const calls = new FormCalls(standIn.apiKey, (request) => standIn.app.fetch(request));
  const moveTo = (nowMs: number) => {
    clock.advanceTo(nowMs);
    standIn.advance(nowMs);
  };
  try {
    const shelf = await openShelf(calls);
    // Lists are newest first.
    const subscriptions = await calls.listAll<{ id: string; customer: string }>('/v1/subscriptions?');
    const customers: Customer[] = [];
    for (const [index, { id, customer }] of subscriptions.reverse().entries()) {
      const plan = plans[index];
      if (plan === undefined) throw new Error('there are more subscriptions than plans');
      const trialDays = trials[index] ?? null;
      const trialEndsAt = trialDays === null ? null : new Date(START.getTime() + trialDays * DAY_MS);
      const at = { customerId: customer, subscriptionId: id, trialEndsAt };
      customers.push(await openCustomer(shelf, at, plan, draws));
    }
    const account = new Months({
      shelf,
      invoicing: billing.invoicing,
      billing,
      draws,
      moveTo,
      customers,
      draftQuantities,
      roundsLinesToSteps,
      readings,
    });
    const periods: ComparedPeriod[] = [];
    for (let month = 0; month < options.monthCount; month += 1) {
      const start = new Date(addMonths(START.getTime(), month));
      const end = new Date(addMonths(START.getTime(), month + 1));
      periods.push(...(await account.playMonth(start, end)));
    }
    return periods;
  } finally {
    standIn.close();
  }
}
