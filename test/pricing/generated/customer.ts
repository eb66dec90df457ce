import type { Plan } from '../../../pricing/plans/plan.ts';
import { planRatesAt } from '../../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook } from '../../../pricing/prices/azure-openai.ts';
import type { SellRate } from '../../../pricing/rating/sell-rates.ts';
import { toPriceParameters } from '../../../src/stripe/rate-price.ts';
import type { FormCalls } from '../../setup/form-calls.ts';
import type { Draws } from '../../simulation/draws.ts';
import { CURRENCIES, drawPrice, type PlanSpec, RATE_KEYS, type RateSpec, toPlan } from './plan-spec.ts';
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
}

/** What is taken off an invoice, and put on it: percentages in millionths, amounts in minor units. */
export interface Terms {
  off: bigint;
  /** Exclusive. */
  tax: bigint;
  /** Left of a grant of billing credits, and of the customer's balance. */
  grantMinor: bigint;
  balanceMinor: bigint;
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
  at: { customerId: string; subscriptionId: string },
  plan: PlanSpec,
  draws: Draws,
): Promise<Customer> {
  const { calls, productId, meterIds } = shelf;
  const { rates, minimumAmountMinor } = ratesOf(toPlan(plan, 'generated', EFFECTIVE_FROM));
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
  const terms = await openTerms(calls, at, plan, draws);
  return { ...at, plan, minimumMinor: minimumAmountMinor, items, storage, terms };
}

/** A coupon or a grant, and tax and a balance beside them, as they are drawn. */
async function openTerms(
  calls: FormCalls,
  { customerId, subscriptionId }: { customerId: string; subscriptionId: string },
  { currency }: PlanSpec,
  draws: Draws,
): Promise<Terms> {
  const { step } = CURRENCIES[currency];
  const terms: Terms = { off: 0n, tax: 0n, grantMinor: 0n, balanceMinor: 0n };
  const deal = draws.pick(['none', 'none', 'coupon', 'grant'] as const);
  if (deal === 'coupon') {
    const percent = draws.pick([10, 12.5, 33.33]);
    const coupon = await calls.post<{ id: string }>('/v1/coupons', {
      percent_off: percent,
      duration: 'forever',
    });
    await calls.post(`/v1/subscriptions/${subscriptionId}`, { discounts: [{ coupon: coupon.id }] });
    terms.off = BigInt(Math.round(percent * 10_000));
  }
  if (deal === 'grant') {
    terms.grantMinor = BigInt(draws.pick([1, 5_000, 400_000])) * step;
    await calls.post('/v1/billing/credit_grants', {
      customer: customerId,
      name: 'Granted',
      category: 'promotional',
      amount: { type: 'monetary', monetary: { currency, value: terms.grantMinor } },
      applicability_config: { scope: { price_type: 'metered' } },
    });
  }
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
  const [rate] = ratesOf(
    toPlan({ ...customer.plan, rates: [spec], minimumMinor: 0n }, 'swapped', EFFECTIVE_FROM),
  ).rates;
  if (rate === undefined) throw new Error('a plan of one rate has none');
  const priceId = await makePrice(shelf, rate, currency);
  await shelf.calls.post(`/v1/subscription_items/${before.itemId}`, {
    price: priceId,
    proration_behavior: proration,
  });
  customer.items[index] = { ...before, spec, rate, priceId };
  return before;
}

function ratesOf(plan: Plan) {
  return planRatesAt(plan, new Date(EFFECTIVE_FROM), azureOpenAiPriceBook);
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
