import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { LedgerRow } from '../platform/database/schema/schema.ts';
import type { BillingPair } from './billing-checks.ts';

/** Why Stripe's sum of an hour differs from what it acknowledged. */
export type BillingDriftClass = LedgerRow<'billing_drifts'>['class'];

/** Refused, and only Stripe's sums can say whether it counted: its outcome was never known, or Stripe reported it. */
const IS_UNPROVEN = sql`status = 'refused' and (is_unproven or delivered_at is not null)`;

/** What the ledger knows of one customer, meter and hour. */
export interface PairHour {
  windowStart: Date;
  /** What Stripe acknowledged. */
  acknowledged: bigint;
  firstDeliveredAt: Date | null;
  lastDeliveredAt: Date | null;
  hasPending: boolean;
  /** Pushes of which nothing says whether Stripe counted them. */
  unprovenIds: bigint[];
  /** One of them was not reported by Stripe: only its absence from the sums speaks against it. */
  hasUnknown: boolean;
  /** When the last of them was sent or acknowledged. */
  unprovenTriedAt: Date | null;
  /** Something that Stripe had lost was pushed anew; what was lost may yet appear. */
  hasRecentLoss: boolean;
  /** Pushes that were repairs, or made one necessary: what Stripe shows of the hour is slow or unsteady. */
  repairCount: number;
}

/** Every hour of one pair with pushes, oldest first. */
export async function readPairHours(
  database: LedgerDatabase,
  pair: BillingPair,
  read: { since: Date; lossesSince: Date },
): Promise<PairHour[]> {
  const rows = await sql<Omit<PairHour, 'unprovenIds'> & { unprovenIds: string[] }>`
    select window_start as "windowStart",
      coalesce(sum(delta_token_count) filter (where status = 'delivered'), 0)::bigint as acknowledged,
      min(delivered_at) filter (where status = 'delivered') as "firstDeliveredAt",
      max(delivered_at) filter (where status = 'delivered') as "lastDeliveredAt",
      bool_or(status = 'pending') as "hasPending",
      coalesce(array_agg(meter_push_id::text) filter (where ${IS_UNPROVEN} and written_off_at is null), '{}')
        as "unprovenIds",
      coalesce(bool_or(is_unproven) filter (where ${IS_UNPROVEN} and written_off_at is null), false) as "hasUnknown",
      max(greatest(last_attempt_at, delivered_at)) filter (where ${IS_UNPROVEN} and written_off_at is null)
        as "unprovenTriedAt",
      bool_or(status = 'withdrawn' and coalesce(delivered_at >= ${read.lossesSince}, false)) as "hasRecentLoss",
      (count(*) filter (where offsets_push_id is not null or (status = 'withdrawn' and delivered_at is not null)))::int
        as "repairCount"
    from meter_pushes
    where customer_id = ${pair.customerId} and stripe_meter_id = ${pair.stripeMeterId} and window_start >= ${read.since}
    group by window_start order by window_start`.execute(database);
  return rows.rows.map((row) => ({ ...row, unprovenIds: row.unprovenIds.map(BigInt) }));
}

export interface OpenBillingDrift {
  windowStart: Date;
  firstSeenAt: Date;
}

export async function readOpenBillingDrifts(
  database: LedgerDatabase,
  pair: BillingPair,
): Promise<OpenBillingDrift[]> {
  const rows = await database
    .selectFrom('billing_drifts')
    .select(['window_start', 'first_seen_at'])
    .where('customer_id', '=', pair.customerId)
    .where('stripe_meter_id', '=', pair.stripeMeterId)
    .where('resolved_at', 'is', null)
    .orderBy('window_start')
    .execute();
  return rows.map((row) => ({ windowStart: row.window_start, firstSeenAt: row.first_seen_at }));
}

/**
 * How late Stripe's sums have shown themselves to be in the last 35 days: pushes that were held for lost and then
 * appeared say so. 0 when none did.
 */
export async function readObservedLagMs(database: LedgerDatabase, now: Date): Promise<number> {
  const rows = await sql<{ lag_ms: number }>`
    select coalesce(max(extract(epoch from o.created_at - p.delivered_at)), 0)::float8 * 1000 as lag_ms
    from meter_pushes o join meter_pushes p on p.meter_push_id = o.offsets_push_id
    where o.offsets_push_id is not null and o.created_at > ${now}::timestamptz - interval '35 days'`.execute(
    database,
  );
  return rows.rows[0]?.lag_ms ?? 0;
}

