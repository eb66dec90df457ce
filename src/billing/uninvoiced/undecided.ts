import { type RawBuilder, sql } from 'kysely';
import type {
  FateFacts,
  FateInvoice,
  FateSubscription,
  InvoiceStanding,
} from '../../../pricing/closing/fate.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/** Of `meter_pushes` under this alias: whether it is delivered, and nothing is known of its invoice. */
export function isAwaiting(alias: string): RawBuilder<boolean> {
  return sql<boolean>`${sql.ref(`${alias}.status`)} = 'delivered' and ${sql.ref(`${alias}.fate`)} is null`;
}

/** A final invoice may be known as such by its reading before the catalog shows it. */
const IS_DRAFT = sql`v.status = 'draft' and coalesce(r.status, 'draft') = 'draft'`;

/**
 * Of items `i` of a meter and active ones `s` of the same subscription: since when the running period runs that `i` is, or
 * was, billed with. An item that got another price begins its own period anew; others of the same end tell.
 */
const RUNNING_SINCE = sql`coalesce(min(s.current_period_start) filter (where i.active and s.current_period_end = i.current_period_end),
  min(s.current_period_start))`;

/** Usage that was delivered to a customer's meter, and that no draft and no running period holds. */
export interface UndecidedPair {
  customerId: string;
  stripeMeterId: string;
  /** When the oldest of it was. */
  since: Date;
}

/**
 * Pairs of customer and meter with delivered usage for which there is no plain hope, in their order after a given one. It
 * costs a few index look-ups for each pair that awaits an invoice at all, however long its history.
 */
export async function readUndecidedPairs(
  database: LedgerDatabase,
  page: {
    after: UndecidedPair | null;
    limit: number;
    /** Only of these. */
    customerIds?: readonly string[] | undefined;
  },
): Promise<UndecidedPair[]> {
  const { after, customerIds } = page;
  const among = customerIds === undefined ? sql`true` : sql`p.customer_id = any(${[...customerIds]}::text[])`;
  const next = (than: RawBuilder<unknown>) => sql`
    select p.customer_id, p.stripe_meter_id from meter_pushes p
    where ${isAwaiting('p')} and ${among} and (p.customer_id, p.stripe_meter_id) > ${than}
    order by p.customer_id, p.stripe_meter_id limit 1`;
  const rows = await sql<UndecidedPair>`
    with recursive pair as (
      (${next(sql`(${after?.customerId ?? ''}, ${after?.stripeMeterId ?? ''})`)})
      union all
      select more.* from pair cross join lateral (${next(sql`(pair.customer_id, pair.stripe_meter_id)`)}) more),
    placed as (
      select pair.*, tstzmultirange(tstzrange(null, null)) - coalesce(hope.spans, '{}') + coalesce(told.spans, '{}') as spans
      from pair
      cross join lateral (
        select range_agg(span) as spans from (
          select tstzrange(${RUNNING_SINCE}, null) as span
          from subscription_items i join subscription_items s on s.subscription_id = i.subscription_id and s.active
          where i.customer_id = pair.customer_id and i.stripe_meter_id = pair.stripe_meter_id
          group by i.subscription_id
          union all
          select tstzrange(v.period_start, v.period_end)
          from invoices v left join invoice_readings r on r.invoice_id = v.invoice_id
          where v.customer_id = pair.customer_id and ${IS_DRAFT} and v.period_start < v.period_end
            and exists (select 1 from subscription_items i where i.customer_id = pair.customer_id
              and i.stripe_meter_id = pair.stripe_meter_id and i.subscription_id = v.subscription_id)) spans) hope
      -- A period that still runs may have an invoice already, made when a price changed or by a threshold.
      cross join lateral (
        select range_agg(case when coalesce(r.status, 'draft') = 'draft' then tstzrange(v.period_start, v.period_end)
          else tstzrange(l.period_start, l.period_end) end) as spans
        from subscription_items i
        join subscription_items s on s.subscription_id = i.subscription_id and s.active
        join invoices v on v.customer_id = i.customer_id and v.subscription_id = i.subscription_id
          and v.period_end > s.current_period_start and v.status in ('open', 'paid', 'uncollectible')
        left join invoice_readings r on r.invoice_id = v.invoice_id
        left join invoice_lines l on l.invoice_id = v.invoice_id and l.stripe_meter_id = i.stripe_meter_id and l.period_start < l.period_end
        where i.customer_id = pair.customer_id and i.stripe_meter_id = pair.stripe_meter_id and i.active
          and v.period_start < v.period_end) told)
    select placed.customer_id as "customerId", placed.stripe_meter_id as "stripeMeterId", min(oldest.at) as since
    from placed cross join lateral unnest(placed.spans) as stretch(span)
    cross join lateral (
      select p.event_timestamp as at from meter_pushes p
      where p.customer_id = placed.customer_id and p.stripe_meter_id = placed.stripe_meter_id and ${isAwaiting('p')}
        and p.event_timestamp >= coalesce(lower(stretch.span), '-infinity') and p.event_timestamp < coalesce(upper(stretch.span), 'infinity')
      order by p.event_timestamp limit 1) oldest
    group by 1, 2 order by 1, 2 limit ${page.limit}`.execute(database);
  return rows.rows;
}

