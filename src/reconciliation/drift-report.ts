import { sql } from 'kysely';
import { FIGURES, TOKEN_TYPES, type TokenType, TYPED_FIGURES } from '../../pricing/usage/shape.ts';
import { isStranded } from '../billing/late-items.ts';
import { UNINVOICED } from '../billing/uninvoiced/groups.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import {
  keyColumns,
  sameKey,
  sumItemTokens,
  sumTypedFigures,
  tokenParts,
  typedColumns,
} from '../usage/columns.ts';
import { isItemCountedFormerly } from '../usage/events/counted-formerly.ts';
import { countedKeyColumns, countedKeyValues } from '../usage/name-keys.ts';

/** Why a customer-hour's source and bill differ; `quarantined` and `uninvoiced` usage wait with a reason of their own. */
export const DRIFT_REPORT_CLASSES = [
  'still_due',
  'late',
  'lost_in_openmeter',
  'counted_twice',
  'push_unconfirmed',
  'refused_by_stripe',
  'counts_disagree',
  'uninvoiced',
  'quarantined',
  'unexplained',
] as const;
type DriftReportClass = (typeof DRIFT_REPORT_CLASSES)[number];

/** One customer, hour and token type, from telemetry to bill. Counts are tokens. */
export interface DriftRow {
  windowStart: Date;
  /** Empty for subjects of no customer. */
  customerId: string;
  tokenType: TokenType;
  /** Collected, also what is in quarantine. */
  source: bigint;
  /** What OpenMeter held when it was last read. */
  metered: bigint;
  /** On final invoices. */
  invoiced: bigint;
  /** What Stripe acknowledged and no final invoice has yet, less or more what its sums were read to differ. */
  awaitingInvoice: bigint;
  due: bigint;
  /** Waiting with a reason. */
  quarantined: bigint;
  /** Delivered, and on no invoice. */
  uninvoiced: bigint;
  /** Given up by a person. */
  writtenOff: bigint;
  /** source less all of these but `metered`: what nothing in the ledger accounts for. */
  difference: bigint;
  /** Null: all agree. */
  driftClass: DriftReportClass | null;
  since: Date | null;
}

export interface DriftReportQuery {
  window: TimeWindow;
  customerId: string | null;
  /** Also rows in which all agree. */
  withAgreeing: boolean;
  after: { windowStart: Date; customerId: string; tokenType: string } | null;
  limit: number;
}

/** By key and hour, because cached tokens are a part of prompt there and nowhere else. */
const KEY = sql`window_start, ${keyColumns()}`;

/** What a meter was last read to hold where it drifts, and else what the ledger sent. */
const METERED = sql.raw(
  TYPED_FIGURES.map((name) => {
    const { column, meterSlug } = FIGURES[name];
    return `coalesce(max(metered_value) filter (where meter_slug = '${meterSlug}'), max(e.${column}), 0) as ${column}`;
  }).join(', '),
);

/** Where tokens are that are due no more, each a column of the sums. */
const PLACE_NAMES = ['invoiced', 'awaiting', 'held', 'uninvoiced', 'written_off'] as const;
const PLACES = sql.raw(
  PLACE_NAMES.map(
    (place) => `coalesce(sum(placed) filter (where place = '${place}'), 0)::bigint as ${place}`,
  ).join(', '),
);
const ACCOUNTED = sql.raw(`(${PLACE_NAMES.join(' + ')})`);

