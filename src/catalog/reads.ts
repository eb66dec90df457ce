import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { CatalogTargets } from '../stripe/port.ts';

/** Objects of one page of a list of Stripe's. */
const PAGE_SIZE = 100;

/** About how many reads a listing of the whole catalog costs, as far as the ledger knows it. */
export async function estimateListingReads(database: LedgerDatabase, invoicesSince: Date): Promise<number> {
  const counts = await sql<{ reads: number }>`
    select (select count(*) / ${PAGE_SIZE} + 1 from customers where stripe_customer_id is not null and deleted_at is null)
      + (select count(*) / ${PAGE_SIZE} + 1 from stripe_meters)
      + (select count(distinct product_id) / ${PAGE_SIZE} + 1 from subscription_items)
      + (select count(distinct subscription_id) / ${PAGE_SIZE} + 1 from subscription_items where active)
      + (select count(*) / ${PAGE_SIZE} + 1 from invoices where period_end >= ${invoicesSince})
      + (select case when bool_or(price_tiers is not null) then count(distinct price_id) / ${PAGE_SIZE} + 1 else 0 end
         from subscription_items where active) as reads`.execute(database);
  return Number(counts.rows[0]?.reads ?? 0);
}

/** Without the prices, products and meters that no item in the ledger uses: nobody asks what they say. */
export async function onlyUsed(database: LedgerDatabase, wanted: CatalogTargets): Promise<CatalogTargets> {
  const { priceIds, productIds, meterIds } = wanted;
  if (priceIds.length + productIds.length + meterIds.length === 0) return wanted;
  const used = await sql<{ kind: string; id: string }>`
    select distinct 'price' as kind, price_id as id from subscription_items where price_id = any(${[...priceIds]}::text[])
    union select 'product', product_id from subscription_items where product_id = any(${[...productIds]}::text[])
    union select 'meter', stripe_meter_id from stripe_meters where stripe_meter_id = any(${[...meterIds]}::text[])`.execute(
    database,
  );
  const idsOf = (kind: string) => used.rows.filter((row) => row.kind === kind).map((row) => row.id);
  return { ...wanted, priceIds: idsOf('price'), productIds: idsOf('product'), meterIds: idsOf('meter') };
}

/** Which of these customers and meters of Stripe's the ledger does not know. */
export async function findUnknownReferences(
  database: LedgerDatabase,
  named: { stripeCustomerIds: readonly string[]; stripeMeterIds: readonly string[] },
): Promise<{ stripeCustomerIds: string[]; stripeMeterIds: string[] }> {
  const unknown = await sql<{ kind: string; id: string }>`
    select 'customer' as kind, id from unnest(${[...new Set(named.stripeCustomerIds)]}::text[]) as id
    where id <> '' and not exists (select 1 from customers c where c.stripe_customer_id = id)
    union all
    select 'meter', id from unnest(${[...new Set(named.stripeMeterIds)]}::text[]) as id
    where not exists (select 1 from stripe_meters m where m.stripe_meter_id = id)`.execute(database);
  const idsOf = (kind: string) => unknown.rows.filter((row) => row.kind === kind).map((row) => row.id);
  return { stripeCustomerIds: idsOf('customer'), stripeMeterIds: idsOf('meter') };
}
