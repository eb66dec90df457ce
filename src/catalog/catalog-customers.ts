import { sql } from 'kysely';
import { writeAudits } from '../platform/database/audit.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';

export interface CatalogCustomer {
  customerId: string;
  stripeCustomerId: string;
  tenantKey: string | null;
  name: string;
  currency: string | null;
  deleted: boolean;
}

/** When Stripe was read, and by whom. */
export interface CustomerReading {
  now: Date;
  actor: string;
}

const text = <Row>(rows: readonly Row[], pick: (row: Row) => string | null) => rows.map(pick);

/**
 * All of Stripe's customers under the ids the ledger knows them by. A customer made through the API before Stripe
 * knew its tenant is joined, not doubled; a tenant set through the API stays where Stripe names none. Each customer that
 * becomes another than it was is audited.
 */
export async function storeCustomers(
  transaction: LedgerTransaction,
  customers: readonly CatalogCustomer[],
  reading: CustomerReading,
) {
  const { now } = reading;
  const known = await readFacts(transaction);
  // Tenants may change hands within one reading; let go of all before taking any.
  await putCustomers(transaction, placeCustomers(customers, known), { now, letGoOfAll: true });
  // Stripe lists no deleted customers: whoever is gone from the list is gone.
  await sql`update customers set deleted_at = coalesce(deleted_at, ${now}), tenant_key = null
            where stripe_customer_id is not null and synced_at <= ${now}
              and stripe_customer_id <> all(${text(customers, (row) => row.stripeCustomerId)}::text[])`.execute(
    transaction,
  );
  await auditChanges(transaction, known, await readFacts(transaction), reading);
}

/**
 * Single customers, likewise; the others stay as they are.
 * @returns false, and nothing is changed, when one claims a tenant that another one of Stripe's has: who was there first
 *   is known only from the whole list
 */
export async function storeChangedCustomers(
  transaction: LedgerTransaction,
  customers: readonly CatalogCustomer[],
  reading: CustomerReading,
): Promise<boolean> {
  if (customers.length === 0) return true;
  const stripeIds = customers.map((customer) => customer.stripeCustomerId);
  const tenants = customers.flatMap((customer) => customer.tenantKey ?? []);
  const known = await readFacts(transaction, { stripeIds, tenants });
  const isClaimed = known.some(
    (row) =>
      row.stripe_customer_id !== null &&
      row.tenant_key !== null &&
      !stripeIds.includes(row.stripe_customer_id) &&
      tenants.includes(row.tenant_key),
  );
  if (isClaimed || new Set(tenants).size < tenants.length) return false;
  const placed = placeCustomers(customers, known);
  await putCustomers(transaction, placed, { now: reading.now, letGoOfAll: false });
  // All that may have changed are among these: whoever lost a tenant to another lies under that tenant before.
  const customerIds = [...known, ...placed.map((row) => ({ customer_id: row.customerId }))].map(
    (row) => row.customer_id,
  );
  await auditChanges(transaction, known, await readFacts(transaction, { customerIds }), reading);
  return true;
}

/** What of a customer is worth an audit row. */
type CustomerFacts = KnownCustomer & { name: string; currency: string | null; deleted_at: Date | null };

/** All customers, or those that are named in one way or another. */
async function readFacts(
  transaction: LedgerTransaction,
  named?: { stripeIds?: readonly string[]; tenants?: readonly string[]; customerIds?: readonly string[] },
): Promise<CustomerFacts[]> {
  const query = transaction
    .selectFrom('customers')
    .select(['customer_id', 'stripe_customer_id', 'tenant_key', 'name', 'currency', 'deleted_at']);
  if (named === undefined) return await query.execute();
  const { stripeIds = [], tenants = [], customerIds = [] } = named;
  return await query
    .where((where) =>
      where.or([
        where('stripe_customer_id', '=', sql<string>`any(${[...stripeIds]}::text[])`),
        where('customer_id', '=', sql<string>`any(${[...stripeIds, ...tenants, ...customerIds]}::text[])`),
        where('tenant_key', '=', sql<string>`any(${[...tenants]}::text[])`),
      ]),
    )
    .execute();
}

