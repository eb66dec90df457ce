import { sql } from 'kysely';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { toStoredPrice } from './stored-price.ts';

/** Keeps the prices that these subscriptions' metered items have now; those that they had before stay. */
export async function keepItemPrices(
  transaction: LedgerTransaction,
  subscriptionIds: readonly string[],
  now: Date,
): Promise<void> {
  await sql`
    insert into item_prices (subscription_id, price_id, customer_id, subscription_item_id, product_name, stripe_meter_id,
      unit_amount_decimal, tiers_mode, price_tiers, first_seen_at)
    select distinct on (subscription_id, price_id) subscription_id, price_id, customer_id, split_part(subscription_item_id, '#', 1),
      product_name, stripe_meter_id, unit_amount_decimal, tiers_mode, price_tiers, ${now}::timestamptz
    from subscription_items
    where subscription_id = any(${[...new Set(subscriptionIds)]}::text[]) and stripe_meter_id is not null and price_problem is null
    order by subscription_id, price_id, active desc, synced_at desc
    on conflict do nothing`.execute(transaction);
}

/** A price of a line, as Stripe shows it: the ledger never saw an item with it. */
export interface LinePrice {
  priceId: string;
  productName: string;
  /** Null: it is no metered price. */
  stripeMeterId: string | null;
  /** Null: of a kind that we cannot rate. */
  price: RatePrice | null;
}

export async function storeLinePrice(
  database: LedgerDatabase,
  subscription: { subscriptionId: string; customerId: string },
  line: LinePrice,
  now: Date,
): Promise<void> {
  const stored = toStoredPrice(line.price);
  await database
    .insertInto('item_prices')
    .values({
      subscription_id: subscription.subscriptionId,
      price_id: line.priceId,
      customer_id: subscription.customerId,
      subscription_item_id: line.priceId,
      product_name: line.productName,
      stripe_meter_id: line.stripeMeterId,
      unit_amount_decimal: stored.unitAmountDecimal,
      tiers_mode: stored.tiersMode,
      price_tiers: stored.priceTiers,
      first_seen_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Which of these prices the ledger does not know of a subscription. */
export async function findUnknownPrices(
  database: LedgerDatabase,
  subscriptionId: string,
  priceIds: readonly string[],
): Promise<string[]> {
  if (priceIds.length === 0) return [];
  const rows = await sql<{ priceId: string }>`
    select distinct asked.price_id as "priceId" from unnest(${[...priceIds]}::text[]) as asked(price_id)
    where not exists (
      select 1 from item_prices p where p.subscription_id = ${subscriptionId} and p.price_id = asked.price_id)
    order by 1`.execute(database);
  return rows.rows.map((row) => row.priceId);
}
