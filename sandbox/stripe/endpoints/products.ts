import type Stripe from 'stripe';
import type { BillingAccount } from '../account.ts';
import { readTaxBehavior, readTaxCode } from '../adjustments/tax-parameters.ts';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readBoolean,
  readList,
  readMap,
  readNested,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseParameter, refuseUnknown } from '../http/refusal.ts';
import { toSeconds, type WirePrice } from '../http/wire.ts';
import { newProduct } from '../objects.ts';
import { readOptions, readRecurring, readScheme, readTransform } from '../price-parameters.ts';
import type { PriceScheme } from '../price-scheme.ts';
import { newPrice } from '../prices.ts';
import type { StripeState } from '../state.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';

const MAX_LOOKUP_KEYS = 10;
const MAX_LOOKUP_KEY_LENGTH = 200;

/** Products and prices: what a plan is made of. */
export function productEndpoints({ state, emit }: BillingAccount): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/v1/products',
      shape: { ...PAGING_SHAPE, active: 'text', ids: 'any' } satisfies FormShape<Stripe.ProductListParams>,
      mutates: false,
      run: ({ form }) => {
        const ids = readList(form, 'ids');
        const products = [...state.products.values()].filter(
          (product) =>
            (form.active === undefined || String(product.active) === form.active) &&
            (ids === null || ids.includes(product.id)),
        );
        return toPage(products, form, '/v1/products');
      },
    },
    retrieve('/v1/products/:id', (id) => found(state.products, 'product', id)),
    {
      method: 'POST',
      path: '/v1/products',
      shape: {
        id: 'text',
        name: 'text',
        description: 'text',
        unit_label: 'text',
        tax_code: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.ProductCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const id = readText(form, 'id');
        if (id !== undefined && state.products.has(id)) {
          throw refuseParameter('id', `Product already exists.`, 'resource_already_exists');
        }
        const product = newProduct(state, {
          ...(id === undefined ? {} : { id }),
          name: requireText(form, 'name'),
          description: readText(form, 'description') ?? null,
          unitLabel: readText(form, 'unit_label') ?? null,
          taxCode: readTaxCode(form) ?? null,
          metadata: readMap(form, 'metadata'),
          created: toSeconds(nowMs),
        });
        emit('product.created', product, nowMs);
        return product;
      },
    },
    {
      method: 'POST',
      path: '/v1/products/:id',
      shape: {
        name: 'text',
        active: 'text',
        description: 'text',
        unit_label: 'text',
        tax_code: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.ProductUpdateParams>,
      mutates: true,
      run: (call) => {
        const product = found(state.products, 'product', idOf(call));
        const taxCode = readTaxCode(call.form);
        product.name = readText(call.form, 'name') ?? product.name;
        product.active = readBoolean(call.form, 'active') ?? product.active;
        product.description = readText(call.form, 'description') ?? product.description;
        product.unit_label = readText(call.form, 'unit_label') ?? product.unit_label ?? null;
        if (taxCode !== undefined) product.tax_code = taxCode;
        product.metadata = mergeMetadata(product.metadata, call.form);
        product.updated = toSeconds(call.nowMs);
        emit('product.updated', product, call.nowMs);
        return product;
      },
    },
    {
      method: 'GET',
      path: '/v1/prices',
      shape: {
        ...PAGING_SHAPE,
        active: 'text',
        currency: 'text',
        product: 'text',
        lookup_keys: 'any',
        recurring: { usage_type: 'text', meter: 'text' },
      } satisfies FormShape<Stripe.PriceListParams>,
      mutates: false,
      run: ({ form }) => toPage([...state.prices.values()].filter(priceFilter(form)), form, '/v1/prices'),
    },
    retrieve('/v1/prices/:id', (id) => found(state.prices, 'price', id)),
    {
      method: 'POST',
      path: '/v1/prices',
      shape: {
        active: 'text',
        currency: 'text',
        product: 'text',
        nickname: 'text',
        billing_scheme: 'text',
        unit_amount: 'text',
        unit_amount_decimal: 'text',
        tiers_mode: 'text',
        tiers: {
          up_to: 'text',
          unit_amount: 'text',
          unit_amount_decimal: 'text',
          flat_amount: 'text',
          flat_amount_decimal: 'text',
        },
        recurring: { interval: 'text', interval_count: 'text', meter: 'text', usage_type: 'text' },
        transform_quantity: { divide_by: 'text', round: 'text' },
        currency_options: 'any',
        lookup_key: 'text',
        transfer_lookup_key: 'text',
        tax_behavior: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.PriceCreateParams>,
      mutates: true,
      run: (call) => {
        const price = createPrice(state, call);
        emit('price.created', price, call.nowMs);
        return price;
      },
    },
    {
      method: 'POST',
      path: '/v1/prices/:id',
      shape: {
        active: 'text',
        nickname: 'text',
        currency_options: 'any',
        lookup_key: 'text',
        transfer_lookup_key: 'text',
        tax_behavior: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.PriceUpdateParams>,
      mutates: true,
      run: (call) => {
        const price = found(state.prices, 'price', idOf(call));
        const active = readBoolean(call.form, 'active');
        const tiersMode = price.tiers_mode === 'volume' ? 'volume' : 'graduated';
        const isTiered = price.tiers_mode !== null;
        const scheme: PriceScheme = isTiered ? { tiersMode, tiers: [] } : { unitAmountDecimal: '0' };
        const options = readOptions(call.form, scheme);
        const taxBehavior = readTaxBehavior(call.form);
        if (
          taxBehavior !== undefined &&
          taxBehavior !== price.tax_behavior &&
          price.tax_behavior !== 'unspecified'
        ) {
          throw refuseParameter(
            'tax_behavior',
            'Once specified as inclusive or exclusive, it cannot be changed.',
          );
        }
        const lookupKey = takeLookupKey(state, call.form, price.id);
        price.tax_behavior = taxBehavior ?? price.tax_behavior;
        state.priceOptions.set(price.id, new Map([...(state.priceOptions.get(price.id) ?? []), ...options]));
        price.active = active ?? price.active;
        price.nickname = readText(call.form, 'nickname') ?? price.nickname;
        price.lookup_key = lookupKey ?? price.lookup_key;
        price.metadata = mergeMetadata(price.metadata, call.form);
        emit('price.updated', price, call.nowMs);
        return price;
      },
    },
  ];
}

function createPrice(state: StripeState, { form, nowMs }: Call): WirePrice {
  const currency = requireText(form, 'currency').toLowerCase();
  if (!/^[a-z]{3}$/.test(currency)) throw refuseParameter('currency', `Invalid currency: ${currency}`);
  const productId = requireText(form, 'product');
  if (!state.products.has(productId)) throw refuseUnknown('product', productId, 'product');
  const scheme = readScheme(form);
  const recurring = readRecurring(state, form);
  const active = readBoolean(form, 'active') ?? true;
  return newPrice(state, {
    ...recurring,
    productId,
    currency,
    scheme,
    transformQuantity: readTransform(form, scheme),
    options: readOptions(form, scheme),
    active,
    nickname: readText(form, 'nickname') ?? null,
    metadata: readMap(form, 'metadata'),
    taxBehavior: readTaxBehavior(form) ?? 'unspecified',
    lookupKey: takeLookupKey(state, form, null) ?? null,
    created: toSeconds(nowMs),
  });
}

/** At most one price has a lookup key; `transfer_lookup_key` takes it from the one that has it. */
function takeLookupKey(state: StripeState, form: Form, priceId: string | null): string | undefined {
  const lookupKey = readText(form, 'lookup_key');
  const transfer = readBoolean(form, 'transfer_lookup_key') ?? false;
  if (lookupKey === undefined) return undefined;
  if (lookupKey.length > MAX_LOOKUP_KEY_LENGTH) {
    throw refuseParameter(
      'lookup_key',
      `Invalid string: must be at most ${MAX_LOOKUP_KEY_LENGTH} characters`,
    );
  }
  const holder = [...state.prices.values()].find((price) => price.lookup_key === lookupKey);
  if (holder !== undefined && holder.id !== priceId) {
    if (!transfer) {
      throw refuseParameter(
        'lookup_key',
        `A price (\`${holder.id}\`) already uses that lookup key.`,
        'resource_already_exists',
      );
    }
    holder.lookup_key = null;
  }
  return lookupKey;
}

function priceFilter(form: Form): (price: WirePrice) => boolean {
  const { active, currency, product } = form;
  const recurring = readNested(form, 'recurring');
  const lookupKeys = readList(form, 'lookup_keys');
  if ((lookupKeys?.length ?? 0) > MAX_LOOKUP_KEYS) {
    throw refuseParameter('lookup_keys', `must have at most ${MAX_LOOKUP_KEYS} elements`);
  }
  return (price) =>
    (active === undefined || String(price.active) === active) &&
    (currency === undefined || price.currency === currency) &&
    (product === undefined || price.product === product) &&
    (recurring.usage_type === undefined || price.recurring?.usage_type === recurring.usage_type) &&
    (recurring.meter === undefined || price.recurring?.meter === recurring.meter) &&
    (lookupKeys === null || (price.lookup_key !== null && lookupKeys.includes(price.lookup_key)));
}
