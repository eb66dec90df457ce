import { type RawBuilder, sql } from 'kysely';
import type { Span } from '../../../pricing/closing/fate.ts';
import { findMissing } from '../../../pricing/closing/missing.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { holdPushes, type UninvoicedSpan } from './groups.ts';
import { isAwaiting } from './undecided.ts';

/** A stretch of a customer's meter that a line of a final invoice has. */
export interface InvoicedSpan {
  customerId: string;
  stripeMeterId: string;
  invoiceId: string;
  span: Span;
}

/**
 * Says of delivered pushes that these invoices have them. A line with less than was delivered has not all of them: what it
 * lacks becomes uninvoiced in the same transaction.
 * @returns how many tokens are uninvoiced by that
 */
export async function placeInvoiced(
  database: LedgerDatabase,
  spans: readonly InvoicedSpan[],
  now: Date,
): Promise<bigint> {
  if (spans.length === 0) return 0n;
  return await database.transaction().execute(async (transaction) => {
    await sql`
      update meter_pushes p set fate = 'invoiced', invoice_id = given.invoice_id
      from unnest(${spans.map((one) => one.customerId)}::text[], ${spans.map((one) => one.stripeMeterId)}::text[],
        ${spans.map((one) => one.invoiceId)}::text[], ${spans.map((one) => one.span.start.toISOString())}::timestamptz[],
        ${spans.map((one) => one.span.end.toISOString())}::timestamptz[])
        as given(customer_id, stripe_meter_id, invoice_id, span_start, span_end)
      where p.customer_id = given.customer_id and p.stripe_meter_id = given.stripe_meter_id and ${isAwaiting('p')}
        and p.event_timestamp >= given.span_start and p.event_timestamp < given.span_end`.execute(
      transaction,
    );
    const invoiceIds = [...new Set(spans.map((one) => one.invoiceId))];
    await sql`update invoices set placed_at = ${now} where invoice_id = any(${invoiceIds}::text[]) and placed_at is null`.execute(
      transaction,
    );
    let tokenCount = 0n;
    for (const short of await findShortLines(transaction, spans))
      tokenCount += await holdMissing(transaction, short, now);
    return tokenCount;
  });
}

