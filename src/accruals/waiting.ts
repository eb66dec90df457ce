import { sql } from 'kysely';
import type { AccrualInvoice } from '../../pricing/accruals/span.ts';
import { CARRY_TO_NEXT_INVOICE } from '../billing/meter-pushes.ts';
import { UNINVOICED } from '../billing/uninvoiced/groups.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { KEY_METADATA_KEY } from '../stripe/closing/port.ts';
import { countedTokens } from '../usage/columns.ts';
import { type OfInvoice, relevantInvoices, withInvoice } from './spans.ts';

/** Tokens that no invoice can have yet, and why. */
export interface WaitingTokens {
  /** Empty: of subjects of no customer. */
  customerId: string;
  /** Null: of a customer whose currency nobody knows. */
  currency: string | null;
  place: 'due' | 'quarantined' | 'written_off';
  reason: string;
  before: bigint;
  window: bigint;
}

/**
 * What these customers' usage waits for: in quarantine, given up within the window, or not settled yet.
 * @param customerIds the empty text: subjects of no customer
 */
export async function readWaitingTokens(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  { start, end }: TimeWindow,
): Promise<WaitingTokens[]> {
  const ids = sql`any(${[...customerIds]}::text[])`;
  const quarantined = await sql<WaitingTokens>`
    with entry as (
      select coalesce(q.customer_id, '') as customer_id, q.reason, q.written_off_at is not null as is_given_up, q.event_time, q.token_count
      from quarantine_entries q
      where q.is_counted and (q.event_time is null or q.event_time < ${end}) and coalesce(q.customer_id, '') = ${ids}
        -- These have an amount, and a place of their own.
        and (q.written_off_at is not null or q.stage <> 'hourly_usage' or q.reason not in (${CARRY_TO_NEXT_INVOICE}, ${UNINVOICED})))
    select entry.customer_id as "customerId", c.currency, case when is_given_up then 'written_off' else 'quarantined' end as place, reason,
      coalesce(sum(token_count) filter (where event_time is null or event_time < ${start}), 0)::bigint as before,
      coalesce(sum(token_count) filter (where event_time >= ${start}), 0)::bigint as window
    from entry left join customers c on c.customer_id = entry.customer_id
    group by 1, 2, 3, 4 order by 1, 3, 4`.execute(snapshot);
  const unsettled = await sql<WaitingTokens>`
    with hour as (select window_start from settlements where status = 'open' and window_start < ${end}),
    known as (
      select coalesce(s.customer_id, '') as customer_id, e.window_start, ${countedTokens()} as token_count
      from usage_events e left join subjects s on s.subject = e.subject
      where e.window_start in (select window_start from hour) and e.kind = 'usage' and e.status <> 'quarantined'
      union all
      select coalesce(h.customer_id, s.customer_id, ''), h.window_start, -h.delta_token_count
      from hourly_usage h left join subjects s on s.subject = h.subject
      where h.window_start in (select window_start from hour))
    select known.customer_id as "customerId", c.currency, 'due' as place, 'not_settled' as reason,
      coalesce(sum(token_count) filter (where window_start < ${start}), 0)::bigint as before,
      coalesce(sum(token_count) filter (where window_start >= ${start}), 0)::bigint as window
    from known left join customers c on c.customer_id = known.customer_id
    where known.customer_id = ${ids} group by 1, 2 order by 1`.execute(snapshot);
  return [...quarantined.rows, ...unsettled.rows];
}

/** A line of a final invoice that is for no usage: a fee, a top-up to a minimum, an item of somebody else's. */
export interface FixedLine {
  customerId: string;
  currency: string;
  subscriptionId: string | null;
  description: string;
  period: TimeWindow;
  amountMinor: bigint;
  invoice: AccrualInvoice;
}

/** Of invoices that were final within the window, or are of its time. */
export async function readFixedLines(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  window: TimeWindow,
): Promise<FixedLine[]> {
  const rows = await sql<Omit<FixedLine, 'period' | 'invoice'> & OfInvoice>`
    select v.customer_id as "customerId", v.currency, v.subscription_id as "subscriptionId", l.description, l.period_start as start,
      l.period_end as end, l.amount_minor as "amountMinor", v.invoice_id as "invoiceId", v.number, v.finalized_at as "finalizedAt"
    from (${relevantInvoices(customerIds, window)}) v
    join invoice_readings r on r.invoice_id = v.invoice_id and r.status <> 'draft'
    join invoice_lines l on l.invoice_id = v.invoice_id and l.stripe_meter_id is null
    where v.finalized_at < ${window.end} and not exists (
      select 1 from late_items item where item.invoice_id = l.invoice_id and item.state <> 'taken_back'
        and (item.invoice_item_id = l.invoice_item_id or item.idempotency_key = l.metadata->>${KEY_METADATA_KEY}))
    order by v.invoice_id, l.position`.execute(snapshot);
  return rows.rows.map(withInvoice);
}