async function auditChanges(
  transaction: LedgerTransaction,
  known: readonly CustomerFacts[],
  now: readonly CustomerFacts[],
  reading: CustomerReading,
): Promise<void> {
  const before = new Map(known.map((row) => [row.customer_id, JSON.stringify(row)]));
  await writeAudits(
    transaction,
    now
      .filter((row) => before.get(row.customer_id) !== JSON.stringify(row))
      .map((row) => {
        const was = before.get(row.customer_id);
        return {
          actor: reading.actor,
          action: 'customer.sync',
          target: row.customer_id,
          details: { before: was === undefined ? null : JSON.parse(was), after: row },
          now: reading.now,
        };
      }),
  );
}

async function putCustomers(
  transaction: LedgerTransaction,
  rows: readonly CatalogCustomer[],
  { now, letGoOfAll }: { now: Date; letGoOfAll: boolean },
): Promise<void> {
  await sql`update customers set tenant_key = null
            where synced_at <= ${now} and ((${letGoOfAll} and stripe_customer_id is not null)
              or customer_id = any(${text(rows, (row) => row.customerId)}::text[])
              or tenant_key = any(${text(rows, (row) => row.tenantKey)}::text[]))`.execute(transaction);
  await sql`
    insert into customers as known (customer_id, stripe_customer_id, tenant_key, name, currency, deleted_at, synced_at)
    select id, stripe_id, tenant, name, currency, case when deleted then ${now}::timestamptz end, ${now}::timestamptz
    from unnest(${text(rows, (row) => row.customerId)}::text[], ${text(rows, (row) => row.stripeCustomerId)}::text[],
      ${text(rows, (row) => row.tenantKey)}::text[], ${text(rows, (row) => row.name)}::text[],
      ${text(rows, (row) => row.currency)}::text[], ${rows.map((row) => row.deleted)}::boolean[])
      as read(id, stripe_id, tenant, name, currency, deleted)
    on conflict (customer_id) do update
      set stripe_customer_id = excluded.stripe_customer_id, tenant_key = excluded.tenant_key,
          -- Of a deleted one Stripe tells nothing but its id.
          name = case when excluded.deleted_at is null then excluded.name else known.name end,
          currency = coalesce(excluded.currency, known.currency), synced_at = excluded.synced_at,
          deleted_at = case when excluded.deleted_at is null then null else coalesce(known.deleted_at, excluded.deleted_at) end
      where known.synced_at <= excluded.synced_at`.execute(transaction);
}

type KnownCustomer = { customer_id: string; stripe_customer_id: string | null; tenant_key: string | null };

/** Decides under which customer id and with which tenant each customer of Stripe is kept. */
function placeCustomers(
  customers: readonly CatalogCustomer[],
  known: readonly KnownCustomer[],
): CatalogCustomer[] {
  const byStripeId = new Map(known.map((row) => [row.stripe_customer_id, row]));
  const withoutStripe = known.filter((row) => row.stripe_customer_id === null);
  const takenIds = new Set(known.map((row) => row.customer_id));
  const claimedTenants = new Set(customers.flatMap((row) => row.tenantKey ?? []));
  return customers.map((customer) => {
    const { tenantKey } = customer;
    const own =
      byStripeId.get(customer.stripeCustomerId) ??
      withoutStripe.find(
        (row) => tenantKey !== null && (row.customer_id === tenantKey || row.tenant_key === tenantKey),
      );
    const freeId = takenIds.has(customer.customerId) ? customer.stripeCustomerId : customer.customerId;
    const kept = own?.tenant_key ?? null;
    const keptTenant = customer.deleted || kept === null || claimedTenants.has(kept) ? null : kept;
    const customerId = own?.customer_id ?? freeId;
    takenIds.add(customerId);
    return { ...customer, customerId, tenantKey: tenantKey ?? keptTenant };
  });
}
