import { sql } from 'kysely';
import type { CloseTokenTypeFigures } from '../../pricing/closing/certificate.ts';
import { boundMeter } from '../catalog/bound-meter.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import {
  countItemRows,
  keyColumns,
  sumItemTokens,
  sumTypedFigures,
  tokenParts,
  tokenPartsWithRows,
} from '../usage/columns.ts';
import { isItemCountedFormerly } from '../usage/events/counted-formerly.ts';
import { countedKeyColumns, countedKeyValues } from '../usage/name-keys.ts';

/** Whose usage, of what time. */
export interface CloseTarget {
  invoiceId: string;
  customerId: string;
  periodStart: Date;
  periodEnd: Date;
}

/** A boundary within a minute counts from the next one, as it does everywhere. */
const MINUTE_END = (column: string) =>
  sql`date_trunc('minute', ${sql.ref(column)} + interval '59.999999 seconds')`;

const BINDING = (row: string) => sql`left join lateral (
    select bound.stripe_meter_id, m.event_time_window from (${boundMeter(row)}) bound
    join stripe_meters m on m.stripe_meter_id = bound.stripe_meter_id) binding on true`;

/**
 * What the ledger knows of each invoice's usage, by meter and token type, from the source's rows to Stripe's
 * acknowledgements, for many invoices in one statement. An hour that a boundary cuts is divided by the minute; of a
 * meter with an hour window it goes whole to the period that begins in it.
 */
export async function readCloseFigures(
  database: LedgerDatabase,
  targets: readonly CloseTarget[],
): Promise<Map<string, CloseTokenTypeFigures[]>> {
  if (targets.length === 0) return new Map();
  const days = targets.flatMap((target) => [target.periodStart.getTime(), target.periodEnd.getTime()]);
  const from = new Date(Math.min(...days));
  const to = new Date(Math.max(...days));
  const rows = await sql<{ invoiceId: string; stripeMeterId: string | null; tokenType: string } & Counts>`
    with target as (
      select t.invoice_id, t.customer_id, ${MINUTE_END('t.period_start')} as starts, ${MINUTE_END('t.period_end')} as ends,
        date_trunc('hour', t.period_start, 'UTC') as hour_starts, date_trunc('hour', t.period_end, 'UTC') as hour_ends,
        t.period_start, t.period_end
      from unnest(${targets.map((target) => target.invoiceId)}::text[], ${targets.map((target) => target.customerId)}::text[],
        ${targets.map((target) => target.periodStart.toISOString())}::timestamptz[],
        ${targets.map((target) => target.periodEnd.toISOString())}::timestamptz[]) as t(invoice_id, customer_id, period_start, period_end)),
    member as (select target.*, s.subject from target join subjects s on s.customer_id = target.customer_id),
    items as (
      select m.invoice_id, date_trunc('hour', i.event_time, 'UTC') as window_start, i.event_time >= m.starts and i.event_time < m.ends as is_inside,
        ${countedKeyColumns('i')}, i.quarantine_reason is not null as is_held, i.quarantine_reason is not null as may_disagree,
        ${isItemCountedFormerly('i', { start: from, end: to })} as counted_formerly, ${sumItemTokens('i')}, ${countItemRows('i')}
      from source_items i join member m on m.subject = i.subject
      where i.event_day >= ${from}::timestamptz::date - 1 and i.event_day <= ${to}::timestamptz::date + 1
        and i.event_time >= m.hour_starts and i.event_time < m.ends
      group by 1, 2, 3, ${countedKeyValues('i')}, is_held, counted_formerly),
    events as (
      select m.invoice_id, e.window_start, date_trunc('minute', e.event_time) >= m.starts and date_trunc('minute', e.event_time) < m.ends as is_inside,
        ${keyColumns('e')}, e.status = 'quarantined' as is_held, e.status = 'quarantined' as may_disagree, e.counted_formerly,
        ${sumTypedFigures('e')}
      from usage_events e join member m on m.subject = e.subject
      where e.kind = 'usage' and e.window_start >= m.hour_starts and e.window_start < m.ends
      group by 1, 2, 3, ${keyColumns('e')}, is_held, e.counted_formerly),
    parts as (
      select t.invoice_id, t.window_start, t.is_inside, t.model, t.feature, part.token_type, part.tokens as source, part.row_count,
        case when t.is_held then part.tokens else 0 end as held, 0::numeric as event_tokens
      from items t, ${tokenPartsWithRows('t')} where part.tokens <> 0 or part.row_count <> 0
      union all
      select t.invoice_id, t.window_start, t.is_inside, t.model, t.feature, part.token_type, 0, 0,
        case when t.is_held then part.tokens else 0 end, case when t.is_held then 0 else part.tokens end
      from events t, ${tokenParts('t')} where part.tokens <> 0),
    placed as (
      select p.invoice_id, binding.stripe_meter_id, p.token_type, p.source, p.row_count, p.held, p.event_tokens,
        0::numeric as metered, null::timestamptz as metered_hour, 0::numeric as pushed, 0::numeric as carried, 0::numeric as quarantined
      from parts p join target t on t.invoice_id = p.invoice_id ${BINDING('p')}
      where case when binding.event_time_window is not distinct from 'hour'
        then p.window_start >= t.hour_starts and p.window_start < t.hour_ends else p.is_inside end
      union all
      select m.invoice_id, coalesce(push.stripe_meter_id, binding.stripe_meter_id), h.token_type, 0, 0, 0, 0, h.delta_token_count, h.window_start,
        case when push.status = 'delivered' then h.delta_token_count else 0 end,
        case when h.quarantine_reason = 'carry_to_next_invoice' then h.delta_token_count else 0 end,
        case when push.status = 'refused' or h.quarantine_reason <> 'carry_to_next_invoice' then h.delta_token_count else 0 end
      from hourly_usage h join member m on m.subject = h.subject
      left join meter_pushes push on push.meter_push_id = h.meter_push_id ${BINDING('h')}
      where h.window_start >= m.hour_starts and h.window_start < m.ends
        and case when push.meter_push_id is not null then push.event_timestamp >= m.period_start and push.event_timestamp < m.period_end
          when binding.event_time_window is not distinct from 'hour' then h.window_start >= m.hour_starts and h.window_start < m.hour_ends
          else h.window_start + make_interval(mins => h.part_start_minute) >= m.starts
            and h.window_start + make_interval(mins => h.part_start_minute) < m.ends end)
    select invoice_id as "invoiceId", stripe_meter_id as "stripeMeterId", token_type as "tokenType", sum(source)::text as "sourceTokens",
      sum(row_count)::text as "sourceRows", sum(held)::text as "heldTokens", sum(event_tokens)::text as "eventTokens",
      sum(metered)::text as "meteredTokens", count(distinct metered_hour)::text as "meteredHours", sum(pushed)::text as "pushedTokens",
      sum(carried)::text as "carriedOutTokens", sum(quarantined)::text as "quarantinedTokens"
    from placed group by 1, 2, 3
    having bool_or(source <> 0 or held <> 0 or event_tokens <> 0 or metered <> 0)
    order by 1, 2, 3`.execute(database);
  const figures = new Map<string, CloseTokenTypeFigures[]>();
  for (const { invoiceId, ...row } of rows.rows) {
    const known = figures.get(invoiceId);
    if (known === undefined) figures.set(invoiceId, [row]);
    else known.push(row);
  }
  return figures;
}

