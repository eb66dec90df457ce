import { planRatesAt } from '../../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook } from '../../../pricing/prices/azure-openai.ts';
import type { SellRate } from '../../../pricing/rating/sell-rates.ts';
import { DAY_MS } from '../../../src/platform/clock.ts';
import { toPriceParameters } from '../../../src/stripe/rate-price.ts';
import type { FormCalls } from '../../setup/form-calls.ts';
import type { Draws } from '../../simulation/draws.ts';
import {
  CURRENCIES,
  type Currency,
  drawPrice,
  type PlanSpec,
  packagePriceOf,
  RATE_KEYS,
  type RateSpec,
  toPlan,
} from './plan-spec.ts';
import { eventNameOf } from './usage.ts';

/** What a rate is at Stripe: an item, the price that it has now, and its meter. */
export interface RatedItem {
  spec: RateSpec;
  /** What the house makes of it. */
  rate: SellRate;
  itemId: string;
  priceId: string;
  meterId: string;
  eventName: string;
}

/** One customer: a plan, what the house makes of it, and where it is at Stripe. */
export interface Customer {
  customerId: string;
  subscriptionId: string;
  plan: PlanSpec;
  minimumMinor: bigint;
  /** In the order of the plan's rates. */
  items: RatedItem[];
  /** What another system bills of the subscription, at so many minor units for one. */
  storage: { eventName: string; itemId: string; priceId: string; unitMinor: bigint } | null;
  terms: Terms;
  /** Until then nothing is billed; null: it has no trial. */
  trialEndsAt: Date | null;
}

/** What is taken off an invoice, and put on it: percentages in millionths, amounts in minor units. */
export interface Terms {
  off: bigint;
  /** Exclusive. */
  tax: bigint;
  /** In the order in which they are used up. */
  grants: Grant[];
  /** Left of the customer's balance. */
  balanceMinor: bigint;
}

/** Billing credits: what is left of them, for which price (null: any with a meter), and for periods that end in which time. */
interface Grant {
  leftMinor: bigint;
  priceId: string | null;
  from: Date;
  until: Date | null;
}

/** What all customers of an account share. */
export interface Shelf {
  calls: FormCalls;
  productId: string;
  meterIds: ReadonlyMap<string, string>;
}

const EFFECTIVE_FROM = '2026-11-01T00:00:00Z';

export async function openShelf(calls: FormCalls): Promise<Shelf> {
  const meterIds = new Map<string, string>();
  for (const eventName of [...RATE_KEYS.map(eventNameOf), 'storage_gb']) {
    const meter = await calls.post<{ id: string }>('/v1/billing/meters', {
      event_name: eventName,
      display_name: eventName,
      default_aggregation: { formula: 'sum' },
    });
    meterIds.set(eventName, meter.id);
  }
  const product = await calls.post<{ id: string }>('/v1/products', { name: 'Generated' });
  return { calls, productId: product.id, meterIds };
}

/** Makes a plan's prices and the items of its subscription. */
export async function openCustomer(
  shelf: Shelf,
  at: { customerId: string; subscriptionId: string; trialEndsAt: Date | null },
  plan: PlanSpec,
  draws: Draws,
): Promise<Customer> {
  const { calls, productId, meterIds } = shelf;
  const { rates, minimumAmountMinor } = ratesOf(plan, 'generated');
  const items: RatedItem[] = [];
  for (const [index, rate] of rates.entries()) {
    const spec = plan.rates[index];
    if (spec === undefined) throw new Error('the plan has more rates than it was written with');
    const eventName = eventNameOf(rate);
    const priceId = await makePrice(shelf, rate, plan.currency);
    const item = await calls.post<{ id: string }>('/v1/subscription_items', {
      subscription: at.subscriptionId,
      price: priceId,
    });
    items.push({ spec, rate, itemId: item.id, priceId, meterId: meterIds.get(eventName) ?? '', eventName });
  }
  let storage: Customer['storage'] = null;
  if (draws.chance(0.25)) {
    const unitMinor = 12n * CURRENCIES[plan.currency].step;
    const price = await calls.post<{ id: string }>('/v1/prices', {
      product: productId,
      currency: plan.currency,
      unit_amount: unitMinor,
      recurring: { interval: 'month', usage_type: 'metered', meter: meterIds.get('storage_gb') },
    });
    const item = await calls.post<{ id: string }>('/v1/subscription_items', {
      subscription: at.subscriptionId,
      price: price.id,
    });
    storage = { eventName: 'storage_gb', itemId: item.id, priceId: price.id, unitMinor };
  }
  const priceIds = items.map(({ priceId }) => priceId);
  const terms = await openTerms(calls, { ...at, priceIds }, plan, draws);
  return { ...at, plan, minimumMinor: minimumAmountMinor, items, storage, terms };
}

