import { sql } from 'kysely';
import type { BillingCatalog } from '../stripe/port.ts';
import { type CatalogCustomer, storeCustomers } from './catalog-customers.ts';
import type { LedgerDatabase, LedgerTransaction } from './database.ts';
import { storePeriodBoundaries } from './hour-parts.ts';
import { storeInvoiceQuantities } from './invoice-quantities.ts';
import type { TokenType } from './schema.ts';
import { toStoredPrice } from './stored-price.ts';

export interface MeterBinding {
  model: string;
  tokenType: TokenType;
  feature: string;
  stripeMeterId: string;
}

export interface LedgerCatalog extends Omit<BillingCatalog, 'customers'> {
  customers: CatalogCustomer[];
  bindings: MeterBinding[];
}

/**
 * Makes the ledger's picture of Stripe equal to what was read, in one transaction. Nothing is deleted that
 * usage may refer to: items that are gone become inactive, customers get a deletion time.
 */
export async function storeCatalog(
  database: LedgerDatabase,
  catalog: LedgerCatalog,
  now: Date,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await storeCustomers(transaction, catalog.customers, now);
    await storeMeters(transaction, catalog.meters, now);
    const idByStripeId = new Map(
      (
        await transaction
          .selectFrom('customers')
          .select(['customer_id', 'stripe_customer_id'])
          .where('stripe_customer_id', 'is not', null)
          .execute()
      ).map((row) => [row.stripe_customer_id ?? '', row.customer_id]),
    );
    await storeItems(transaction, catalog.subscriptionItems, idByStripeId, now);
    await storePeriodBoundaries(transaction, now);
    await storeBindings(transaction, catalog.bindings, now);
    await storeInvoices(transaction, catalog.invoices, idByStripeId, now);
    await storeInvoiceQuantities(transaction, catalog.invoices, now);
  });
}

const text = <Row>(rows: readonly Row[], pick: (row: Row) => string | null) => rows.map(pick);

async function storeMeters(transaction: LedgerTransaction, meters: LedgerCatalog['meters'], now: Date) {
  await sql`
    insert into stripe_meters (stripe_meter_id, event_name, display_name, aggregation, event_time_window, status, synced_at)
    select *, ${now}::timestamptz from unnest(${text(meters, (row) => row.stripeMeterId)}::text[],
      ${text(meters, (row) => row.eventName)}::text[], ${text(meters, (row) => row.displayName)}::text[],
      ${text(meters, (row) => row.aggregation)}::text[], ${text(meters, (row) => row.eventTimeWindow)}::text[],
      ${text(meters, (row) => row.status)}::text[])
    on conflict (stripe_meter_id) do update
      set event_name = excluded.event_name, display_name = excluded.display_name, aggregation = excluded.aggregation,
          event_time_window = excluded.event_time_window, status = excluded.status, synced_at = excluded.synced_at`.execute(
    transaction,
  );
}

/** Subscriptions in these states take usage; ended and never-started ones do not. */
const BILLING_STATES = new Set(['active', 'trialing', 'past_due', 'unpaid', 'paused']);