type Counts = Omit<CloseTokenTypeFigures, 'stripeMeterId' | 'tokenType'>;

/** What Stripe acknowledged of one meter in one period of its lines. */
export interface PushedFigures {
  stripeMeterId: string;
  periodStart: Date;
  tokenCount: bigint;
  pushCount: bigint;
  lastDeliveredAt: Date | null;
}

/** The same for the meters and periods of many invoices at once, by invoice. */
export async function readPushedFigures(
  database: LedgerDatabase,
  asked: readonly {
    invoiceId: string;
    customerId: string;
    stripeMeterId: string;
    periodStart: Date;
    periodEnd: Date;
  }[],
): Promise<Map<string, PushedFigures[]>> {
  const rows = await sql<PushedFigures & { invoiceId: string }>`
    select asked.invoice_id as "invoiceId", asked.stripe_meter_id as "stripeMeterId", asked.period_start as "periodStart",
      coalesce(sum(p.delta_token_count), 0)::bigint as "tokenCount", count(p.meter_push_id) as "pushCount",
      max(p.delivered_at) as "lastDeliveredAt"
    from unnest(${asked.map((one) => one.invoiceId)}::text[], ${asked.map((one) => one.customerId)}::text[],
      ${asked.map((one) => one.stripeMeterId)}::text[],
      ${asked.map((one) => one.periodStart.toISOString())}::timestamptz[],
      ${asked.map((one) => one.periodEnd.toISOString())}::timestamptz[])
      as asked(invoice_id, customer_id, stripe_meter_id, period_start, period_end)
    left join meter_pushes p on p.customer_id = asked.customer_id and p.stripe_meter_id = asked.stripe_meter_id
      and p.status = 'delivered' and p.event_timestamp >= asked.period_start and p.event_timestamp < asked.period_end
    group by asked.invoice_id, asked.stripe_meter_id, asked.period_start`.execute(database);
  const pushed = new Map<string, PushedFigures[]>();
  for (const { invoiceId, ...row } of rows.rows) {
    const known = pushed.get(invoiceId);
    if (known === undefined) pushed.set(invoiceId, [row]);
    else known.push(row);
  }
  return pushed;
}
