import { type RawBuilder, sql } from 'kysely';
import { billingPlaces } from '../catalog/billing-places.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/**
 * Why a push may not simply be sent (again). `stale_catalog`: what is known of its invoice is too old to be believed.
 * `too_late`: its invoice is final as far as is known, or another one would bill it too.
 */
export type PushDoubt = 'stale_catalog' | 'too_late';

/**
 * Of `meter_pushes` under this alias: the doubt whether the invoice that it was planned for still takes it; null: it does.
 * A push that waited through an outage is as late as usage that comes so late. A push that takes another one back has no
 * usage of its own to bill elsewhere, and is never too late.
 */
export function pushDoubt(alias: string, now: Date): RawBuilder<PushDoubt | null> {
  const push = sql.ref(alias);
  const places = billingPlaces({
    customerId: sql`${push}.customer_id`,
    stripeMeterId: sql`${push}.stripe_meter_id`,
    billedAt: sql`${push}.event_timestamp`,
    now,
  });
  return sql<PushDoubt | null>`case when ${push}.offsets_push_id is null and exists (
      select 1 from subscription_items i
      where i.customer_id = ${push}.customer_id and i.stripe_meter_id = ${push}.stripe_meter_id)
    then (select case when is_stale then 'stale_catalog' when place_count <> 1 then 'too_late' end from (${places}) place) end`;
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
