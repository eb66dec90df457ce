import { amountsIn, toWireOptions } from '../prices.ts';
import type { StripeState } from '../state.ts';
import { renderSubscription } from '../subscriptions.ts';
import type { Form } from './form.ts';
import { refuseParameter } from './refusal.ts';

/** Stripe's own limit; `data.items.data.price.product` is one too many. */
const MAX_DEPTH = 4;

/** Properties that only entries of a certain `type` have. */
const TYPED = ['discount', 'credit_balance_transaction'];

type Json = Record<string, unknown>;
type Resolve = (state: StripeState, id: string) => object | undefined;

/** Which fields hold an id that can be replaced by its object. */
const RESOLVERS: Record<string, Resolve> = {
  // One who was deleted is shown as such.
  customer: (state, id) => state.customers.get(id) ?? { id, object: 'customer', deleted: true },
  product: (state, id) => state.products.get(id),
  price: (state, id) => state.prices.get(id),
  subscription: (state, id) => {
    const known = state.subscriptions.get(id);
    return known === undefined ? undefined : renderSubscription(known);
  },
  discount: (state, id) => state.discounts.get(id),
  discounts: (state, id) => state.discounts.get(id),
  coupon: (state, id) => state.coupons.get(id),
  credit_balance_transaction: (state, id) => state.creditTransactions.get(id),
  credit_grant: (state, id) => state.creditGrants.get(id),
  latest_invoice: (state, id) => state.invoices.get(id)?.wire,
};

/**
 * The answer with the ids named in `expand[]` replaced by their objects; the state's own objects stay as
 * they are.
 * @throws StripeRefusal for a path that is too deep or cannot be expanded
 */
export function expandAnswer(state: StripeState, answer: object, form: Form): object {
  const paths = form.expand;
  if (paths === undefined) return answer;
  const list = Array.isArray(paths) ? paths : [paths];
  return list.reduce<object>((expanded, path) => {
    const names = String(path).split('.');
    if (names.length > MAX_DEPTH) {
      throw refuseParameter(
        'expand',
        `You cannot expand more than ${MAX_DEPTH} levels of a property. Property: ${String(path)}`,
      );
    }
    return expandPath(state, expanded as Json, names, String(path)) as object;
  }, answer);
}

function expandPath(state: StripeState, holder: unknown, names: readonly string[], path: string): unknown {
  const [name, ...rest] = names;
  if (name === undefined) return holder;
  if (Array.isArray(holder)) return holder.map((item) => expandPath(state, item, names, path));
  if (typeof holder !== 'object' || holder === null) return holder;
  const object = holder as Json;
  if (name === 'currency_options') return expandOptions(state, object, rest, path);
  // Of a coupon for all products there is nothing to show.
  if (name === 'applies_to' && object.object === 'coupon') return object;
  const value = name === 'tiers' ? tiersOf(state, object) : object[name];
  // Of an entry of a list that is of another type.
  if (value === undefined && TYPED.includes(name) && object.type !== undefined) return object;
  if (value === undefined) {
    throw refuseParameter('expand', `This property cannot be expanded (${path}).`);
  }
  if (value === null) return object;
  const resolve = (id: unknown): unknown => {
    if (typeof id !== 'string') return id;
    const found = RESOLVERS[name]?.(state, id);
    if (found !== undefined) return found;
    throw refuseParameter('expand', `This property cannot be expanded (${path}).`);
  };
  const next = Array.isArray(value) ? value.map(resolve) : resolve(value);
  return { ...object, [name]: expandPath(state, next, rest, path) };
}

/** Tiers of an option come only where its currency is named: `currency_options.eur.tiers`. */
function expandOptions(state: StripeState, object: Json, rest: readonly string[], path: string): Json {
  const price = object.object === 'price' ? state.prices.get(String(object.id)) : undefined;
  const [currency, tiers] = rest;
  const options = price === undefined ? undefined : (object.currency_options ?? toWireOptions(state, price));
  const amounts =
    currency === undefined || price === undefined ? undefined : amountsIn(state, price, currency);
  if (options === undefined || (currency !== undefined && (amounts === undefined || tiers !== 'tiers'))) {
    throw refuseParameter('expand', `This property cannot be expanded (${path}).`);
  }
  if (currency === undefined) return { ...object, currency_options: options };
  const known = options as Record<string, Json>;
  return {
    ...object,
    currency_options: { ...known, [currency]: { ...known[currency], tiers: amounts?.tiers ?? null } },
  };
}

/** A price has the property only when it is expanded; one without tiers then has null, a plan none at all. */
function tiersOf(state: StripeState, object: Json): unknown {
  if (object.object !== 'price') return undefined;
  return state.priceTiers.get(String(object.id)) ?? null;
}
