import { sql } from 'kysely';
import type { SellRate } from '../../pricing/rating/sell-rates.ts';
import { readStoredPrice } from '../catalog/stored-price.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { RawSellRate } from './sell-rates.ts';

/** What a customer pays, in one currency. */
export interface CustomerRates {
  currency: string;
  rates: readonly SellRate[];
}

interface RawRate extends RawSellRate {
  customer_id: string;
}

/**
 * The rates of many customers at once, by the same rule as `readCustomerSellRates`. Customers with equal rates share
 * one list, so that it is made ready for rating once. A customer whose items are in several currencies is rated in
 * the first of them; one without items is in the map with the currency of their account and no rates.
 */
export class CustomerRateReader {
  readonly #known = new Map<string, CustomerRates>();
  static readonly #maxKnown = 5_000;

  async read(
    database: LedgerDatabase | LedgerTransaction,
    customerIds: readonly string[],
  ): Promise<Map<string, CustomerRates>> {
    const result = await sql<RawRate>`
      select distinct on (item.customer_id, binding.model, binding.token_type, binding.feature)
             item.customer_id, item.stripe_meter_id, item.product_name, binding.model, binding.feature,
             binding.token_type, item.currency, item.unit_amount_decimal, item.tiers_mode, item.price_tiers
        from subscription_items as item
        join meter_bindings as binding on binding.stripe_meter_id = item.stripe_meter_id
       where item.active and item.customer_id = any(${customerIds}::text[])
         and item.currency = (select min(other.currency) from subscription_items as other
                               where other.customer_id = item.customer_id and other.active)
       order by item.customer_id, binding.model, binding.token_type, binding.feature, item.subscription_item_id`.execute(
      database,
    );
    const byCustomer = new Map<string, RawRate[]>();
    for (const row of result.rows) {
      const rows = byCustomer.get(row.customer_id) ?? [];
      rows.push(row);
      byCustomer.set(row.customer_id, rows);
    }
    const rates = new Map([...byCustomer].map(([customerId, rows]) => [customerId, this.#intern(rows)]));
    const without = customerIds.filter((customerId) => !rates.has(customerId));
    if (without.length > 0) {
      const accounts = await database
        .selectFrom('customers')
        .select(['customer_id', 'currency'])
        .where('customer_id', 'in', without)
        .execute();
      for (const account of accounts) {
        rates.set(account.customer_id, { currency: account.currency ?? 'usd', rates: [] });
      }
    }
    return rates;
  }

  #intern(rows: readonly RawRate[]): CustomerRates {
    const key = JSON.stringify(rows.map(({ customer_id: _, ...rate }) => rate));
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const rates = {
      currency: rows[0]?.currency ?? 'usd',
      rates: rows.flatMap((row) => {
        const price = readStoredPrice(row);
        // A price of a kind that this version cannot rate leaves its usage without a rate, which is shown.
        if (price === null) return [];
        const { model, feature, token_type: tokenType } = row;
        return [
          { rateId: row.stripe_meter_id, description: row.product_name, model, feature, tokenType, price },
        ];
      }),
    };
    if (this.#known.size < CustomerRateReader.#maxKnown) this.#known.set(key, rates);
    return rates;
  }
}
