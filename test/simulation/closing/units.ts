import { meterEventName } from '../../../sandbox/stripe/seed.ts';
import type { World } from '../world.ts';

const PICO = 10n ** 12n;

/** What a token of a customer's meter cost at an instant, in minor units, by what was asked for and never by Stripe's answer. */
export function unitAt(world: World, usage: { tenantKey: string; eventName: string; atMs: number }): string {
  const { scenario, life, person } = world;
  const { tenantKey, eventName, atMs } = usage;
  const swap = person.swaps.findLast(
    (one) => one.tenantKey === tenantKey && one.eventName === eventName && one.atMs <= atMs,
  );
  if (swap !== undefined) return swap.unit;
  const ofPlan = life.planPrices.find(
    (price) => price.tenantKey === tenantKey && meterEventName(price.model, price.tokenType) === eventName,
  );
  if (ofPlan !== undefined) return ofPlan.tiers[0]?.unitAmountDecimal ?? '';
  const currency = scenario.customers.find((customer) => customer.tenantKey === tenantKey)?.currency ?? 'usd';
  for (const { model, sellPriceCents } of scenario.models) {
    for (const [tokenType, unit] of Object.entries(sellPriceCents))
      if (meterEventName(model, tokenType) === eventName) return inCurrency(unit, currency);
  }
  throw new RangeError(`nobody sells ${eventName}`);
}

/** Whether a plan's minimum counts it. */
export function isOfPlan(
  { life }: World,
  { tenantKey, eventName }: { tenantKey: string; eventName: string },
) {
  return life.planPrices.some(
    (price) => price.tenantKey === tenantKey && meterEventName(price.model, price.tokenType) === eventName,
  );
}

/** Minor units of so many at a price, rounded once, half up. */
export function chargeOf(quantity: bigint, unit: string): bigint {
  return (2n * quantity * toPico(unit) + PICO) / (2n * PICO);
}

function toPico(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole) * PICO + BigInt(fraction.padEnd(12, '0').slice(0, 12));
}

/** The sandbox's prices in euro are 0.92 of those in dollars. */
function inCurrency(unit: string, currency: string): string {
  if (currency === 'usd') return unit;
  const pico = (toPico(unit) * 920n) / 1_000n;
  return `${pico / PICO}.${(pico % PICO).toString().padStart(12, '0')}`;
}
