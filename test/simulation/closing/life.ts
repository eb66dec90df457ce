import type { Scenario, ScenarioModel } from '../../../sandbox/scenario.ts';
import type { SeedTieredPrice } from '../../../sandbox/stripe/seed.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import { Draws } from '../draws.ts';

/** What a person does at Stripe while everything runs. */
export type Act =
  /** An item gets another price, of so many minor units for a token. */
  | { kind: 'swap'; model: string; tokenType: string; unit: string; proration: Proration }
  /** The subscription ends: at once, what was used on a last invoice or forgone, or with its period. */
  | { kind: 'cancel'; how: 'invoice_now' | 'forgone' | 'at_period_end' }
  /** A metered item of another system joins the subscription. */
  | { kind: 'add_storage' }
  /** That system feeds it. */
  | { kind: 'feed_storage'; quantity: number };
type Proration = 'create_prorations' | 'always_invoice' | 'none';

export interface Happening {
  atMs: number;
  tenantKey: string;
  act: Act;
}

/** Of a seed, whose periods end and what befalls them. */
export interface Life {
  /** First ends of the customers' billing periods. */
  periodEndMs: readonly number[];
  happenings: readonly Happening[];
  /** Prices of a plan whose minimum is 500 dollars, of the first customer; none: it has no plan. */
  planPrices: readonly SeedTieredPrice[];
  /** Of events: chances that a webhook brings it not at all, and twice. Null: webhooks are not set up. */
  webhooks: { lost: number; doubled: number } | null;
}

/** A token costs cents, so that a lost one is seen in the total. */
const UNITS = { prompt: '0.4137', prompt_cached: '0.0519', completion: '1.250731' };
const OTHER_UNITS = ['0.2083', '0.91', '2.000317'] as const;
const FAR_AWAY_MS = 20 * 24 * HOUR_MS;

export function priceDearly(model: ScenarioModel): ScenarioModel {
  return { ...model, sellPriceCents: { ...UNITS } };
}

export function drawLife(seed: number, scenario: Scenario, options: { periodEnds: boolean }): Life {
  const draws = new Draws(seed, 'life');
  const { startMs } = scenario.options;
  const closes = options.periodEnds && draws.chance(0.6);
  const periodEndMs = scenario.customers.map((_, index) => {
    if (!closes || (index > 0 && draws.chance(0.5))) return startMs + FAR_AWAY_MS;
    return startMs + draws.between(2, 20) * HOUR_MS + draws.pick([0, 0, 17]) * MINUTE_MS;
  });
  if (!closes) return { periodEndMs, happenings: [], planPrices: [], webhooks: null };
  const happenings = scenario.customers.flatMap(({ tenantKey }, index) =>
    drawHappenings(draws, tenantKey, { startMs, endMs: periodEndMs[index] ?? 0 }, scenario.models),
  );
  return {
    periodEndMs,
    happenings: happenings.sort((one, other) => one.atMs - other.atMs),
    planPrices: draws.chance(0.4) ? planPrices(scenario, draws.pick(['1.5', '12', '40'])) : [],
    webhooks: draws.chance(0.5) ? { lost: draws.pick([0, 0.2, 0.6]), doubled: draws.pick([0, 0.3]) } : null,
  };
}

function drawHappenings(
  draws: Draws,
  tenantKey: string,
  period: { startMs: number; endMs: number },
  models: readonly ScenarioModel[],
): Happening[] {
  const happenings: Happening[] = [];
  const lastMs = Math.min(period.endMs, period.startMs + 20 * HOUR_MS);
  const within = () => period.startMs + draws.between(1, (lastMs - period.startMs) / MINUTE_MS) * MINUTE_MS;
  const plan = (atMs: number, act: Act) => happenings.push({ atMs, tenantKey, act });
  if (draws.chance(0.4)) {
    plan(within(), {
      kind: 'swap',
      model: models[0]?.model ?? '',
      tokenType: draws.pick(['prompt', 'completion']),
      unit: draws.pick(OTHER_UNITS),
      proration: draws.pick<Proration>(['create_prorations', 'create_prorations', 'always_invoice', 'none']),
    });
  }
  if (draws.chance(0.3)) {
    const atMs = within();
    plan(atMs, { kind: 'add_storage' });
    for (let count = draws.between(0, 2); count > 0; count -= 1)
      plan(atMs + draws.between(1, 200) * MINUTE_MS, {
        kind: 'feed_storage',
        quantity: draws.between(1, 20),
      });
  }
  if (draws.chance(0.4)) {
    const how = draws.pick<'invoice_now' | 'forgone' | 'at_period_end'>([
      'invoice_now',
      'invoice_now',
      'forgone',
      'at_period_end',
    ]);
    // Mostly after the first period: what came too late for that one is on the last invoice.
    const after = lastMs + draws.between(2, 30) * HOUR_MS;
    plan(how === 'at_period_end' ? within() : draws.chance(0.8) ? after : within(), { kind: 'cancel', how });
  }
  return happenings;
}

function planPrices({ customers, models }: Scenario, unit: string): SeedTieredPrice[] {
  const [customer, model] = [customers[0], models[0]];
  if (customer === undefined || model === undefined) return [];
  return model.tokenTypes.map((tokenType) => ({
    tenantKey: customer.tenantKey,
    model: model.model,
    tokenType,
    tiersMode: 'graduated',
    tiers: [{ upTo: null, unitAmountDecimal: unit, flatAmountDecimal: null }],
    metadata: { tallystick_plan: 'scale', tallystick_plan_version: 'any' },
  }));
}
