import { PICO_DIGITS, parseDecimal } from './money.ts';
import type { Plan } from './plan.ts';
import { planEventName, planLookupKey } from './plan-catalog-names.ts';
import type { PlanRates } from './plan-rates.ts';
import type { RatePrice } from './rate-price.ts';
import type { RateKey, SellRate } from './sell-rates.ts';

/** What of plans is at Stripe already. Of products and prices only those that a plan made. */
export interface PlanCatalogState {
  products: readonly {
    productId: string;
    planId: string;
    name: string;
    active: boolean;
    metadata: Readonly<Record<string, string>>;
  }[];
  meters: readonly { meterId: string; eventName: string; aggregation: string; active: boolean }[];
  prices: readonly CatalogPrice[];
  /** Which meter takes which usage by now. Plans use it, so that nothing is bound to two meters. */
  bindings: readonly (RateKey & { meterId: string })[];
}

export interface CatalogPrice {
  priceId: string;
  planId: string;
  productId: string;
  lookupKey: string | null;
  active: boolean;
  currency: string;
  meterId: string | null;
  price: RatePrice | null;
}

/** One write to Stripe. What does not exist yet is named by what will make it. */
export type PlanCatalogChange =
  | { kind: 'create_meter'; eventName: string; displayName: string }
  | { kind: 'create_product'; rateId: string; planId: string; name: string; metadata: Record<string, string> }
  | { kind: 'update_product'; productId: string; name: string; active: boolean }
  | {
      kind: 'create_price';
      rateId: string;
      planId: string;
      productId: string | null;
      meterId: string | null;
      eventName: string;
      lookupKey: string;
      currency: string;
      price: RatePrice;
      nickname: string;
      metadata: Record<string, string>;
      /** What the plan has charged so far; null: nothing. */
      replaces: CatalogPrice | null;
    }
  | { kind: 'activate_price'; priceId: string; lookupKey: string }
  | {
      kind: 'deactivate_price';
      priceId: string;
      lookupKey: string | null;
      reason: 'replaced' | 'not_in_plan';
    };

/** Metadata by which a product is found again. */
const RATE_KEY = 'tallystick_rate';

/**
 * What has to be written so that Stripe has a plan's rates: a product and a price for each rate, and a meter for
 * each kind of usage. Nothing when it has them. In an order in which any prefix may be all that happens: what is new
 * comes first, and what it replaces is put out of use last. What bears another plan's name, or none, is not touched.
 * @throws RangeError when a meter cannot be used, or two kinds of usage would share one
 */
