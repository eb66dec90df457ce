import type Stripe from 'stripe';

/** More than any price has currencies that matter here; Stripe bounds the paths of one call. */
const MOST_CURRENCIES = 20;

/**
 * A price with its tiers and its amounts in every currency. Tiers of another currency come only where that is named, and
 * which there are is told by the price.
 * @param read asks for the price with these expansions; null: there is none
 */
export async function readWholePrice(
  read: (expand: string[]) => Promise<Stripe.Price | null>,
): Promise<Stripe.Price | null> {
  const expand = ['tiers', 'currency_options'];
  const price = await read(expand);
  if (price === null || price.billing_scheme !== 'tiered') return price;
  const lacking = Object.entries(price.currency_options ?? {})
    .filter(([currency, option]) => currency !== price.currency && option.tiers === undefined)
    .map(([currency]) => `currency_options.${currency}.tiers`);
  if (lacking.length === 0) return price;
  return await read([...expand, ...lacking.slice(0, MOST_CURRENCIES)]);
}
