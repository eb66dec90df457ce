import { type RawBuilder, sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/**
 * The meter of a subscription item, where usage of ours goes to it; null where somebody else feeds it, whose quantities
 * and amounts are no business of ours: such an item is another line of the invoice.
 *
 * A meter is ours when a binding names it, or when something was pushed to it for this customer: a binding may have gone
 * since, and what was delivered is on the invoice all the same.
 * @param item alias of a row of `subscription_items`, or of `item_prices`
 */
export function ownMeter(item: string): RawBuilder<string | null> {
  const column = (name: string) => sql.ref(`${item}.${name}`);
  const meter = column('stripe_meter_id');
  return sql`case when exists (select 1 from meter_bindings b where b.stripe_meter_id = ${meter})
      or exists (select 1 from legacy_bindings b where b.stripe_meter_id = ${meter})
      or exists (select 1 from meter_pushes p where p.customer_id = ${column('customer_id')} and p.stripe_meter_id = ${meter})
    then ${meter} end`;
}

/** A price on subscriptions of ours whose meter somebody else feeds. */
export interface ForeignPrice {
  priceId: string;
  productName: string;
  stripeMeterId: string;
  itemCount: number;
}

/** Metered prices of active items that no usage of ours goes to. */
export async function readForeignPrices(database: LedgerDatabase): Promise<ForeignPrice[]> {
  const rows = await sql<ForeignPrice>`
    select i.price_id as "priceId", min(i.product_name) as "productName", min(i.stripe_meter_id) as "stripeMeterId",
      count(*)::int as "itemCount"
    from subscription_items i where i.active and i.stripe_meter_id is not null and ${ownMeter('i')} is null
    group by i.price_id order by 1`.execute(database);
  return rows.rows;
}
