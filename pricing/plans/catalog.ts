import { PICO_DIGITS, parseDecimal } from '../money.ts';
import type { RatePrice } from '../rating/rate-price.ts';
import type { RateKey, SellRate } from '../rating/sell-rates.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import { planEventName, planLookupKey } from './catalog-names.ts';
import type { Plan, TaxBehavior } from './plan.ts';
import type { PlanRates } from './rates.ts';

/** What of plans is at Stripe already. Of products and prices only those that a plan made. */
export interface PlanCatalogState {
  products: readonly {
    productId: string;
    planId: string;
    name: string;
    active: boolean;
    taxCode?: string | null;
    metadata: Readonly<Record<string, string>>;
  }[];
  meters: readonly { meterId: string; eventName: string; aggregation: string; active: boolean }[];
  prices: readonly CatalogPrice[];
  /** Which meter takes which usage by now. Plans use it, so that nothing is bound to two meters. */
  bindings: readonly (RateKey & { meterId: string })[];
}

interface CatalogPrice {
  priceId: string;
  planId: string;
  productId: string;
  lookupKey: string | null;
  active: boolean;
  currency: string;
  meterId: string | null;
  price: RatePrice | null;
  taxBehavior?: TaxBehavior | null;
}

/** One write to Stripe. What does not exist yet is named by what will make it. */
export type PlanCatalogChange =
  | { kind: 'create_meter'; eventName: string; displayName: string }
  | {
      kind: 'create_product';
      rateId: string;
      planId: string;
      name: string;
      taxCode: string | null;
      metadata: Record<string, string>;
    }
  /** `taxCode` null: it is left as it is. */
  | { kind: 'update_product'; productId: string; name: string; active: boolean; taxCode: string | null }
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
      taxBehavior: TaxBehavior | null;
      nickname: string;
      metadata: Record<string, string>;
      /** What the plan has charged so far; null: nothing. */
      replaces: CatalogPrice | null;
    }
  /** Said once of a price, it is never changed. */
  | { kind: 'set_tax_behavior'; priceId: string; lookupKey: string; taxBehavior: TaxBehavior }
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
  refuseSharedMeters(rates.rates);
  const own: OwnObjects = {
    products: state.products.filter((product) => product.planId === plan.planId),
    prices: state.prices.filter((price) => price.planId === plan.planId),
  };
  const parts = rates.rates.map((rate) => rateChanges(plan, rates.version, rate, state, own));
  return [
    ...parts.flatMap((part) => part.meters),
    ...parts.flatMap((part) => part.products),
    ...parts.flatMap((part) => part.prices),
    ...retirements(own, parts),
  ];
}

/** What this plan made at Stripe. */
type OwnObjects = Pick<PlanCatalogState, 'products' | 'prices'>;

interface RateChanges {
  meters: PlanCatalogChange[];
  products: PlanCatalogChange[];
  prices: PlanCatalogChange[];
  /** What the rate has already; null: it is to be made. */
  productId: string | null;
  priceId: string | null;
}

function rateChanges(
  plan: Plan,
  { versionId, taxBehavior, taxCode }: PlanRates['version'],
  rate: SellRate,
  state: PlanCatalogState,
  own: OwnObjects,
): RateChanges {
  const { rateId, description, price } = rate;
  const { planId, currency } = plan;
  const eventName = planEventName(rate);
  const meterId = findMeter(rate, eventName, state);
  const product = own.products.findLast(({ metadata }) => metadata[RATE_KEY] === rateId) ?? null;
  const productId = product?.productId ?? null;
  const lookupKey = planLookupKey(rate);
  const current = own.prices.find((candidate) => candidate.lookupKey === lookupKey) ?? null;
  const fits =
    current !== null &&
    current.price !== null &&
    current.currency === currency &&
    current.meterId === meterId &&
    current.productId === productId &&
    isSamePrice(current.price, price) &&
    (taxBehavior === null || (current.taxBehavior ?? taxBehavior) === taxBehavior);
  const changes: RateChanges = {
    meters: meterId === null ? [{ kind: 'create_meter', eventName, displayName: description }] : [],
    products: [],
    prices: [],
    productId,
    priceId: fits ? current.priceId : null,
  };
  if (product === null) {
    const metadata = { [RATE_KEY]: rateId, ...bindingOf(rate) };
    changes.products.push({ kind: 'create_product', rateId, planId, name: description, taxCode, metadata });
  } else if (
    !product.active ||
    product.name !== description ||
    (taxCode ?? product.taxCode ?? null) !== (product.taxCode ?? null)
  ) {
    const { productId: changedId } = product;
    const change = { productId: changedId, name: description, active: true, taxCode };
    changes.products.push({ kind: 'update_product', ...change });
  }
  if (!fits) {
    changes.prices.push({
      kind: 'create_price',
      rateId,
      planId,
      productId,
      meterId,
      eventName,
      lookupKey,
      currency,
      price,
      taxBehavior,
      nickname: `${plan.name}: ${description}`,
      metadata: { tallystick_plan_version: versionId, ...bindingOf(rate) },
      replaces: current?.active === true ? current : null,
    });
  } else {
    const { priceId } = current;
    if (!current.active) changes.prices.push({ kind: 'activate_price', priceId, lookupKey });
    if (taxBehavior !== null && current.taxBehavior !== taxBehavior) {
      changes.prices.push({ kind: 'set_tax_behavior', priceId, lookupKey, taxBehavior });
    }
  }
  return changes;
}

/** What the plan made once and charges no more. */
function retirements(own: OwnObjects, parts: readonly RateChanges[]): PlanCatalogChange[] {
  const keptPriceIds = new Set(parts.map((part) => part.priceId));
  const keptProductIds = new Set(parts.map((part) => part.productId));
  const prices = own.prices
    .filter((price) => price.active && !keptPriceIds.has(price.priceId))
    .map(
      ({ priceId, lookupKey, productId }): PlanCatalogChange => ({
        kind: 'deactivate_price',
        priceId,
        lookupKey,
        reason: keptProductIds.has(productId) ? 'replaced' : 'not_in_plan',
      }),
    );
  const products = own.products
    .filter((product) => product.active && !keptProductIds.has(product.productId))
    .map(
      ({ productId, name }): PlanCatalogChange => ({
        kind: 'update_product',
        productId,
        name,
        active: false,
        taxCode: null,
      }),
    );
  return [...prices, ...products];
}

/** Whether two prices charge the same for every quantity, however their decimals are written. */
function isSamePrice(one: RatePrice, other: RatePrice): boolean {
  return JSON.stringify(normalForm(one)) === JSON.stringify(normalForm(other));
}

function normalForm(price: RatePrice): unknown {
  const pico = (amount: string | null) => String(parseDecimal(amount ?? '0', PICO_DIGITS));
  if (price.kind === 'per_unit') return ['per_unit', pico(price.unitAmountDecimal)];
  if (price.kind === 'per_package')
    return ['per_package', pico(price.unitAmountDecimal), String(price.packageSize), price.round];
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
      binding.tokenType === rate.tokenType &&
      modelKey(binding.model) === modelKey(rate.model) &&
      nameKey(binding.feature) === nameKey(rate.feature) &&
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
