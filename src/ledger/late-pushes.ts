import { type RawBuilder, sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';

/**
 * Three synchronizations. A period that has ended, or a draft, is believed no longer than that: the invoice
 * may be finalized by now, and Stripe takes usage for it without a word and never bills it.
 */
export const CATALOG_FRESH = '30 minutes';

/**
 * Of `meter_pushes` under this alias: whether the invoice that it was planned for may be final by now. A push
 * that waited through an outage is as late as usage that comes so late. A push that takes another one back has
 * no usage of its own to bill elsewhere, and is never too late.
 */
export function mayBeTooLate(alias: string, now: Date): RawBuilder<boolean> {
  const push = sql.ref(alias);
  return sql<boolean>`${push}.offsets_push_id is null and exists (
    select 1 from (
      select i.current_period_start, i.current_period_end, i.subscription_id, i.synced_at from subscription_items i
      where i.customer_id = ${push}.customer_id and i.stripe_meter_id = ${push}.stripe_meter_id and i.active
      order by i.current_period_start limit 1) item
    where (${push}.event_timestamp < item.current_period_start and not exists (
        select 1 from invoices i where i.customer_id = ${push}.customer_id and i.subscription_id = item.subscription_id
          and i.status = 'draft' and i.sealed_at is null and ${push}.event_timestamp >= i.period_start and ${push}.event_timestamp < i.period_end))
      or (item.synced_at < ${now}::timestamptz - ${CATALOG_FRESH}::interval and (
        item.current_period_end <= ${now} or ${push}.event_timestamp < item.current_period_start)))`;
}

/**
 * Takes back a push that Stripe has not counted, unless somebody tried it since it was read; its usage is judged
 * anew by the next plan.
 */
export async function withdrawPush(
  database: LedgerDatabase,
  push: { meterPushId: bigint; lastAttemptAt: Date | null },
  reason: string,
): Promise<void> {
  await sql`
    with withdrawn as (
      update meter_pushes set status = 'withdrawn', last_error = ${reason}
      where meter_push_id = ${push.meterPushId} and status = 'pending'
        and last_attempt_at is not distinct from ${push.lastAttemptAt}::timestamptz
      returning meter_push_id)
    update hourly_usage h set meter_push_id = null, customer_id = null from withdrawn
    where h.meter_push_id = withdrawn.meter_push_id`.execute(database);
}
