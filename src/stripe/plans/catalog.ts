import type Stripe from 'stripe';
import type { TaxBehavior } from '../../../pricing/plans/plan.ts';
import type { RatePrice } from '../../../pricing/rating/rate-price.ts';
import { createMemoryKeys } from '../call-keys.ts';
import type { StripeConfig, StripeOptions } from '../client.ts';
import { idOf } from '../invoices.ts';
import { createRateLimiter, type RateLimiter } from '../rate-limiter.ts';
import { toPriceParameters, toRatePrice } from '../rate-price.ts';
import { DEFAULT_RETRY_POLICY, type RetryPolicy, withRetry } from '../retry.ts';
import { createStripeSdk } from '../sdk.ts';
import { toTaxBehavior } from '../taxes.ts';
import { type ContentCall, createOnce, PLAN_METADATA_KEY, planMetadata, toText } from './content-key.ts';

interface PlanCatalogProduct {
  productId: string;
  planId: string;
  name: string;
  active: boolean;
  taxCode: string | null;
  metadata: Record<string, string>;
}

interface PlanCatalogMeter {
  meterId: string;
  eventName: string;
  displayName: string;
  aggregation: string;
  eventTimeWindow: string | null;
  active: boolean;
}

interface PlanCatalogPrice {
  priceId: string;
  planId: string;
  productId: string;
  lookupKey: string | null;
  active: boolean;
  currency: string;
  nickname: string | null;
  meterId: string | null;
  /** Null: not something this version can rate. */
  price: RatePrice | null;
  /** Null: nobody said. */
  taxBehavior: TaxBehavior | null;
  metadata: Record<string, string>;
}

/** What plans are at Stripe, oldest first. */
interface PlanCatalogListing {
  products: PlanCatalogProduct[];
  /** All of the account: a meter has no metadata, and at most one active one has an event name. */
  meters: PlanCatalogMeter[];
  prices: PlanCatalogPrice[];
}

interface NewPlanProduct {
  planId: string;
  name: string;
  /** Absent or null: as the account's default says. */
  taxCode?: string | null;
  metadata?: Record<string, string>;
}

export interface NewPlanPrice {
  planId: string;
  productId: string;
  meterId: string;
  /** At most 200 characters; taken over from the price that has it now. */
  lookupKey: string;
  currency: string;
  price: RatePrice;
  /** Absent or null: as the account's default says. */
  taxBehavior?: TaxBehavior | null;
  nickname?: string;
  metadata?: Record<string, string>;
}

/**
 * How plans are written to Stripe. Every call may be repeated: creating has an idempotency key made of the content,
 * changing sets what is asked for. All throw UpstreamError.
 */
export interface PlanCatalogPort {
  /** Products and metered prices that bear `tallystick_plan`, inactive ones too, and all meters. */
  listPlanCatalog(signal?: AbortSignal): Promise<PlanCatalogListing>;
  createProduct(product: NewPlanProduct, signal?: AbortSignal): Promise<PlanCatalogProduct>;
  updateProduct(
    productId: string,
    change: { name?: string; active?: boolean; taxCode?: string | null; metadata?: Record<string, string> },
    signal?: AbortSignal,
  ): Promise<PlanCatalogProduct>;
  /** A meter that sums; its event name must not be another active meter's. */
  createMeter(
    meter: { eventName: string; displayName: string },
    signal?: AbortSignal,
  ): Promise<PlanCatalogMeter>;
  createPrice(price: NewPlanPrice, signal?: AbortSignal): Promise<PlanCatalogPrice>;
  /** Of a price of which nobody has said it yet. */
  setTaxBehavior(priceId: string, taxBehavior: TaxBehavior, signal?: AbortSignal): Promise<void>;
  /** Subscriptions that have the price keep it; no new one can take it. */
  deactivatePrice(priceId: string, signal?: AbortSignal): Promise<void>;
  activatePrice(priceId: string, signal?: AbortSignal): Promise<void>;
}

const PAGE_SIZE = 100;
/** Test mode lets 25 writes a second through, and other senders share them. */
const CALLS_PER_SECOND = 15;
const BURST = 10;

