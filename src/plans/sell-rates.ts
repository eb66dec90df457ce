import { type RawBuilder, sql } from 'kysely';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import { readStoredPrice, type StoredPrice } from '../catalog/stored-price.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** What a customer pays for one kind of usage: an active subscription item reached through a binding. */
export interface SellRateRow {
  stripeMeterId: string;
  productName: string;
  model: string;
  feature: string;
  tokenType: TokenType;
  currency: string;
  /** In minor units; null when it is of a kind that this version cannot rate. */
  price: RatePrice | null;
}

export interface RawSellRate extends StoredPrice {
  stripe_meter_id: string;
  product_name: string;
  model: string;
  feature: string;
  token_type: TokenType;
  currency: string;
}

/** The rates of a customer's active subscription items. */
export async function readCustomerSellRates(
  database: LedgerDatabase,
  customerId: string,
): Promise<SellRateRow[]> {
  const result = await sql<RawSellRate>`
    select distinct on (binding.model, binding.token_type, binding.feature)
           item.stripe_meter_id, item.product_name, binding.model, binding.feature, binding.token_type,
           item.currency, item.unit_amount_decimal, item.tiers_mode, item.price_tiers
      from subscription_items as item
      join meter_bindings as binding on binding.stripe_meter_id = item.stripe_meter_id
     where item.active and item.customer_id = ${customerId}
     order by binding.model, binding.token_type, binding.feature, item.subscription_item_id`.execute(
    database,
  );
  return result.rows.map(toSellRate);
}

/**
 * The catalogue's usual rates in a currency: for each meter the price that most active subscription items have. Of
 * equally common ones a price per unit, and of these the highest, so that nobody is promised less than they would be
 * charged; then the one whose text comes first. As a query, to be part of another or read by itself.
 */
export function usualSellRates(currency: string): RawBuilder<RawSellRate> {
  return sql<RawSellRate>`
    select usual.stripe_meter_id, usual.product_name, binding.model, binding.feature, binding.token_type,
           ${currency}::text as currency, usual.unit_amount_decimal, usual.tiers_mode, usual.price_tiers
      from (select distinct on (stripe_meter_id) stripe_meter_id, unit_amount_decimal, tiers_mode, price_tiers,
                   min(product_name) as product_name
              from subscription_items
             where active and currency = ${currency} and stripe_meter_id is not null
             group by stripe_meter_id, unit_amount_decimal, tiers_mode, price_tiers
             order by stripe_meter_id, count(*) desc, unit_amount_decimal::numeric desc nulls last,
                      tiers_mode nulls last, price_tiers::text collate "C") as usual
      join meter_bindings as binding on binding.stripe_meter_id = usual.stripe_meter_id
     order by binding.model, binding.token_type, binding.feature`;
}

/** Currencies in which anybody has active subscription items. */
export async function readSoldCurrencies(database: LedgerDatabase): Promise<string[]> {
  const rows = await database
    .selectFrom('subscription_items')
    .select('currency')
    .distinct()
    .where('active', '=', true)
    .orderBy('currency')
    .execute();
  return rows.map((row) => row.currency);
}

/** Currencies in which a customer has active subscription items. */
export async function readCustomerCurrencies(
  database: LedgerDatabase,
  customerId: string,
): Promise<string[]> {
  const rows = await database
    .selectFrom('subscription_items')
    .select('currency')
    .distinct()
    .where('active', '=', true)
    .where('customer_id', '=', customerId)
    .orderBy('currency')
    .execute();
  return rows.map((row) => row.currency);
}

export function toSellRate(row: RawSellRate): SellRateRow {
  return {
    stripeMeterId: row.stripe_meter_id,
    productName: row.product_name,
    model: row.model,
    feature: row.feature,
    tokenType: row.token_type,
    currency: row.currency,
    price: readStoredPrice(row),
  };
}