/** One push of an hour that differs. */
export interface HourPush {
  meterPushId: bigint;
  revision: number;
  deltaTokenCount: bigint;
  status: 'pending' | 'delivered' | 'refused' | 'withdrawn';
  isUnproven: boolean;
  /** It takes back what another push had added. */
  isOffset: boolean;
  deliveredAt: Date | null;
}

export async function readHourPushes(
  database: LedgerDatabase,
  pair: BillingPair,
  windowStart: Date,
): Promise<{ pushes: HourPush[]; overwrites: boolean }> {
  const rows = await sql<HourPush & { overwrites: boolean }>`
    select p.meter_push_id as "meterPushId", p.revision, p.delta_token_count as "deltaTokenCount", p.status,
      p.is_unproven as "isUnproven", p.offsets_push_id is not null as "isOffset", p.delivered_at as "deliveredAt",
      m.event_time_window is not distinct from 'hour' as overwrites
    from meter_pushes p left join stripe_meters m on m.stripe_meter_id = p.stripe_meter_id
    where p.customer_id = ${pair.customerId} and p.stripe_meter_id = ${pair.stripeMeterId}
      and p.window_start = ${windowStart} and p.written_off_at is null
    order by p.revision`.execute(database);
  return { pushes: rows.rows, overwrites: rows.rows[0]?.overwrites ?? false };
}

export interface HourVerdict {
  windowStart: Date;
  /** What was acknowledged when Stripe was read. */
  acknowledged: bigint;
  counted: bigint;
  /** Null: they agree. */
  driftClass: BillingDriftClass | null;
  withdrawIds: readonly bigint[];
  confirmIds: readonly bigint[];
  offsetIds: readonly bigint[];
}

/**
 * Commits what reading one pair found, each hour only if nothing was delivered to it since it was read.
 * @param check when the pair is looked at next, and why (null: nothing is in doubt), and up to when pushes are
 *   now known to have counted (null: no more than before)
 * @returns pushes withdrawn, confirmed and offset
 */
export async function commitPairCheck(
  database: LedgerDatabase,
  pair: BillingPair,
  verdicts: readonly HourVerdict[],
  check: { now: Date; agreedAt: Date | null; next: { at: Date; doubt: string } | null },
): Promise<number> {
  return await database.transaction().execute(async (transaction) => {
    let repairCount = 0;
    for (const verdict of verdicts) {
      const acknowledged = await lockAcknowledged(transaction, pair, verdict.windowStart);
      if (acknowledged !== verdict.acknowledged) continue;
      await storeDrift(transaction, pair, verdict, check.now);
      repairCount += await repair(transaction, verdict, check.now);
    }
    await sql`
      insert into billing_checks as known (customer_id, stripe_meter_id, checked_at, agreed_at, next_check_at, doubt)
      values (${pair.customerId}, ${pair.stripeMeterId}, ${check.now}, ${check.agreedAt}, ${check.next?.at ?? null}, ${check.next?.doubt ?? null})
      on conflict (customer_id, stripe_meter_id) do update
        set checked_at = excluded.checked_at, agreed_at = greatest(known.agreed_at, excluded.agreed_at),
            next_check_at = excluded.next_check_at, doubt = excluded.doubt`.execute(transaction);
    return repairCount;
  });
}

async function lockAcknowledged(
  transaction: LedgerTransaction,
  pair: BillingPair,
  windowStart: Date,
): Promise<bigint> {
  const rows = await sql<{ status: string; delta: bigint }>`
    select status, delta_token_count as delta from meter_pushes
    where customer_id = ${pair.customerId} and stripe_meter_id = ${pair.stripeMeterId} and window_start = ${windowStart}
    order by meter_push_id for update`.execute(transaction);
  return rows.rows.reduce((sum, row) => (row.status === 'delivered' ? sum + row.delta : sum), 0n);
}

