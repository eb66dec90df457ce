import { sql } from 'kysely';
import { addMs } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** One customer and one meter: what a Stripe summary is asked for. */
export interface BillingPair {
  customerId: string;
  stripeCustomerId: string;
  stripeMeterId: string;
  /** Pushes delivered by then were in a total on which Stripe agreed; null before the first agreement. */
  agreedAt: Date | null;
}

/** Usage that Stripe no longer takes needs no early warning; it is reported when it is found. */
const SAMPLED_BACK = '35 days';

const PAIR = sql`p.customer_id as "customerId", p.stripe_customer_id as "stripeCustomerId",
  p.stripe_meter_id as "stripeMeterId", c.agreed_at as "agreedAt"`;

/**
 * The next pairs of a sample. `tokens`: those with most tokens delivered since they last agreed, so that a read
 * proves as much as it can. `rotation`: those looked at longest ago, so that every pair has its turn.
 * @param deliveredBefore younger deliveries may not be in Stripe's sums yet
 */
export async function samplePairs(
  database: LedgerDatabase,
  sample: { by: 'tokens' | 'rotation'; now: Date; deliveredBefore: Date; limit: number },
): Promise<BillingPair[]> {
  const order =
    sample.by === 'tokens'
      ? sql`sum(abs(p.delta_token_count)) desc, p.customer_id, p.stripe_meter_id`
      : sql`c.checked_at nulls first, md5(p.customer_id || ' ' || p.stripe_meter_id)`;
  const rows = await sql<BillingPair>`
    select ${PAIR}
    from meter_pushes p
    left join billing_checks c on c.customer_id = p.customer_id and c.stripe_meter_id = p.stripe_meter_id
    where p.stripe_meter_id not like 'legacy:%' and p.status = 'delivered' and p.delivered_at <= ${sample.deliveredBefore}
      and p.window_start >= ${sample.now}::timestamptz - ${SAMPLED_BACK}::interval
      and p.delivered_at > coalesce(c.agreed_at, '-infinity') and c.next_check_at is null
    group by p.customer_id, p.stripe_customer_id, p.stripe_meter_id, c.agreed_at, c.checked_at
    order by ${order} limit ${sample.limit}`.execute(database);
  return rows.rows;
}

/** Pairs that something gave reason to look at, whose time has come; the longest due first. */
export async function findDoubtedPairs(
  database: LedgerDatabase,
  due: { now: Date; limit: number },
): Promise<BillingPair[]> {
  const rows = await sql<BillingPair>`
    select c.customer_id as "customerId", p.stripe_customer_id as "stripeCustomerId",
      c.stripe_meter_id as "stripeMeterId", c.agreed_at as "agreedAt"
    from billing_checks c
    join lateral (select stripe_customer_id from meter_pushes p
      where p.customer_id = c.customer_id and p.stripe_meter_id = c.stripe_meter_id
      order by meter_push_id desc limit 1) p on true
    where c.next_check_at <= ${due.now}
    order by c.next_check_at, c.customer_id, c.stripe_meter_id limit ${due.limit}`.execute(database);
  return rows.rows;
}

/** Every pair with pushes in a window, of one customer or of all. */
export async function findPairsOfWindow(
  database: LedgerDatabase,
  query: { start: Date; end: Date; customerId: string | null },
): Promise<BillingPair[]> {
  const rows = await sql<BillingPair>`
    select ${PAIR}
    from meter_pushes p
    left join billing_checks c on c.customer_id = p.customer_id and c.stripe_meter_id = p.stripe_meter_id
    where p.stripe_meter_id not like 'legacy:%' and p.window_start >= ${query.start} and p.window_start < ${query.end}
      and (${query.customerId}::text is null or p.customer_id = ${query.customerId})
    group by p.customer_id, p.stripe_customer_id, p.stripe_meter_id, c.agreed_at, c.checked_at
    order by c.checked_at nulls first, sum(abs(p.delta_token_count)) desc, p.customer_id, p.stripe_meter_id`.execute(
    database,
  );
  return rows.rows;
}

/**
 * Doubts the pairs that something speaks against and nobody looks at yet: pushes of unknown outcome, meters of
 * which Stripe reported errors (those with most tokens of the day before first, for it names no customers; looked at
 * once Stripe's sums must show what it counted), and
 * invoices that bill less or more than was delivered.
 * @returns pairs newly doubted
 */
export async function raiseDoubts(
  database: LedgerDatabase,
  raise: { now: Date; pairsPerReport: number; summaryLagMs: number },
): Promise<number> {
  const { now } = raise;
  const lookAt = addMs(now, raise.summaryLagMs);
  return await database.transaction().execute(async (transaction) => {
    const result = await sql`
      with report as (
        update webhook_events set reconciled_at = ${now}
        where reconciled_at is null and event_type like 'v1.billing.meter.%'
        returning related_object_id, received_at),
      reported as (
        select pair.customer_id, pair.stripe_meter_id, 'error report' as doubt from report
        cross join lateral (
          select customer_id, stripe_meter_id from meter_pushes p
          where p.stripe_meter_id = report.related_object_id and p.status in ('delivered', 'refused')
            and p.delivered_at > report.received_at - interval '1 day'
          group by customer_id, stripe_meter_id order by sum(abs(delta_token_count)) desc
          limit ${raise.pairsPerReport}) pair),
      doubted as (
        select customer_id, stripe_meter_id, doubt from reported
        union all select customer_id, stripe_meter_id, 'push of unknown outcome' from meter_pushes
          where status = 'refused' and is_unproven and written_off_at is null
        union all select customer_id, stripe_meter_id, 'invoice' from invoice_quantities
          where not agrees and judged_at = ${now})
      insert into billing_checks as known (customer_id, stripe_meter_id, next_check_at, doubt)
      select customer_id, stripe_meter_id,
        case when min(doubt) = 'error report' and max(doubt) = 'error report' then ${lookAt}::timestamptz else ${now}::timestamptz end,
        min(doubt)
      -- Usage records cannot be read back by the hour.
      from doubted where stripe_meter_id not like 'legacy:%' group by 1, 2 order by 1, 2
      on conflict (customer_id, stripe_meter_id) do update
        set next_check_at = excluded.next_check_at, doubt = excluded.doubt
        -- One look does for what has not changed since: an unproven push stays what it is for long.
        where known.next_check_at is null
          and (excluded.doubt <> 'push of unknown outcome' or known.checked_at is null
               or known.checked_at < ${now}::timestamptz - interval '1 day')`.execute(transaction);
    return Number(result.numAffectedRows ?? 0n);
  });
}
