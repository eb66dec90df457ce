import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** A push that Stripe counted, or may have counted, into an hour. */
export interface HourAttempt {
  meterPushId: bigint;
  deltaTokenCount: bigint;
  eventTimestamp: Date;
  status: 'pending' | 'delivered' | 'refused';
  firstAttemptAt: Date | null;
  /** When it was last sent or acknowledged, as far as is known: Stripe's sums may lack it for a while after. */
  lastTriedAt: Date | null;
}

/**
 * Every push of one customer, meter and hour that Stripe acknowledged, or of which nothing says whether it counted: tried
 * and not answered, or refused and perhaps counted all the same. In the order of their planning.
 */
export async function readHourAttempts(
  database: LedgerDatabase,
  hour: { customerId: string; stripeMeterId: string; windowStart: Date },
): Promise<HourAttempt[]> {
  const rows = await sql<HourAttempt>`
    select meter_push_id as "meterPushId", delta_token_count as "deltaTokenCount",
      event_timestamp as "eventTimestamp", status, first_attempt_at as "firstAttemptAt",
      greatest(last_attempt_at, delivered_at) as "lastTriedAt"
    from meter_pushes
    where customer_id = ${hour.customerId} and stripe_meter_id = ${hour.stripeMeterId}
      and window_start = ${hour.windowStart} and delta_token_count <> 0
      and (status = 'delivered' or (status = 'pending' and first_attempt_at is not null)
        or (status = 'refused' and written_off_at is null and (is_unproven or delivered_at is not null)))
    order by meter_push_id`.execute(database);
  return rows.rows;
}