/** A coupon or a grant, and tax and a balance beside them, as they are drawn. */
async function openTerms(
  calls: FormCalls,
  {
    customerId,
    subscriptionId,
    priceIds,
  }: { customerId: string; subscriptionId: string; priceIds: readonly string[] },
  { currency }: PlanSpec,
  draws: Draws,
): Promise<Terms> {
  const { step } = CURRENCIES[currency];
  const terms: Terms = { off: 0n, tax: 0n, grants: [], balanceMinor: 0n };
  const deal = draws.pick(['none', 'none', 'coupon', 'grant', 'both'] as const);
  if (deal === 'coupon' || deal === 'both') {
    const percent = draws.pick([10, 12.5, 33.33]);
    const coupon = await calls.post<{ id: string }>('/v1/coupons', {
      percent_off: percent,
      duration: 'forever',
    });
    await calls.post(`/v1/subscriptions/${subscriptionId}`, { discounts: [{ coupon: coupon.id }] });
    terms.off = BigInt(Math.round(percent * 10_000));
  }
  if (deal === 'grant' || deal === 'both')
    terms.grants = await openGrants(calls, { customerId, currency, priceIds }, draws);
  if (draws.chance(0.4)) {
    const percentage = draws.pick([19, 7.7, 8.875]);
    const rate = await calls.post<{ id: string }>('/v1/tax_rates', {
      display_name: 'Tax',
      inclusive: false,
      percentage,
    });
    await calls.post(`/v1/subscriptions/${subscriptionId}`, { default_tax_rates: [rate.id] });
    terms.tax = BigInt(Math.round(percentage * 10_000));
  }
  if (draws.chance(0.2)) {
    terms.balanceMinor = BigInt(draws.pick([700, 90_000])) * step;
    await calls.post(`/v1/customers/${customerId}/balance_transactions`, {
      amount: -terms.balanceMinor,
      currency,
    });
  }
  return terms;
}

/** One to three grants. @returns them in the order in which they are used up */
async function openGrants(
  calls: FormCalls,
  { customerId, currency, priceIds }: { customerId: string; currency: Currency; priceIds: readonly string[] },
  draws: Draws,
): Promise<Grant[]> {
  const start = new Date(EFFECTIVE_FROM);
  const later = (days: number) => new Date(start.getTime() + days * DAY_MS);
  const seconds = (at: Date | null) => (at === null ? undefined : at.getTime() / 1_000);
  const made: { grant: Grant; rank: readonly number[] }[] = [];
  for (let count = draws.between(1, 3); count > 0; count -= 1) {
    const leftMinor = BigInt(draws.pick([1, 5_000, 400_000, 30_000_000])) * CURRENCIES[currency].step;
    const priority = draws.pick([50, 50, 0, 100]);
    const category = draws.pick(['paid', 'promotional'] as const);
    const priceId = draws.chance(0.3) ? (priceIds[draws.between(0, priceIds.length - 1)] ?? null) : null;
    const from = draws.chance(0.2) ? later(draws.between(1, 120)) : start;
    const until = draws.chance(0.3) ? later(draws.between(40, 280)) : null;
    await calls.post('/v1/billing/credit_grants', {
      customer: customerId,
      name: 'Granted',
      category,
      priority,
      amount: { type: 'monetary', monetary: { currency, value: leftMinor } },
      applicability_config: {
        scope: priceId === null ? { price_type: 'metered' } : { prices: [{ id: priceId }] },
      },
      ...(from === start ? {} : { effective_at: seconds(from) }),
      ...(until === null ? {} : { expires_at: seconds(until) }),
    });
    const rank = [
      priority,
      until?.getTime() ?? Number.MAX_SAFE_INTEGER,
      category === 'paid' ? 1 : 0,
      from.getTime(),
    ];
    made.push({ grant: { leftMinor, priceId, from, until }, rank });
  }
  return made
    .sort(({ rank: one }, { rank: other }) => {
      const at = one.findIndex((value, index) => value !== other[index]);
      return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
    })
    .map(({ grant }) => grant);
}

/** Gives an item of the customer's another price. @returns the item as it was, and as it is */
export async function swapPrice(
  shelf: Shelf,
  customer: Customer,
  index: number,
  draws: Draws,
  proration: 'create_prorations' | 'none',
): Promise<RatedItem> {
  const before = customer.items[index];
  if (before === undefined) throw new RangeError(`the plan has no rate ${index}`);
  const { currency } = customer.plan;
  const { model, feature, tokenType } = before.spec;
  const spec = { model, feature, tokenType, ...drawPrice(draws, currency) };
  const [rate] = ratesOf({ ...customer.plan, rates: [spec], minimumMinor: 0n }, 'swapped').rates;
  if (rate === undefined) throw new Error('a plan of one rate has none');
  const priceId = await makePrice(shelf, rate, currency);
  await shelf.calls.post(`/v1/subscription_items/${before.itemId}`, {
    price: priceId,
    proration_behavior: proration,
  });
  customer.items[index] = { ...before, spec, rate, priceId };
  return before;
}

function ratesOf(spec: PlanSpec, planId: string): { rates: SellRate[]; minimumAmountMinor: bigint } {
  const plan = toPlan(spec, planId, EFFECTIVE_FROM);
  const { rates, minimumAmountMinor } = planRatesAt(plan, new Date(EFFECTIVE_FROM), azureOpenAiPriceBook);
  const priceOf = (index: number) => {
    const rate = spec.rates[index];
    return rate === undefined ? null : packagePriceOf(rate);
  };
  return {
    minimumAmountMinor,
    rates: rates.map((rate, index) => ({ ...rate, price: priceOf(index) ?? rate.price })),
  };
}

async function makePrice({ calls, productId, meterIds }: Shelf, rate: SellRate, currency: string) {
  const price = await calls.post<{ id: string }>('/v1/prices', {
    product: productId,
    currency,
    recurring: { interval: 'month', usage_type: 'metered', meter: meterIds.get(eventNameOf(rate)) },
    ...toPriceParameters(rate.price),
  });
  return price.id;
}
