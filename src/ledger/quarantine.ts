import { sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';

/** Reasons that a change of catalog, subjects or bindings can cure; the rest need a person. */
const CURABLE_REASONS = [
  'no_customer',
  'no_stripe_customer',
  'no_binding',
  'unusable_meter',
  'no_subscription_item',
];

/**
 * Takes up settled usage whose cause of quarantine may be gone: it is judged anew by the next push.
 * Called after every change of catalog, subjects or bindings; rows still without cure go back with their reason.
 * @returns the number of tokens taken up
 */
export async function releaseQuarantine(database: LedgerDatabase, now: Date): Promise<bigint> {
  await assignSubjectsByTenant(database, now);
  const released = await sql<{ token_count: bigint }>`
    with released as (
      update hourly_usage h set quarantine_reason = null, customer_id = null
      where h.quarantine_reason = any(${CURABLE_REASONS}::text[]) and h.meter_push_id is null and (
        case h.quarantine_reason
          when 'no_customer' then exists (select 1 from subjects s where s.subject = h.subject and s.customer_id is not null)
          when 'no_binding' then exists (
            select 1 from meter_bindings b where b.token_type = h.token_type and b.model in (h.model, '*') and b.feature in (h.feature, '*'))
          when 'no_stripe_customer' then exists (
            select 1 from customers c where c.customer_id = h.customer_id and c.stripe_customer_id is not null and c.deleted_at is null)
          else exists (
            select 1 from meter_bindings b
            join stripe_meters m on m.stripe_meter_id = b.stripe_meter_id and m.status = 'active'
            join subscription_items i on i.stripe_meter_id = m.stripe_meter_id and i.customer_id = h.customer_id and i.active
            where b.token_type = h.token_type and b.model in (h.model, '*') and b.feature in (h.feature, '*'))
        end)
      returning delta_token_count)
    select coalesce(sum(delta_token_count), 0)::bigint as token_count from released`.execute(database);
  return released.rows[0]?.token_count ?? 0n;
}

/** Subjects without a customer join the customer that owns their tenant. */
export async function assignSubjectsByTenant(database: LedgerDatabase, now: Date): Promise<void> {
  await sql`
    update subjects s set customer_id = c.customer_id, assigned_by = 'tenant', updated_at = ${now}
    from customers c
    where s.customer_id is null and s.tenant_key <> '' and c.tenant_key = s.tenant_key and c.deleted_at is null`.execute(
    database,
  );
}