export function planCatalogChanges(
  plan: Plan,
  rates: PlanRates,
  state: PlanCatalogState,
): PlanCatalogChange[] {
  const meters: PlanCatalogChange[] = [];
  const products: PlanCatalogChange[] = [];
  const prices: PlanCatalogChange[] = [];
  const retired: PlanCatalogChange[] = [];
  const ownProducts = state.products.filter((product) => product.planId === plan.planId);
  const ownPrices = state.prices.filter((price) => price.planId === plan.planId);
  const keptPriceIds = new Set<string>();
  const keptProductIds = new Set<string>();
  refuseSharedMeters(rates.rates);
  for (const rate of rates.rates) {
    const { description } = rate;
    const eventName = planEventName(rate);
    const meterId = findMeter(rate, eventName, state);
    if (meterId === null) meters.push({ kind: 'create_meter', eventName, displayName: description });

    const product = ownProducts.findLast(({ metadata }) => metadata[RATE_KEY] === rate.rateId) ?? null;
    if (product === null) {
      const metadata = { [RATE_KEY]: rate.rateId, ...bindingOf(rate) };
      const { planId } = plan;
      products.push({ kind: 'create_product', rateId: rate.rateId, planId, name: description, metadata });
    } else {
      keptProductIds.add(product.productId);
      if (!product.active || product.name !== description) {
        const { productId } = product;
        products.push({ kind: 'update_product', productId, name: description, active: true });
      }
    }

    const lookupKey = planLookupKey(rate);
    const current = ownPrices.find((price) => price.lookupKey === lookupKey) ?? null;
    const fits =
      current?.price != null &&
      current.currency === plan.currency &&
      current.meterId === meterId &&
      current.productId === product?.productId &&
      isSamePrice(current.price, rate.price);
    if (current !== null && fits) {
      keptPriceIds.add(current.priceId);
      if (!current.active) prices.push({ kind: 'activate_price', priceId: current.priceId, lookupKey });
      continue;
    }
    prices.push({
      kind: 'create_price',
      rateId: rate.rateId,
      planId: plan.planId,
      productId: product?.productId ?? null,
      meterId,
      eventName,
      lookupKey,
      currency: plan.currency,
      price: rate.price,
      nickname: `${plan.name}: ${description}`,
      metadata: { tallystick_plan_version: rates.version.versionId, ...bindingOf(rate) },
      replaces: current?.active === true ? current : null,
    });
  }
  const replacedIds = new Set(
    prices.flatMap((change) => (change.kind === 'create_price' ? (change.replaces?.priceId ?? []) : [])),
  );
  for (const { priceId, lookupKey, active, productId } of ownPrices) {
    if (!active || keptPriceIds.has(priceId)) continue;
    const reason = replacedIds.has(priceId) || keptProductIds.has(productId) ? 'replaced' : 'not_in_plan';
    retired.push({ kind: 'deactivate_price', priceId, lookupKey, reason });
  }
  for (const { productId, name, active } of ownProducts) {
    if (active && !keptProductIds.has(productId)) {
      retired.push({ kind: 'update_product', productId, name, active: false });
    }
  }
  return [...meters, ...products, ...prices, ...retired];
}

/** Whether two prices charge the same for every quantity, however their decimals are written. */
export function isSamePrice(one: RatePrice, other: RatePrice): boolean {
  return JSON.stringify(normalForm(one)) === JSON.stringify(normalForm(other));
}

function normalForm(price: RatePrice): unknown {
  const pico = (amount: string | null) => String(parseDecimal(amount ?? '0', PICO_DIGITS));
  if (price.kind === 'per_unit') return ['per_unit', pico(price.unitAmountDecimal)];
  return [
    price.mode,
    ...price.tiers.map(({ upTo, unitAmountDecimal, flatAmountDecimal }) => [
      upTo === null ? null : String(upTo),
      pico(unitAmountDecimal),
      pico(flatAmountDecimal),
    ]),
  ];
}

/** By these the catalogue's reading knows which usage a price is for. */
function bindingOf({ model, tokenType, feature }: SellRate): Record<string, string> {
  return { tallystick_model: model, tallystick_token_type: tokenType, tallystick_feature: feature };
}

/** The meter that takes this usage already, else the one of its name; null: it has to be made. */
function findMeter(rate: SellRate, eventName: string, state: PlanCatalogState): string | null {
  const bound = state.bindings.find(
    (binding) =>
      binding.model === rate.model &&
      binding.tokenType === rate.tokenType &&
      binding.feature === rate.feature &&
      state.meters.some((meter) => meter.meterId === binding.meterId && meter.active),
  );
  const meter = state.meters.find(
    (candidate) =>
      candidate.active &&
      (bound === undefined ? candidate.eventName === eventName : candidate.meterId === bound.meterId),
  );
  if (meter === undefined) return null;
  if (meter.aggregation === 'sum') return meter.meterId;
  throw new RangeError(
    `meter ${meter.meterId} (${meter.eventName}) does not sum its events: deactivate it, and a new one is made`,
  );
}

/** Names that differ only in punctuation would bill each other's usage. */
function refuseSharedMeters(rates: readonly SellRate[]): void {
  const rateByEvent = new Map<string, SellRate>();
  for (const rate of rates) {
    const eventName = planEventName(rate);
    const other = rateByEvent.get(eventName);
    if (other !== undefined) {
      throw new RangeError(
        `${other.rateId} and ${rate.rateId} would share the meter ${eventName}: rename one`,
      );
    }
    rateByEvent.set(eventName, rate);
  }
}