/** The port over Stripe's own SDK. */
export function createPlanCatalog(config: StripeConfig, options: StripeOptions = {}): PlanCatalogPort {
  const stripe = createStripeSdk({
    apiKey: config.STRIPE_API_KEY,
    apiBase: config.STRIPE_API_BASE,
    account: config.STRIPE_ACCOUNT,
    timeoutMs: options.timeoutMs ?? 30_000,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  const policy: RetryPolicy = { ...DEFAULT_RETRY_POLICY, ...options.retryPolicy };
  const limiter = createRateLimiter({ callsPerSecond: CALLS_PER_SECOND, burst: BURST });

  const client = { policy, limiter, keys: options.keys ?? createMemoryKeys() };
  const create = <Made extends { id: string }>(call: ContentCall<Made>) => createOnce(client, call);
  const change = <Made>(action: string, run: () => Promise<Made>, signal?: AbortSignal): Promise<Made> =>
    withRetry(policy, { action, writes: true }, () => paced(limiter, run, signal), signal);

  return {
    listPlanCatalog: (signal) => listPlanCatalog(stripe, policy, limiter, signal),
    async createProduct(product, signal) {
      const parameters: Stripe.ProductCreateParams = {
        name: product.name,
        ...(product.taxCode == null ? {} : { tax_code: product.taxCode }),
        metadata: planMetadata(product),
      };
      const made = await create({
        action: 'create a product',
        content: ['product', parameters],
        create: (request) => stripe.products.create(parameters, request),
        isCurrent: async (id) => (await stripe.products.retrieve(id)).active,
        ...(signal === undefined ? {} : { signal }),
      });
      return toProduct(made);
    },
    async updateProduct(productId, { taxCode, ...changes }, signal) {
      const parameters = { ...changes, ...(taxCode == null ? {} : { tax_code: taxCode }) };
      return toProduct(
        await change('update a product', () => stripe.products.update(productId, parameters), signal),
      );
    },
    async createMeter(meter, signal) {
      const parameters: Stripe.Billing.MeterCreateParams = {
        event_name: meter.eventName,
        display_name: meter.displayName,
        default_aggregation: { formula: 'sum' },
        customer_mapping: { type: 'by_id', event_payload_key: 'stripe_customer_id' },
        value_settings: { event_payload_key: 'value' },
      };
      const made = await create({
        action: 'create a meter',
        content: ['meter', parameters],
        create: (request) => stripe.billing.meters.create(parameters, request),
        isCurrent: async (id) => (await stripe.billing.meters.retrieve(id)).status === 'active',
        ...(signal === undefined ? {} : { signal }),
      });
      return toMeter(made);
    },
    async createPrice(price, signal) {
      const parameters: Stripe.PriceCreateParams = {
        product: price.productId,
        currency: price.currency,
        ...toPriceParameters(price.price),
        recurring: { interval: 'month', usage_type: 'metered', meter: price.meterId },
        lookup_key: price.lookupKey,
        transfer_lookup_key: true,
        ...(price.nickname === undefined ? {} : { nickname: price.nickname }),
        ...(price.taxBehavior == null ? {} : { tax_behavior: price.taxBehavior }),
        metadata: planMetadata(price),
        expand: ['tiers'],
      };
      const made = await create({
        action: 'create a price',
        content: [
          'price',
          price.productId,
          price.currency,
          price.meterId,
          price.lookupKey,
          price.nickname ?? null,
          planMetadata(price),
          toText(price.price),
          ...(price.taxBehavior == null ? [] : [price.taxBehavior]),
        ],
        create: (request) => stripe.prices.create(parameters, request),
        isCurrent: async (id) => {
          const known = await stripe.prices.retrieve(id);
          return known.active && known.lookup_key === price.lookupKey;
        },
        ...(signal === undefined ? {} : { signal }),
      });
      return toPrice(made);
    },
    async setTaxBehavior(priceId, tax_behavior, signal) {
      await change('set the tax of a price', () => stripe.prices.update(priceId, { tax_behavior }), signal);
    },
    async deactivatePrice(priceId, signal) {
      await change('deactivate a price', () => stripe.prices.update(priceId, { active: false }), signal);
    },
    async activatePrice(priceId, signal) {
      await change('activate a price', () => stripe.prices.update(priceId, { active: true }), signal);
    },
  };
}

async function listPlanCatalog(
  stripe: Stripe,
  policy: RetryPolicy,
  limiter: RateLimiter,
  signal?: AbortSignal,
): Promise<PlanCatalogListing> {
  const readAll = async <Item>(action: string, list: () => AsyncIterable<Item>): Promise<Item[]> => {
    const read = async () => {
      const items: Item[] = [];
      for await (const item of list()) items.push(item);
      return items.reverse();
    };
    return withRetry(policy, { action, writes: false }, () => paced(limiter, read, signal), signal);
  };
  const products = await readAll('list products', () => stripe.products.list({ limit: PAGE_SIZE }));
  const meters = await readAll('list meters', () => stripe.billing.meters.list({ limit: PAGE_SIZE }));
  const prices = await readAll('list prices', () =>
    stripe.prices.list({
      limit: PAGE_SIZE,
      recurring: { usage_type: 'metered' },
      expand: ['data.tiers'],
    }),
  );
  return {
    products: products.filter(isOurs).map(toProduct),
    meters: meters.map(toMeter),
    prices: prices.filter(isOurs).map(toPrice),
  };
}

async function paced<Result>(
  limiter: RateLimiter,
  run: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  await limiter.take(signal);
  return run();
}

function isOurs(object: { metadata: Stripe.Metadata }): boolean {
  return object.metadata[PLAN_METADATA_KEY] !== undefined;
}

function toProduct(product: Stripe.Product): PlanCatalogProduct {
  return {
    productId: product.id,
    planId: product.metadata[PLAN_METADATA_KEY] ?? '',
    name: product.name,
    active: product.active,
    taxCode: idOf(product.tax_code ?? null),
    metadata: { ...product.metadata },
  };
}

function toMeter(meter: Stripe.Billing.Meter): PlanCatalogMeter {
  return {
    meterId: meter.id,
    eventName: meter.event_name,
    displayName: meter.display_name,
    aggregation: meter.default_aggregation.formula,
    eventTimeWindow: meter.event_time_window,
    active: meter.status === 'active',
  };
}

function toPrice(price: Stripe.Price): PlanCatalogPrice {
  return {
    priceId: price.id,
    planId: price.metadata[PLAN_METADATA_KEY] ?? '',
    productId: idOf(price.product) ?? '',
    lookupKey: price.lookup_key,
    active: price.active,
    currency: price.currency,
    nickname: price.nickname,
    meterId: price.recurring?.meter ?? null,
    price: toRatePrice(price, price.tiers),
    taxBehavior: toTaxBehavior(price.tax_behavior),
    metadata: { ...price.metadata },
  };
}