interface RawSubscription extends Omit<FateSubscription, 'items'> {
  customerId: string;
  stripeMeterId: string;
  items: { startedAt: string; endsAt: string | null; periodStart: string; trialEndsAt: string | null }[];
}
interface RawInvoice extends Omit<FateInvoice, 'period' | 'lines'> {
  customerId: string;
  start: Date;
  end: Date;
  lines: { meter: string; start: string; end: string }[] | null;
}

/** The facts of each of these pairs, in their order: a statement for subscriptions and one for invoices. */
export async function readFateFacts(
  database: LedgerDatabase,
  pairs: readonly UndecidedPair[],
  now: Date,
): Promise<FateFacts[]> {
  const given = sql`unnest(${pairs.map((pair) => pair.customerId)}::text[], ${pairs.map((pair) => pair.stripeMeterId)}::text[],
    ${pairs.map((pair) => pair.since.toISOString())}::timestamptz[]) as pair(customer_id, stripe_meter_id, since)`;
  const subscriptions = await sql<RawSubscription>`
    select i.customer_id as "customerId", i.stripe_meter_id as "stripeMeterId", i.subscription_id as "subscriptionId",
      life.is_alive as "isAlive", case when not life.is_alive then life.ended_at end as "endedAt",
      running.running_since as "runningSince",
      jsonb_agg(jsonb_build_object('startedAt', coalesce(i.started_at, '-infinity'), 'endsAt', case when i.active then null else i.ends_at end,
        'periodStart', i.current_period_start, 'trialEndsAt', i.trial_ends_at)) as items
    from ${given} join subscription_items i on i.customer_id = pair.customer_id and i.stripe_meter_id = pair.stripe_meter_id
    cross join lateral (
      select i.subscription_id, bool_or(s.active) as is_alive, max(coalesce(s.ends_at, s.synced_at)) as ended_at
      from subscription_items s where s.subscription_id = i.subscription_id) life
    cross join lateral (
      select ${RUNNING_SINCE} as running_since from subscription_items i join subscription_items s on s.subscription_id = i.subscription_id and s.active
      where i.customer_id = pair.customer_id and i.stripe_meter_id = pair.stripe_meter_id and i.subscription_id = life.subscription_id) running
    group by 1, 2, 3, life.is_alive, life.ended_at, running.running_since
    order by 1, 2, max(i.current_period_end) desc, 3`.execute(database);
  const invoices = await sql<RawInvoice>`
    select v.customer_id as "customerId", v.invoice_id as "invoiceId", v.subscription_id as "subscriptionId",
      v.period_start as start, v.period_end as end, ${invoiceStanding()} as standing,
      (select jsonb_agg(jsonb_build_object('meter', l.stripe_meter_id, 'start', l.period_start, 'end', l.period_end))
        from invoice_lines l where l.invoice_id = v.invoice_id and l.stripe_meter_id is not null
          and l.period_start < l.period_end) as lines
    from (select customer_id, min(since) as since from ${given} group by 1) pair
    join invoices v on v.customer_id = pair.customer_id and v.period_end > pair.since
    left join invoice_readings r on r.invoice_id = v.invoice_id
    left join invoice_choices c on c.invoice_id = v.invoice_id
    order by 1, v.period_start, 2`.execute(database);
  const deleted = await sql<{ customerId: string }>`
    select customer_id as "customerId" from customers
    where customer_id = any(${pairs.map((pair) => pair.customerId)}::text[]) and deleted_at is not null`.execute(
    database,
  );
  const gone = new Set(deleted.rows.map((row) => row.customerId));
  const byPair = Map.groupBy(subscriptions.rows, (row) => `${row.customerId} ${row.stripeMeterId}`);
  const byCustomer = Map.groupBy(invoices.rows, (row) => row.customerId);
  return pairs.map(({ customerId, stripeMeterId }) => ({
    isCustomerDeleted: gone.has(customerId),
    subscriptions: (byPair.get(`${customerId} ${stripeMeterId}`) ?? []).map(toSubscription),
    invoices: (byCustomer.get(customerId) ?? []).map((row) => toInvoice(row, stripeMeterId)),
    now,
  }));
}