/** Reads one page of the report, ordered by hour, customer and token type, in one statement. */
export async function readDriftReport(
  database: LedgerDatabase,
  query: DriftReportQuery,
): Promise<DriftRow[]> {
  const { start, end } = query.window;
  const inWindow = (column: string) => sql`${sql.ref(column)} >= ${start} and ${sql.ref(column)} < ${end}`;
  const rows = await sql<DriftRow>`
    with items as (
      select date_trunc('hour', event_time, 'UTC') as window_start, ${countedKeyColumns('i')},
        quarantine_reason is not null as is_held, written_off_at is not null as is_given_up, quarantine_reason is not null as may_disagree,
        ${isItemCountedFormerly('i', query.window)} as counted_formerly, ${sumItemTokens('i')}, min(ingested_at) as since
      from source_items i
      where event_day >= ${start}::timestamptz::date - 1 and event_day <= ${end}::timestamptz::date + 1 and ${inWindow('event_time')}
      group by 1, ${countedKeyValues('i')}, is_held, is_given_up, counted_formerly
      union all
      select ${KEY}, false, false, false, counted_formerly, ${typedColumns()}, first_ingested_at
      from dropped_item_sums where ${inWindow('window_start')}),
    events as (
      select ${KEY}, status = 'quarantined' as is_held, written_off_at is not null as is_given_up, status = 'quarantined' as may_disagree, counted_formerly,
        ${sumTypedFigures()}, min(created_at) as since
      from usage_events where ${inWindow('window_start')} and kind = 'usage'
      group by ${KEY}, status = 'quarantined', is_given_up, counted_formerly),
    sent as (
      select ${KEY}, bool_or(counted_formerly) as counted_formerly, ${sumTypedFigures()}
      from events where not is_held group by ${KEY}),
    drifting as (
      select d.window_start, ${keyColumns('d')}, ${METERED}, coalesce(bool_or(e.counted_formerly), false) as counted_formerly,
        -- What was lost of one figure and not of another.
        true as may_disagree, max(d.class) as class, min(d.first_seen_at) as since
      from drifts d left join sent e on e.window_start = d.window_start and ${sameKey('e', 'd')}
      where ${inWindow('d.window_start')} and d.resolved_at is null
      group by d.window_start, ${keyColumns('d')}),
    hourly as (
      select h.window_start, ${keyColumns('h')}, h.token_type, h.delta_token_count,
        -- What an item of a later invoice bills, or a credit note gave back, is billed.
        case when l.late_item_id is null and c.credit_proposal_id is null then h.quarantine_reason end as quarantine_reason,
        case when l.state = 'invoiced' or c.credit_proposal_id is not null or (p.status = 'delivered' and p.fate = 'invoiced') then 'invoiced'
          when l.state = 'created' or ${isStranded('l')} or p.status = 'delivered' then 'awaiting'
          when p.status = 'refused' or (h.quarantine_reason is not null and l.late_item_id is null) then
            case when coalesce(h.written_off_at, p.written_off_at) is not null then 'written_off'
              when h.quarantine_reason = ${UNINVOICED} then 'uninvoiced' else 'held' end end as place,
        p.status = 'refused' as is_refused, p.is_unproven
      from hourly_usage h left join meter_pushes p on p.meter_push_id = h.meter_push_id
      left join late_items l on l.late_item_id = h.late_item_id
      left join credit_proposals c on c.credit_proposal_id = h.credit_proposal_id and c.state = 'created'
      where ${inWindow('h.window_start')}),
    -- One row for each thing known, in the columns of the report; summed below.
    figures as (
      select t.window_start, t.subject, part.token_type, part.tokens as source, 0::numeric as metered, 0::numeric as due,
        case when t.is_held then case when t.is_given_up then 'written_off' else 'held' end end as place,
        case when t.is_held then part.tokens else 0 end as placed, null::text as class, t.since,
        false as is_refused, false as is_unproven
      from items t, ${tokenParts('t')} where part.tokens <> 0
      union all
      select t.window_start, t.subject, part.token_type, 0, 0, case when t.is_held then 0 else part.tokens end,
        case when t.is_held then case when t.is_given_up then 'written_off' else 'held' end end,
        case when t.is_held then part.tokens else 0 end, null, null, false, false
      from events t, ${tokenParts('t')} where part.tokens <> 0
      union all
      select t.window_start, t.subject, part.token_type, 0, part.tokens, 0, null, 0,
        -- Just seen, and not looked into yet: the repair waits for what is only late.
        coalesce(t.class, 'still_due'), t.since, false, false
      from drifting t, ${tokenParts('t')}
      union all
      select h.window_start, h.subject, h.token_type, 0,
        case when exists (select 1 from drifting d where d.window_start = h.window_start
          and ${sameKey('d', 'h')}) then 0 else h.delta_token_count end,
        -- Settled is no longer due as an event, and due as a push until it is delivered or held.
        case when h.place is not null then -h.delta_token_count else 0 end,
        h.place, case when h.place is not null then h.delta_token_count else 0 end,
        null, null, coalesce(h.is_refused, false), coalesce(h.is_unproven, false)
      from hourly h),
    placed as (
      select f.window_start, coalesce(s.customer_id, '') as customer_id, f.token_type, f.source, f.metered, f.due,
        f.place, f.placed, f.class, f.since, f.is_refused, f.is_unproven, false as is_of_bill
      from figures f left join subjects s on s.subject = f.subject
      where ${query.customerId}::text is null or s.customer_id = ${query.customerId}
      union all
      select b.window_start, b.customer_id, coalesce(fed.token_type, ${TOKEN_TYPES[0]}), 0, 0, 0, 'awaiting',
        case when acknowledged.value = b.acknowledged_value then b.counted_value - b.acknowledged_value else 0 end,
        b.class, b.first_seen_at, false, false, true
      from billing_drifts b
      -- A meter that several token types feed shows its difference under the one with most tokens.
      left join lateral (
        select h.token_type from hourly_usage h join meter_pushes p on p.meter_push_id = h.meter_push_id
        where p.customer_id = b.customer_id and p.stripe_meter_id = b.stripe_meter_id and p.window_start = b.window_start
        group by h.token_type order by sum(h.delta_token_count) desc limit 1) fed on true
      cross join lateral (
        select coalesce(sum(p.delta_token_count), 0) as value from meter_pushes p
        where p.customer_id = b.customer_id and p.stripe_meter_id = b.stripe_meter_id and p.window_start = b.window_start
          and p.status = 'delivered') acknowledged
      where ${inWindow('b.window_start')} and b.resolved_at is null
        and (${query.customerId}::text is null or b.customer_id = ${query.customerId})),
    summed as (
      select window_start, customer_id, token_type, sum(source)::bigint as source, sum(metered)::bigint as metered,
        sum(due)::bigint as due, ${PLACES},
        -- Any class is worse than being due, and 'unexplained' is the worst.
        case when bool_or(class = 'unexplained') then 'unexplained'
          else max(class) filter (where class <> 'still_due') end as class,
        bool_or(class = 'still_due') as is_seen, bool_or(is_refused) as is_refused, bool_or(is_unproven) as is_unproven,
        coalesce(min(since) filter (where class is not null), min(since)) as since
      from placed group by window_start, customer_id, token_type
      -- Of most token types there is nothing, and nothing to say.
      having bool_or(source <> 0 or metered <> 0 or due <> 0 or placed <> 0 or is_of_bill)),
    judged as (
      select *, source - due - ${ACCOUNTED} as difference,
        case
          when class is not null then class
          when source <> due + ${ACCOUNTED} then 'unexplained'
          when is_unproven then 'push_unconfirmed'
          when is_refused then 'refused_by_stripe'
          when is_seen then 'still_due'
          when due <> 0 and exists (select 1 from settlements x where x.window_start = summed.window_start
            and x.status = 'open' and x.settled_at is not null) then 'late'
          when due <> 0 then 'still_due'
          when uninvoiced <> 0 then 'uninvoiced'
          when held <> 0 or written_off <> 0 then 'quarantined'
        end as verdict
      from summed)
    select window_start as "windowStart", customer_id as "customerId", token_type as "tokenType", source, metered, invoiced,
      awaiting as "awaitingInvoice", due, held as quarantined, uninvoiced, written_off as "writtenOff", difference, verdict as "driftClass", case when verdict is not null then since end as since
    from judged
    where (${query.withAgreeing} or verdict is not null)
      and (${query.after === null} or (window_start, customer_id, token_type) >
        (${query.after?.windowStart ?? start}::timestamptz, ${query.after?.customerId ?? ''}, ${query.after?.tokenType ?? ''}))
    order by window_start, customer_id, token_type limit ${query.limit}`.execute(database);
  return rows.rows;
}
