import { sql } from 'kysely';
import { ENFORCED_ACTIONS, type OpenStep } from '../../pricing/enforcement/ruling.ts';
import { STANDS_UNTIL } from '../budgets/step-events.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';

/** All that rulings follow from. */
export interface EnforcementFacts {
  steps: OpenStep[];
  /** By the value of the tenant dimension. */
  customerOfTenant: ReadonlyMap<string, string>;
  tenantOfCustomer: ReadonlyMap<string, string>;
}

/** Steps that are reached and ask something of the gateway, and which tenant is whose, in one snapshot. */
export async function readFacts(database: LedgerDatabase, now: Date): Promise<EnforcementFacts> {
  return await readSnapshot(database, async (snapshot) => {
    const steps = await readOpenSteps(snapshot, now);
    const pairs = await readTenants(snapshot);
    return {
      steps,
      customerOfTenant: new Map(pairs),
      tenantOfCustomer: new Map(pairs.map(([tenant, customer]) => [customer, tenant])),
    };
  });
}

/** Each tenant, and whose it is. */
export async function readTenants(
  database: LedgerDatabase | LedgerTransaction,
): Promise<(readonly [tenantKey: string, customerId: string])[]> {
  const tenants = await database
    .selectFrom('customers')
    .select(['customer_id', 'tenant_key'])
    .where('tenant_key', 'is not', null)
    .where('deleted_at', 'is', null)
    .execute();
  return tenants.flatMap(({ customer_id, tenant_key }) =>
    tenant_key === null ? [] : [[tenant_key, customer_id] as const],
  );
}

/** A holder is empty where the budget itself says whom it is of. Those that ended lately are read, too: clocks are set back. */
async function readOpenSteps(database: LedgerDatabase | LedgerTransaction, now: Date): Promise<OpenStep[]> {
  const { rows } = await sql<OpenStep>`
    select event.budget_id as "budgetId", budget.name as "budgetName",
      coalesce(nullif(event.customer_id, ''), budget.customer_id) as "customerId",
      coalesce(nullif(event.subject, ''), budget.subject) as subject, budget.feature,
      event.step ->> 'action' as action, (event.step ->> 'sharePermille')::integer as "sharePermille",
      (event.step ->> 'tokensPerMinute')::float8 as "tokensPerMinute", event.step ->> 'deployment' as deployment,
      event.step ->> 'contact' as contact, event.window_start as "startsAt",
      ${STANDS_UNTIL} as "endsAt", event.lifted_until as "liftedUntil"
    from budget_step_events as event join budgets as budget using (budget_id)
    where event.withdrawn_at is null and event.window_end > ${addMs(now, -DAY_MS)} and budget.ended_at is null
      and event.step ->> 'action' = any(${[...ENFORCED_ACTIONS]}::text[])`.execute(database);
  return rows;
}

/** Whose a user is; null: nobody's yet, or not known. */
export async function readCustomerOfSubject(
  database: LedgerDatabase,
  subject: string,
): Promise<string | null> {
  const row = await database
    .selectFrom('subjects')
    .select('customer_id')
    .where('subject', '=', subject)
    .executeTakeFirst();
  return row?.customer_id ?? null;
}