/**
 * Of `invoices v` with their readings `r` and choices `c`. Uncollectible is a debt, not a mistake: it stays invoiced until a
 * person says otherwise, and what a person says is invoiced is, whatever became of its invoice.
 */
export function invoiceStanding(): RawBuilder<InvoiceStanding> {
  return sql<InvoiceStanding>`case
    when v.status = 'deleted' then 'deleted'
    when ${IS_DRAFT} then 'draft'
    when coalesce(r.status, 'draft') = 'draft' and v.status <> 'void' then 'unread'
    when c.choice = 'invoiced' then 'final'
    when v.status = 'void' then 'voided'
    when ${isCreditedInFull()} then 'credited'
    when v.status = 'uncollectible' and c.choice is not null then 'uncollectible'
    else 'final' end`;
}

/**
 * Of `invoices v`: whether credit notes gave all of it back. Where those that give back what was billed beyond the usage come to
 * all of it, nothing was used, and what they took back is told already.
 */
export function isCreditedInFull(): RawBuilder<boolean> {
  return sql<boolean>`(v.total_minor > 0 and v.credited_minor >= v.total_minor and v.total_minor > (
    select coalesce(sum(given.credited_minor), 0) from credit_proposals given
    where given.invoice_id = v.invoice_id and given.state = 'created'))`;
}

/** Of which subscription and period an invoice is. */
export interface InvoiceTarget {
  invoiceId: string;
  customerId: string;
  subscriptionId: string;
  currency: string;
  periodStart: Date;
}

/** Those that are of a subscription. */
export async function readInvoiceTargets(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<InvoiceTarget[]> {
  const rows = await sql<InvoiceTarget>`
    select invoice_id as "invoiceId", customer_id as "customerId", subscription_id as "subscriptionId", currency,
      period_start as "periodStart"
    from invoices where invoice_id = any(${[...invoiceIds]}::text[]) and subscription_id is not null order by 1`.execute(
    database,
  );
  return rows.rows;
}

function toSubscription({
  subscriptionId,
  isAlive,
  endedAt,
  runningSince,
  items,
}: RawSubscription): FateSubscription {
  const instant = (text: string | null) => (text === null ? null : new Date(text));
  return {
    subscriptionId,
    isAlive,
    endedAt,
    runningSince,
    items: items.map((item) => ({
      startedAt: item.startedAt === '-infinity' ? new Date(0) : new Date(item.startedAt),
      endsAt: instant(item.endsAt),
      periodStart: new Date(item.periodStart),
      trialEndsAt: instant(item.trialEndsAt),
    })),
  };
}

function toInvoice(
  { invoiceId, subscriptionId, standing, start, end, lines }: RawInvoice,
  stripeMeterId: string,
): FateInvoice {
  return {
    invoiceId,
    subscriptionId,
    standing,
    period: { start, end },
    lines: (lines ?? [])
      .filter((line) => line.meter === stripeMeterId)
      .map((line) => ({ start: new Date(line.start), end: new Date(line.end) })),
  };
}
