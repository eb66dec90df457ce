import type Stripe from 'stripe';
import type { TaxBehavior } from '../../pricing/plans/plan.ts';
import { UpstreamError } from '../platform/errors.ts';
import { type ClosingClient, read, readPages } from './closing/calls.ts';
import type { TaxedAs } from './closing/port.ts';
import { idOf } from './invoices.ts';

/** How the account taxes what does not say it itself. */
export interface TaxSettings {
  /** `inferred_by_currency`: exclusive in USD and CAD, inclusive in all others. */
  taxBehavior: TaxBehavior | 'inferred_by_currency' | null;
  taxCode: string | null;
}

/** What Stripe is told of an item's tax; what it need not be told is absent. */
export type ItemTaxes = Pick<Stripe.InvoiceItemCreateParams, 'tax_behavior' | 'tax_code' | 'tax_rates'>;

/** Null: unspecified, or of a kind that is newer than this. */
export function toTaxBehavior(behavior: string | null | undefined): TaxBehavior | null {
  if (behavior === 'exclusive') return 'exclusive';
  return behavior === 'inclusive' ? 'inclusive' : null;
}

/**
 * The account's defaults; null where the key may not read them.
 * @throws UpstreamError
 */
export async function readTaxSettings(
  client: Pick<ClosingClient, 'stripe' | 'limiter' | 'policy' | 'keys'>,
  signal?: AbortSignal,
): Promise<TaxSettings | null> {
  const call = { action: 'read the tax settings', context: {} };
  try {
    const { defaults } = await read(client, call, () => client.stripe.tax.settings.retrieve(), signal);
    const behavior = defaults.tax_behavior;
    return {
      taxBehavior: behavior === 'inferred_by_currency' ? 'inferred_by_currency' : toTaxBehavior(behavior),
      taxCode: defaults.tax_code,
    };
  } catch (error) {
    if (error instanceof UpstreamError && error.code === 'UPSTREAM_REJECTED') return null;
    throw error;
  }
}

/**
 * Late usage, and top-ups, are taxed as the usage is: by the tax rates of its subscription item, else by behavior and code
 * of its price and product, else by the account's defaults. With Stripe Tax an item of which nobody says it is refused.
 * @throws UpstreamError
 */
export async function readItemTaxes(
  client: ClosingClient,
  { subscriptionItemId, priceId }: TaxedAs,
  currency: string,
  signal?: AbortSignal,
): Promise<ItemTaxes> {
  const { stripe } = client;
  const item = await orGone(() =>
    read(
      client,
      { action: 'read a subscription item', context: { item: subscriptionItemId } },
      () => stripe.subscriptionItems.retrieve(subscriptionItemId),
      signal,
    ),
  );
  const rates = item?.tax_rates ?? [];
  if (rates.length > 0) return { tax_rates: rates.map(({ id }) => id) };
  const id = priceId ?? item?.price.id;
  const expand = ['product', 'currency_options'];
  const price =
    id === undefined
      ? null
      : await orGone(() =>
          read(
            client,
            { action: 'read a price', context: { price: id } },
            () => stripe.prices.retrieve(id, { expand }),
            signal,
          ),
        );
  const option = price?.currency === currency ? null : price?.currency_options?.[currency];
  const behavior = toTaxBehavior(option?.tax_behavior) ?? toTaxBehavior(price?.tax_behavior);
  const product = price === null ? null : livingProduct(price.product);
  const code = idOf(product?.tax_code ?? null);
  const settings = behavior === null || code === null ? await readTaxSettings(client, signal) : null;
  const fallback = settings?.taxBehavior ?? null;
  const tax_behavior = behavior ?? (fallback === 'inferred_by_currency' ? null : fallback);
  const tax_code = code ?? settings?.taxCode ?? null;
  return {
    ...(tax_behavior === null ? {} : { tax_behavior }),
    ...(tax_code === null ? {} : { tax_code }),
  };
}

/** See StripeSystem.findUntaxed. */
export async function findUntaxed(
  client: ClosingClient,
  signal?: AbortSignal,
): Promise<{ priceIds: string[]; productIds: string[] }> {
  const prices = await readPages(
    client,
    { action: 'list metered prices with their products', context: {} },
    (page) =>
      client.stripe.prices.list({
        ...page,
        active: true,
        recurring: { usage_type: 'metered' },
        expand: ['data.product'],
      }),
    signal,
  );
  const priceIds = prices.filter((price) => toTaxBehavior(price.tax_behavior) === null).map(({ id }) => id);
  const productIds = prices.flatMap(({ product }) => {
    const known = livingProduct(product);
    return known === null || known.tax_code !== null ? [] : [known.id];
  });
  return { priceIds, productIds: [...new Set(productIds)] };
}

function livingProduct(product: Stripe.Price['product']): Stripe.Product | null {
  return typeof product === 'object' && !('deleted' in product && product.deleted) ? product : null;
}

/** An item may be gone by the time that its late usage comes. */
async function orGone<Found>(find: () => Promise<Found>): Promise<Found | null> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof UpstreamError && error.statusCode === 404) return null;
    throw error;
  }
}
