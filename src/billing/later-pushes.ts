import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** An hour of one customer and meter of which Stripe acknowledged everything that was sent. */
export interface LaterHour {
  customerId: string;
  stripeCustomerId: string;
  stripeMeterId: string;
  windowStart: Date;
  /** What Stripe acknowledged for it. */
  acknowledged: bigint;
  /** When the push of it was sent that makes it later. */
  sentAt: Date;
}

export interface MeterPair {
  customerId: string;
  stripeMeterId: string;
}

/** The newest pushes among which those of all customers are looked for. */
const NEWEST_PUSHES = 500;

/**
 * The first hour with a push that was first sent at or after `after` and that Stripe acknowledged; of one customer and
 * meter, or (null) of any. Hours with a push that Stripe may or may not have counted say nothing and are left out.
 */
export async function readLaterHour(
  database: LedgerDatabase,
  query: { pair: MeterPair | null; after: Date },
): Promise<LaterHour | null> {
  const { pair, after } = query;
  const pushes =
    pair === null
      ? sql`(select * from meter_pushes order by meter_push_id desc limit ${NEWEST_PUSHES})`
      : sql`meter_pushes`;
  const ofPair =
    pair === null
      ? sql`true`
      : sql`p.customer_id = ${pair.customerId} and p.stripe_meter_id = ${pair.stripeMeterId}`;
  const rows = await sql<LaterHour>`
    select p.customer_id as "customerId", p.stripe_customer_id as "stripeCustomerId",
      p.stripe_meter_id as "stripeMeterId", p.window_start as "windowStart", hour.acknowledged,
      p.first_attempt_at as "sentAt"
    from ${pushes} p
    cross join lateral (
      select coalesce(sum(delta_token_count) filter (where status = 'delivered'), 0)::bigint as acknowledged,
        bool_or(status <> 'delivered' and first_attempt_at is not null) as is_doubtful
      from meter_pushes other
      where other.customer_id = p.customer_id and other.stripe_meter_id = p.stripe_meter_id
        and other.window_start = p.window_start) hour
    where ${ofPair} and p.status = 'delivered' and p.first_attempt_at >= ${after} and p.delta_token_count <> 0
      and p.stripe_meter_id not like 'legacy:%' and hour.acknowledged <> 0 and not hour.is_doubtful
      -- Of a customer who was deleted nothing can be read.
      and exists (select 1 from customers k where k.customer_id = p.customer_id and k.deleted_at is null)
    order by p.first_attempt_at, p.meter_push_id limit 1`.execute(database);
  return rows.rows[0] ?? null;
}

/** When Stripe was last asked in vain whether it shows something later; null: it is not waited for. */
export async function readSummaryWait(database: LedgerDatabase, pair: MeterPair): Promise<Date | null> {
  const row = await database
    .selectFrom('summary_waits')
    .select('looked_at')
    .where('customer_id', '=', pair.customerId)
    .where('stripe_meter_id', '=', pair.stripeMeterId)
    .executeTakeFirst();
  return row?.looked_at ?? null;
}

export async function noteSummaryWait(
  database: LedgerDatabase,
  pair: MeterPair,
  wait: { since: Date; now: Date },
): Promise<void> {
  await sql`
    insert into summary_waits as known (customer_id, stripe_meter_id, since, looked_at)
    values (${pair.customerId}, ${pair.stripeMeterId}, ${wait.since}, ${wait.now})
    on conflict (customer_id, stripe_meter_id) do update
      set since = least(known.since, excluded.since), looked_at = excluded.looked_at`.execute(database);
}

export async function endSummaryWait(database: LedgerDatabase, pair: MeterPair): Promise<void> {
  await sql`delete from summary_waits where customer_id = ${pair.customerId}
              and stripe_meter_id = ${pair.stripeMeterId}`.execute(database);
}
