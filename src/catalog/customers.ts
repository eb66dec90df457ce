import { sql } from 'kysely';
import { writeAudit } from '../platform/database/audit.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { holding } from '../platform/database/like-pattern.ts';
import { TallystickError } from '../platform/errors.ts';
import type { AttributionChoice } from './attribution.ts';
import { type AttributionReason, followSoon } from './attributions.ts';

export interface Customer {
  customerId: string;
  name: string;
  tenantKey: string | null;
  stripeCustomerId: string | null;
  currency: string | null;
  subjectCount: bigint;
  /** What a person chose. */
  attribution: AttributionChoice;
  /** Why OpenMeter does not have all its subjects; null: it has, or was not told of it yet. */
  attributionReason: AttributionReason | null;
  attributionDetail: string | null;
  attributionSince: Date | null;
  deletedAt: Date | null;
  syncedAt: Date;
}

function selectCustomers(database: LedgerDatabase) {
  return database
    .selectFrom('customers')
    .leftJoin('customer_attributions as told', 'told.customer_id', 'customers.customer_id')
    .selectAll('customers')
    .select([
      'told.reason as attribution_reason',
      'told.detail as attribution_detail',
      'told.since as attribution_since',
    ])
    .select(
      sql<bigint>`(select count(*) from subjects where subjects.customer_id = customers.customer_id)`.as(
        'subject_count',
      ),
    );
}

/** Customers in the order of their ids, after a given one; deleted ones too, marked. */
export async function listCustomers(
  database: LedgerDatabase,
  page: { afterCustomerId: string | null; limit: number },
): Promise<Customer[]> {
  let query = selectCustomers(database).orderBy('customers.customer_id').limit(page.limit);
  if (page.afterCustomerId !== null) query = query.where('customers.customer_id', '>', page.afterCustomerId);
  return (await query.execute()).map(camelRow);
}

/** How customers are called, deleted ones too. */
export async function readCustomerNames(
  database: LedgerDatabase,
  customerIds: readonly string[],
): Promise<Map<string, string>> {
  if (customerIds.length === 0) return new Map();
  const rows = await database
    .selectFrom('customers')
    .select(['customer_id', 'name'])
    .where(sql<boolean>`customer_id = any(${[...customerIds]}::text[])`)
    .execute();
  return new Map(rows.map((row) => [row.customer_id, row.name]));
}

/** Customers whose id or name holds a text, whatever its case. */
export async function findCustomerIds(database: LedgerDatabase, text: string): Promise<string[]> {
  const part = holding(text);
  const rows = await database
    .selectFrom('customers')
    .select('customer_id')
    .where((is) => is.or([is('customer_id', 'ilike', part), is('name', 'ilike', part)]))
    .execute();
  return rows.map((row) => row.customer_id);
}

/** @throws TallystickError UNKNOWN_CUSTOMER */
export async function getCustomer(database: LedgerDatabase, customerId: string): Promise<Customer> {
  const row = await selectCustomers(database)
    .where('customers.customer_id', '=', customerId)
    .executeTakeFirst();
  if (row === undefined) throw unknownCustomer(customerId);
  return camelRow(row);
}

export function unknownCustomer(customerId: string): TallystickError {
  return new TallystickError(`No customer has the id ${JSON.stringify(customerId)}.`, {
    code: 'UNKNOWN_CUSTOMER',
    retry: false,
    fix: 'List the customers, or wait for the next synchronization with Stripe.',
  });
}

export interface CustomerChange {
  customerId: string;
  name: string;
  tenantKey: string | null;
  stripeCustomerId: string | null;
  /** Absent: it stays. */
  attribution?: AttributionChoice | undefined;
  /** Who does it, for the audit log. */
  actor: string;
  now: Date;
}

/**
 * Creates the customer or replaces its name, tenant key and Stripe customer, with an audit row in the same
 * transaction. Subjects that came with the tenant key and belong to nobody become the customer's; those that
 * were its own only through a tenant key it no longer has belong to nobody again.
 * @throws TallystickError CONFLICT when another customer has the tenant key or the Stripe customer
 */
export async function putCustomer(
  database: LedgerDatabase,
  change: CustomerChange,
): Promise<'created' | 'replaced'> {
  try {
    return await database.transaction().execute(async (transaction) => {
      const before = await transaction
        .selectFrom('customers')
        .select(['name', 'tenant_key', 'stripe_customer_id', 'attribution'])
        .where('customer_id', '=', change.customerId)
        .forUpdate()
        .executeTakeFirst();
      const values = {
        name: change.name,
        tenant_key: change.tenantKey,
        stripe_customer_id: change.stripeCustomerId,
        attribution: change.attribution ?? before?.attribution ?? ('automatic' as const),
      };
      await transaction
        .insertInto('customers')
        .values({
          customer_id: change.customerId,
          ...values,
          currency: null,
          deleted_at: null,
          synced_at: change.now,
        })
        .onConflict((conflict) => conflict.column('customer_id').doUpdateSet(values))
        .execute();
      if (values.attribution !== (before?.attribution ?? 'automatic')) {
        await followSoon(transaction, change.customerId, change.now);
      }
      await moveTenantSubjects(transaction, change);
      await writeAudit(transaction, {
        actor: change.actor,
        action: 'customer.put',
        target: change.customerId,
        details: { before: before ?? null, after: values },
        now: change.now,
      });
      return before === undefined ? 'created' : 'replaced';
    });
  } catch (error) {
    throw conflictOf(error) ?? error;
  }
}

async function moveTenantSubjects(transaction: LedgerTransaction, change: CustomerChange): Promise<void> {
  await transaction
    .updateTable('subjects')
    .set({ customer_id: null, assigned_by: null, updated_at: change.now })
    .where('customer_id', '=', change.customerId)
    .where('assigned_by', '=', 'tenant')
    .where('tenant_key', 'is distinct from', change.tenantKey)
    .execute();
  if (change.tenantKey === null) return;
  await transaction
    .updateTable('subjects')
    .set({ customer_id: change.customerId, assigned_by: 'tenant', updated_at: change.now })
    .where('tenant_key', '=', change.tenantKey)
    .where('customer_id', 'is', null)
    .execute();
}

const UNIQUE_VIOLATION = '23505';

function conflictOf(error: unknown): TallystickError | null {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (code !== UNIQUE_VIOLATION) return null;
  const field = String(constraint).includes('tenant_key') ? 'tenantKey' : 'stripeCustomerId';
  return new TallystickError(`Another customer has this ${field}.`, {
    code: 'CONFLICT',
    retry: false,
    context: { field },
    fix: 'Take it from that customer first.',
    cause: error,
  });
}
