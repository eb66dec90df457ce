import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { BillingCatalog, BillingCatalogChange } from '../stripe/port.ts';
import { storePeriodBoundaries } from '../usage/hours/hour-parts.ts';
import { type MeterBinding, renewBindings } from './bindings.ts';
import { type CatalogCustomer, storeChangedCustomers, storeCustomers } from './catalog-customers.ts';
import { storeInvoiceQuantities } from './invoice-quantities.ts';
import { storeInvoices } from './invoices.ts';
import { endMissingItems, storeItems, storePriceChanges } from './items.ts';
import { moveCatalogProgress } from './progress.ts';

export interface LedgerCatalog extends Omit<BillingCatalog, 'customers'> {
  customers: CatalogCustomer[];
}

export interface LedgerCatalogChange extends Omit<BillingCatalogChange, 'customers'> {
  customers: CatalogCustomer[];
}

export interface CatalogReading {
  /** When the reading began: what is known from later is not overwritten. */
  now: Date;
  /** Who reads, for the audit log. */
  actor: string;
}

export interface StoredCatalog {
  bindings: MeterBinding[];
  /** What is wrong with prices. */
  problems: string[];
}

/**
 * Makes the ledger's picture of Stripe equal to what was read, in one transaction. Nothing is deleted that
 * usage may refer to: items that are gone become inactive, customers get a deletion time.
 */
export async function storeCatalog(
  database: LedgerDatabase,
  catalog: LedgerCatalog,
  reading: CatalogReading,
): Promise<StoredCatalog> {
  const { now } = reading;
  return await database.transaction().execute(async (transaction) => {
    await lockCatalog(transaction);
    await storeCustomers(transaction, catalog.customers, reading);
    await storeMeters(transaction, catalog.meters, now);
    const idByStripeId = await readCustomerIds(transaction);
    await storeItems(transaction, catalog.subscriptionItems, idByStripeId, { now, isWholeList: true });
    const itemIds = catalog.subscriptionItems.map((item) => item.subscriptionItemId);
    await endMissingItems(transaction, { itemIds, subscriptionIds: 'all', now });
    await storePeriodBoundaries(transaction, now);
    const stored = await renewBindings(transaction, { now });
    await storeInvoices(transaction, catalog.invoices, idByStripeId, now);
    await storeInvoiceQuantities(transaction, catalog.invoices, now);
    await moveCatalogProgress(transaction, 'whole_listing', { position: now, now });
    return stored;
  });
}

/**
 * The same for single objects, which were read with all that belongs to them.
 * @returns null, and nothing is changed, when only the whole list can tell whose a tenant is
 */
export async function storeCatalogChange(
  database: LedgerDatabase,
  change: LedgerCatalogChange,
  reading: CatalogReading,
): Promise<StoredCatalog | null> {
  const { now } = reading;
  return await database.transaction().execute(async (transaction) => {
    await lockCatalog(transaction);
    if (!(await storeChangedCustomers(transaction, change.customers, reading))) return null;
    await storeMeters(transaction, change.meters, now);
    const items = change.subscriptions.flatMap((subscription) => subscription.items);
    const stripeIds = [...items, ...change.invoices].map((row) => row.stripeCustomerId);
    const idByStripeId = await readCustomerIds(transaction, stripeIds);
    await storeItems(transaction, items, idByStripeId, { now, isWholeList: false });
    await endMissingItems(transaction, {
      itemIds: items.map((item) => item.subscriptionItemId),
      subscriptionIds: change.subscriptions.map((subscription) => subscription.subscriptionId),
      now,
    });
    await storePriceChanges(transaction, change);
    await storePeriodBoundaries(transaction, now);
    const stored = await renewBindings(transaction, { now });
    await storeInvoices(transaction, change.invoices, idByStripeId, now);
    await storeInvoiceQuantities(transaction, change.invoices, now);
    await transaction
      .updateTable('invoices')
      .set({ status: 'deleted', synced_at: now })
      .where('invoice_id', '=', sql<string>`any(${change.deletedInvoiceIds}::text[])`)
      .execute();
    return stored;
  });
}

/** One writer at a time: a listing and a refresh of single objects touch the same rows in different orders. */
async function lockCatalog(transaction: LedgerTransaction): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('tallystick catalog'))`.execute(transaction);
}

/** The ledger's ids of Stripe's customers: of all, or of those named. */
async function readCustomerIds(
  transaction: LedgerTransaction,
  stripeCustomerIds?: readonly string[],
): Promise<Map<string, string>> {
  let query = transaction
    .selectFrom('customers')
    .select(['customer_id', 'stripe_customer_id'])
    .where('stripe_customer_id', 'is not', null);
  if (stripeCustomerIds !== undefined) {
    query = query.where('stripe_customer_id', '=', sql<string>`any(${[...stripeCustomerIds]}::text[])`);
  }
  return new Map((await query.execute()).map((row) => [row.stripe_customer_id ?? '', row.customer_id]));
}

const text = <Row>(rows: readonly Row[], pick: (row: Row) => string | null) => rows.map(pick);

async function storeMeters(transaction: LedgerTransaction, meters: LedgerCatalog['meters'], now: Date) {
  await sql`
    insert into stripe_meters as known (stripe_meter_id, event_name, display_name, aggregation, event_time_window, status, synced_at)
    select *, ${now}::timestamptz from unnest(${text(meters, (row) => row.stripeMeterId)}::text[],
      ${text(meters, (row) => row.eventName)}::text[], ${text(meters, (row) => row.displayName)}::text[],
      ${text(meters, (row) => row.aggregation)}::text[], ${text(meters, (row) => row.eventTimeWindow)}::text[],
      ${text(meters, (row) => row.status)}::text[])
    on conflict (stripe_meter_id) do update
      set event_name = excluded.event_name, display_name = excluded.display_name, aggregation = excluded.aggregation,
          event_time_window = excluded.event_time_window, status = excluded.status, synced_at = excluded.synced_at
      where known.synced_at <= excluded.synced_at`.execute(transaction);
}