async function storeItems(
  transaction: LedgerTransaction,
  items: LedgerCatalog['subscriptionItems'],
  idByStripeId: ReadonlyMap<string, string>,
  now: Date,
) {
  const known = items.filter((item) => idByStripeId.has(item.stripeCustomerId));
  const prices = known.map((item) => toStoredPrice(item.price));
  await sql`
    insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id,
      product_name, currency, unit_amount_decimal, tiers_mode, price_tiers, stripe_meter_id, current_period_start, current_period_end, active, synced_at)
    select *, ${now}::timestamptz from unnest(${text(known, (row) => row.subscriptionItemId)}::text[],
      ${text(known, (row) => row.subscriptionId)}::text[], ${text(known, (row) => row.subscriptionStatus)}::text[],
      ${text(known, (row) => idByStripeId.get(row.stripeCustomerId) ?? '')}::text[], ${text(known, (row) => row.priceId)}::text[],
      ${text(known, (row) => row.productName)}::text[], ${text(known, (row) => row.currency)}::text[],
      ${text(prices, (row) => row.unitAmountDecimal)}::text[], ${text(prices, (row) => row.tiersMode)}::text[],
      ${text(prices, (row) => row.priceTiers)}::jsonb[], ${text(known, (row) => row.stripeMeterId)}::text[],
      ${text(known, (row) => row.currentPeriodStart.toISOString())}::timestamptz[],
      ${text(known, (row) => row.currentPeriodEnd.toISOString())}::timestamptz[],
      ${known.map((row) => BILLING_STATES.has(row.subscriptionStatus))}::boolean[])
    on conflict (subscription_item_id) do update
      set subscription_status = excluded.subscription_status, price_id = excluded.price_id, product_name = excluded.product_name,
          currency = excluded.currency, unit_amount_decimal = excluded.unit_amount_decimal,
          tiers_mode = excluded.tiers_mode, price_tiers = excluded.price_tiers, stripe_meter_id = excluded.stripe_meter_id,
          current_period_start = excluded.current_period_start, current_period_end = excluded.current_period_end,
          active = excluded.active, synced_at = excluded.synced_at`.execute(transaction);
  await sql`update subscription_items set active = false, synced_at = ${now}
            where active and subscription_item_id <> all(${text(known, (row) => row.subscriptionItemId)}::text[])`.execute(
    transaction,
  );
}

async function storeBindings(transaction: LedgerTransaction, bindings: readonly MeterBinding[], now: Date) {
  await transaction.deleteFrom('meter_bindings').execute();
  await sql`
    insert into meter_bindings (model, token_type, feature, stripe_meter_id, synced_at)
    select *, ${now}::timestamptz from unnest(${text(bindings, (row) => row.model)}::text[],
      ${text(bindings, (row) => row.tokenType)}::text[], ${text(bindings, (row) => row.feature)}::text[],
      ${text(bindings, (row) => row.stripeMeterId)}::text[])`.execute(transaction);
}

async function storeInvoices(
  transaction: LedgerTransaction,
  invoices: LedgerCatalog['invoices'],
  idByStripeId: ReadonlyMap<string, string>,
  now: Date,
) {
  const known = invoices.filter((invoice) => idByStripeId.has(invoice.stripeCustomerId));
  await sql`
    insert into invoices (invoice_id, customer_id, subscription_id, status, number, currency, total_minor, period_start, period_end, synced_at)
    select *, ${now}::timestamptz from unnest(${text(known, (row) => row.invoiceId)}::text[],
      ${text(known, (row) => idByStripeId.get(row.stripeCustomerId) ?? '')}::text[], ${text(known, (row) => row.subscriptionId)}::text[],
      ${text(known, (row) => row.status)}::text[], ${text(known, (row) => row.number)}::text[], ${text(known, (row) => row.currency)}::text[],
      ${text(known, (row) => String(row.totalMinor))}::bigint[], ${text(known, (row) => row.periodStart.toISOString())}::timestamptz[],
      ${text(known, (row) => row.periodEnd.toISOString())}::timestamptz[])
    on conflict (invoice_id) do update
      set status = excluded.status, number = excluded.number, total_minor = excluded.total_minor,
          period_start = excluded.period_start, period_end = excluded.period_end, synced_at = excluded.synced_at`.execute(
    transaction,
  );
}

/**
 * Every customer with all subjects that belong to it: what OpenMeter should attribute. Customers without
 * subjects and deleted ones are among them, with none: OpenMeter must let go of what they had.
 */
export async function readCustomersWithSubjects(
  database: LedgerDatabase,
): Promise<{ customerId: string; name: string; stripeCustomerId: string | null; subjectKeys: string[] }[]> {
  const rows = await sql<{
    customerId: string;
    name: string;
    stripeCustomerId: string | null;
    subjectKeys: string[];
  }>`
    select c.customer_id as "customerId", c.name, c.stripe_customer_id as "stripeCustomerId",
      coalesce(array_agg(s.subject order by s.subject) filter (where s.subject is not null), '{}') as "subjectKeys"
    from customers c left join subjects s on s.customer_id = c.customer_id and c.deleted_at is null
    group by c.customer_id order by c.customer_id`.execute(database);
  return rows.rows;
}