async function storeDrift(
  transaction: LedgerTransaction,
  pair: BillingPair,
  verdict: HourVerdict,
  now: Date,
): Promise<void> {
  if (verdict.driftClass === null) {
    await sql`update billing_drifts set resolved_at = ${now}
              where customer_id = ${pair.customerId} and stripe_meter_id = ${pair.stripeMeterId}
                and window_start = ${verdict.windowStart} and resolved_at is null`.execute(transaction);
    return;
  }
  await sql`
    insert into billing_drifts as known (customer_id, stripe_meter_id, window_start, acknowledged_value, counted_value,
      class, first_seen_at, last_seen_at)
    values (${pair.customerId}, ${pair.stripeMeterId}, ${verdict.windowStart}, ${verdict.acknowledged}, ${verdict.counted},
      ${verdict.driftClass}, ${now}, ${now})
    on conflict (customer_id, stripe_meter_id, window_start) do update
      set acknowledged_value = excluded.acknowledged_value, counted_value = excluded.counted_value,
          class = excluded.class, last_seen_at = excluded.last_seen_at, resolved_at = null,
          -- Another difference than the one before begins anew, and so does one that had gone.
          first_seen_at = case when known.resolved_at is not null
              or known.acknowledged_value - known.counted_value <> excluded.acknowledged_value - excluded.counted_value
            then excluded.first_seen_at else known.first_seen_at end`.execute(transaction);
}

async function repair(transaction: LedgerTransaction, verdict: HourVerdict, now: Date): Promise<number> {
  const ids = (list: readonly bigint[]) => sql`any(${list.map(String)}::bigint[])`;
  const withdrawn = await sql<{ id: string }>`
    with withdrawn as (
      update meter_pushes set status = 'withdrawn', is_unproven = false,
        last_error = 'lost: Stripe does not count it'
      where meter_push_id = ${ids(verdict.withdrawIds)} and (status = 'delivered' or (${IS_UNPROVEN}))
      returning meter_push_id),
    freed as (
      update hourly_usage h set meter_push_id = null, customer_id = null from withdrawn
      where h.meter_push_id = withdrawn.meter_push_id returning 1)
    select meter_push_id::text as id from withdrawn cross join (select count(*) from freed) as all_of_them`.execute(
    transaction,
  );
  const confirmed = await sql`
    update meter_pushes set status = 'delivered', delivered_at = ${now}, is_unproven = false, last_error = null
    where meter_push_id = ${ids(verdict.confirmIds)} and ${IS_UNPROVEN}`.execute(transaction);
  const counted = await sql<{ id: string }>`
    update meter_pushes set status = 'delivered', last_error = null
    where meter_push_id = ${ids(verdict.offsetIds)} and status = 'withdrawn'
    returning meter_push_id::text as id`.execute(transaction);
  await planOffsets(
    transaction,
    counted.rows.map((row) => row.id),
    withdrawn.rows.map((row) => row.id),
    now,
  );
  return withdrawn.rows.length + Number(confirmed.numAffectedRows ?? 0n) + counted.rows.length;
}

/**
 * Commits a push for each of `countedIds` that takes back what it adds, and one anew for each of `lostIds` that
 * was itself such a push: no settled usage stands behind it that would be planned again.
 */
async function planOffsets(
  transaction: LedgerTransaction,
  countedIds: readonly string[],
  lostIds: readonly string[],
  now: Date,
): Promise<void> {
  if (countedIds.length + lostIds.length === 0) return;
  await sql`
    with wanted as (
      select p.*, -p.delta_token_count as delta, p.meter_push_id as taken_back
      from meter_pushes p where p.meter_push_id = any(${countedIds}::bigint[])
      union all
      select p.*, p.delta_token_count, p.offsets_push_id
      from meter_pushes p where p.meter_push_id = any(${lostIds}::bigint[]) and p.offsets_push_id is not null),
    numbered as (
      select wanted.*, (last.revision + row_number() over in_order)::int as next_revision,
        (last.total + sum(wanted.delta) over in_order)::bigint as next_total
      from wanted cross join lateral (
        select max(p.revision) as revision,
          coalesce(sum(p.delta_token_count) filter (where p.status in ('pending', 'delivered')), 0) as total
        from meter_pushes p where p.customer_id = wanted.customer_id
          and p.stripe_meter_id = wanted.stripe_meter_id and p.window_start = wanted.window_start) last
      window in_order as (order by wanted.meter_push_id))
    insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
      delta_token_count, total_token_count, sent_value, event_timestamp, identifier, created_at, offsets_push_id)
    select customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, next_revision, delta, next_total,
      delta, event_timestamp,
      'tallystick_' || left(encode(sha256(convert_to(concat_ws('|', customer_id, stripe_meter_id,
        extract(epoch from window_start)::bigint, next_revision), 'UTF8')), 'hex'), 48), ${now}, taken_back
    from numbered`.execute(transaction);
}