/** Of lines under this alias: the final instalments within their period, as `v`. */
function instalmentsOf(alias: string): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${alias}.${name}`);
  return sql`(select i.invoice_id from invoices i where i.customer_id = ${column('customer_id')}
    and i.subscription_id = ${column('subscription_id')} and i.is_instalment and i.status in ('open', 'paid', 'uncollectible')
    and i.period_start < ${column('period_end')} and i.period_end > ${column('period_start')}) v`;
}

interface ShortLine extends InvoicedSpan {
  subscriptionId: string | null;
  missingCount: bigint;
}

/**
 * Lines of these invoices and meters that bill less than was told to be on them. Only quantities at a price that can be
 * rated are tokens; where two items bill one meter, each has all of it.
 */
async function findShortLines(
  transaction: LedgerTransaction,
  spans: readonly InvoicedSpan[],
): Promise<ShortLine[]> {
  const rows = await sql<Omit<ShortLine, 'span'> & Span>`
    with billed as (
      select v.invoice_id, v.customer_id, v.subscription_id, l.stripe_meter_id, l.period_start, l.period_end,
        coalesce(l.subscription_item_id, l.price_id) as item, sum(l.quantity) filter (where l.unit_amount_decimal is not null) as quantity
      from (select distinct * from unnest(${spans.map((one) => one.invoiceId)}::text[],
        ${spans.map((one) => one.stripeMeterId)}::text[]) as given(invoice_id, stripe_meter_id)) given
      join invoices v on v.invoice_id = given.invoice_id
      join invoice_lines l on l.invoice_id = given.invoice_id and l.stripe_meter_id = given.stripe_meter_id
      -- What an instalment has not, the invoice of its period has.
      where not v.is_instalment
      group by 1, 2, 3, 4, 5, 6, 7
      having bool_and(l.quantity is not null) and bool_and(exists (
        select 1 from item_prices t where t.subscription_id = v.subscription_id and t.price_id = l.price_id
          and (t.unit_amount_decimal is not null or t.price_tiers is not null) and coalesce(t.tiers_mode, '') not like 'package%'))),
    line as (
      select invoice_id, customer_id, subscription_id, stripe_meter_id, period_start, period_end, max(quantity) as quantity
      from billed group by 1, 2, 3, 4, 5, 6)
    select line.invoice_id as "invoiceId", line.customer_id as "customerId", line.subscription_id as "subscriptionId",
      line.stripe_meter_id as "stripeMeterId", line.period_start as start, line.period_end as end,
      (told.token_count - line.quantity - instalments.quantity)::bigint as "missingCount"
    from line cross join lateral (
      select coalesce(sum(l.quantity) filter (where l.unit_amount_decimal is not null), 0) as quantity
      from ${instalmentsOf('line')} join invoice_lines l on l.invoice_id = v.invoice_id
      where l.stripe_meter_id = line.stripe_meter_id and l.period_start >= line.period_start and l.period_end <= line.period_end) instalments
    cross join lateral (
      select sum(p.delta_token_count) as token_count from meter_pushes p
      where p.customer_id = line.customer_id and p.stripe_meter_id = line.stripe_meter_id
        and (p.invoice_id = line.invoice_id or p.invoice_id in (select v.invoice_id from ${instalmentsOf('line')}))
        and p.status = 'delivered' and p.fate = 'invoiced'
        and p.window_start > line.period_start - interval '1 hour' and p.window_start < line.period_end
        and p.event_timestamp >= line.period_start and p.event_timestamp < line.period_end) told
    where told.token_count > line.quantity + instalments.quantity and line.quantity is not null
    order by 1, 4, 6`.execute(transaction);
  return rows.rows.map(({ start, end, ...row }) => ({ ...row, span: { start, end } }));
}

/** What came last is what a line lacks: pushes whose tokens add up to what is missing, as far as any do. */
async function holdMissing(transaction: LedgerTransaction, short: ShortLine, now: Date): Promise<bigint> {
  const instalments = await sql<{ id: string }>`
    select v.invoice_id as id from (select ${short.customerId}::text as customer_id, ${short.subscriptionId}::text as subscription_id,
      ${short.span.start}::timestamptz as period_start, ${short.span.end}::timestamptz as period_end) line
    cross join lateral (select v.invoice_id from ${instalmentsOf('line')}) v`.execute(transaction);
  const invoiceIds = [short.invoiceId, ...instalments.rows.map((row) => row.id)];
  const pushes = await sql<{ meterPushId: bigint; tokenCount: bigint }>`
    select meter_push_id as "meterPushId", delta_token_count as "tokenCount" from meter_pushes p
    where p.customer_id = ${short.customerId} and p.stripe_meter_id = ${short.stripeMeterId} and p.invoice_id = any(${invoiceIds}::text[])
      and p.status = 'delivered' and p.fate = 'invoiced' and p.offsets_push_id is null
      and p.window_start > ${short.span.start}::timestamptz - interval '1 hour' and p.window_start < ${short.span.end}
      and p.event_timestamp >= ${short.span.start} and p.event_timestamp < ${short.span.end}
    order by p.delivered_at desc, p.meter_push_id desc for update`.execute(transaction);
  const missing = findMissing(pushes.rows, short.missingCount);
  if (missing.length === 0) return 0n;
  return await holdPushes(
    transaction,
    { ...short, reason: 'missing_on_invoice' },
    missing.map((push) => push.meterPushId),
    now,
  );
}

/**
 * Says of delivered pushes that no invoice has them, and none will.
 * @returns how many tokens
 */
export async function placeUninvoiced(
  database: LedgerDatabase,
  span: UninvoicedSpan,
  now: Date,
): Promise<bigint> {
  return await database.transaction().execute(async (transaction) => {
    const pushes = await sql<{ id: bigint }>`
      select p.meter_push_id as id from meter_pushes p
      where p.customer_id = ${span.customerId} and p.stripe_meter_id = ${span.stripeMeterId} and ${isAwaiting('p')}
        and p.event_timestamp >= ${span.span.start} and p.event_timestamp < ${span.span.end}
      order by p.meter_push_id for update`.execute(transaction);
    return await holdPushes(
      transaction,
      span,
      pushes.rows.map((row) => row.id),
      now,
    );
  });
}
