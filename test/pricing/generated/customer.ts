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
  storage: { eventName: string; priceId: string; unitMinor: bigint } | null;
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
    await calls.post('/v1/subscription_items', { subscription: at.subscriptionId, price: price.id });
    storage = { eventName: 'storage_gb', priceId: price.id, unitMinor };
  }
  return { ...at, plan, minimumMinor: minimumAmountMinor, items, storage };
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
