import { sql } from 'kysely';
import { writeAudit, writeAudits } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { modelKeySql, nameKeySql } from '../usage/name-keys.ts';
import { isFree } from './billing-places.ts';

/** Whether binding `b` takes what hourly usage `h` counts. */
const IS_BOUND = sql.raw(
  `b.token_type = h.token_type and b.model in (${modelKeySql('h.model')}, '*')
    and b.feature in (${nameKeySql('h.feature')}, '*')`,
);

/** Reasons that a change of catalog, subjects or bindings can cure; the rest need a person. */
const CURABLE_REASONS = [
  'no_customer',
  'no_stripe_customer',
  'no_binding',
  'unusable_meter',
  'no_subscription_item',
  'stale_catalog',
  'double_binding',
  'no_price_in_currency',
];

/**
 * Takes up settled usage whose cause of quarantine may be gone: it is judged anew by the next push.
 * Called after every change of catalog, subjects or bindings; rows still without cure go back with their reason. Audited
 * as soon as it changes anything.
 * @returns the number of tokens taken up
 */
export async function releaseQuarantine(
  database: LedgerDatabase,
  by: { actor: string; now: Date },
): Promise<bigint> {
  await assignSubjectsByTenant(database, by);
  return await database.transaction().execute(async (transaction) => {
    const released = await releaseCurable(transaction, by.now);
    if (released.row_count > 0n) {
      await writeAudit(transaction, {
        actor: by.actor,
        action: 'quarantine.release',
        target: 'hourly_usage',
        details: { row_count: String(released.row_count), token_count: String(released.token_count) },
        now: by.now,
      });
    }
    return released.token_count;
  });
}

async function releaseCurable(
  transaction: LedgerTransaction,
  now: Date,
): Promise<{ row_count: bigint; token_count: bigint }> {
  const released = await sql<{ row_count: bigint; token_count: bigint }>`
    with all_bindings as (
      select model, token_type, feature, stripe_meter_id from meter_bindings
      union all select model, token_type, feature, stripe_meter_id from legacy_bindings),
    released as (
      update hourly_usage h set quarantine_reason = null, quarantine_detail = null, customer_id = null
      from subjects s left join customers c on c.customer_id = s.customer_id
      where h.quarantine_reason = any(${CURABLE_REASONS}::text[]) and h.meter_push_id is null and h.written_off_at is null
        -- The subject may have been given to another customer since: theirs is the catalog that counts.
        and s.subject = h.subject and (
        case h.quarantine_reason
          when 'no_customer' then s.customer_id is not null
          when 'stale_catalog' then true
          when 'no_binding' then exists (
            select 1 from all_bindings b where ${IS_BOUND})
          when 'no_stripe_customer' then c.stripe_customer_id is not null and c.deleted_at is null
          when 'double_binding' then not exists (
            select 1 from all_bindings b
            join subscription_items i on i.stripe_meter_id = b.stripe_meter_id and i.customer_id = s.customer_id and i.active
            where ${IS_BOUND}
              and (i.ends_at is null or i.ends_at > ${now}) and not ${isFree('i')}
            group by b.stripe_meter_id having count(distinct i.subscription_item_id) > 1)
          else exists (
            select 1 from all_bindings b
            join stripe_meters m on m.stripe_meter_id = b.stripe_meter_id and m.status = 'active'
            join subscription_items i on i.stripe_meter_id = m.stripe_meter_id and i.customer_id = s.customer_id and i.active
            where ${IS_BOUND} and (h.quarantine_reason <> 'no_price_in_currency' or i.price_problem is null))
        end)
      returning h.delta_token_count)
    select count(*) as row_count, coalesce(sum(delta_token_count), 0)::bigint as token_count from released`.execute(
    transaction,
  );
  return released.rows[0] ?? { row_count: 0n, token_count: 0n };
}

/**
 * Subjects without a customer join the one that owns their tenant. Those that came by their tenant follow it
 * to a new owner; what was billed to the old one stays there. Audited, by customer.
 */
async function assignSubjectsByTenant(
  database: LedgerDatabase,
  { actor, now }: { actor: string; now: Date },
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const moved = await sql<{ customer_id: string; tenant_key: string; subjects: string[] }>`
      with moved as (
        update subjects s set customer_id = c.customer_id, assigned_by = 'tenant', updated_at = ${now}
        from customers c
        where s.tenant_key <> '' and c.tenant_key = s.tenant_key and c.deleted_at is null
          and (s.customer_id is null or (s.assigned_by = 'tenant' and s.customer_id <> c.customer_id))
        returning s.customer_id, s.tenant_key, s.subject)
      select customer_id, tenant_key, array_agg(subject order by subject) as subjects from moved group by 1, 2 order by 1`.execute(
      transaction,
    );
    await writeAudits(
      transaction,
      moved.rows.map(({ customer_id, tenant_key, subjects }) => ({
        actor,
        action: 'subject.follow_tenant',
        target: customer_id,
        details: { tenant_key, subjects },
        now,
      })),
    );
  });
}
