import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

interface PlacedLine {
  invoiceId: string;
  customerId: string;
  subscriptionId: string;
  stripeMeterId: string;
  priceId: string | null;
  quantity: bigint | null;
  amountMinor: bigint;
  periodStart: Date;
  periodEnd: Date;
  invoiceStart: Date;
  madeAt: Date;
  isInstalment: boolean;
  isThreshold: boolean;
}

/**
 * A metered line bills what was used until its invoice was made; one that names a time beyond is a threshold's, or the zero
 * that the classic billing mode shows ahead.
 */
export async function endLinesWithInvoice(
  transaction: LedgerTransaction,
  invoiceIds: readonly string[],
): Promise<void> {
  await sql`
    update invoice_lines l set period_start = least(l.period_start, i.made_at), period_end = i.made_at
    from invoices i where i.invoice_id = l.invoice_id and i.invoice_id = any(${[...invoiceIds]}::text[])
      and l.stripe_meter_id is not null and l.period_end > i.made_at`.execute(transaction);
}

/**
 * Says of which usage the lines are that billing thresholds made, and the lines after them. Such a line holds what Stripe had
 * of a meter when it was made, less what was billed before; the period that it prints is that of the whole, or ends with the
 * line, while the hours before it were not sent yet. What was delivered tells where the usage on it ends: there its period
 * ends, and that of the next line begins.
 */
export async function placeInstalments(
  transaction: LedgerTransaction,
  invoiceIds: readonly string[],
): Promise<void> {
  const lines = await sql<PlacedLine>`
    select i.invoice_id as "invoiceId", i.customer_id as "customerId", i.subscription_id as "subscriptionId",
      l.stripe_meter_id as "stripeMeterId", l.price_id as "priceId", l.quantity, l.amount_minor as "amountMinor",
      l.period_start as "periodStart", l.period_end as "periodEnd", i.period_start as "invoiceStart", i.made_at as "madeAt",
      i.is_instalment as "isInstalment", i.billing_reason = 'subscription_threshold' as "isThreshold"
    from invoices i join invoice_lines l on l.invoice_id = i.invoice_id and l.stripe_meter_id is not null
    where i.made_at is not null and i.status <> 'deleted' and exists (
      select 1 from invoices made join invoices stored on stored.subscription_id = made.subscription_id
      where stored.invoice_id = any(${[...invoiceIds]}::text[]) and made.billing_reason = 'subscription_threshold'
        and made.subscription_id = i.subscription_id)
    order by i.made_at, i.invoice_id, l.position`.execute(transaction);
  const chains = Map.groupBy(
    lines.rows,
    (line) => `${line.subscriptionId} ${line.priceId} ${line.invoiceStart.getTime()}`,
  );
  for (const chain of chains.values()) await placeChain(transaction, chain);
}

/** Lines of one price in one service period, the oldest invoice first. */
async function placeChain(transaction: LedgerTransaction, chain: readonly PlacedLine[]): Promise<void> {
  let start: Date | null = null;
  let until: Date | null = null;
  for (const lines of Map.groupBy(chain, ({ invoiceId }) => invoiceId).values()) {
    const [line] = lines;
    if (line === undefined) continue;
    const from: Date = until ?? line.periodStart;
    if (line.isThreshold) {
      const end = await findUsageEnd(transaction, lines, from);
      // A price by volume is charged for all, and what was billed before is taken back.
      await setPeriod(transaction, line, { start: isTakenBack(lines) ? (start ?? from) : from, end });
      start ??= from;
      if (line.isInstalment) until = end;
    } else if (until !== null && start !== null) {
      await setPeriod(transaction, line, { start: isTakenBack(lines) ? start : until, end: line.periodEnd });
    }
  }
}

function isTakenBack(lines: readonly { quantity: bigint | null; amountMinor: bigint }[]): boolean {
  return lines.some(({ quantity, amountMinor }) => quantity === null && amountMinor < 0n);
}

async function setPeriod(
  transaction: LedgerTransaction,
  line: PlacedLine,
  period: { start: Date; end: Date },
): Promise<void> {
  await sql`
    update invoice_lines set period_start = ${period.start}, period_end = ${period.end}
    where invoice_id = ${line.invoiceId} and price_id is not distinct from ${line.priceId} and stripe_meter_id is not null`.execute(
    transaction,
  );
}

/** Where what was delivered until the line was made comes to what it bills; the line's own end where it never does. */
async function findUsageEnd(
  transaction: LedgerTransaction,
  lines: readonly PlacedLine[],
  from: Date,
): Promise<Date> {
  const [line] = lines;
  if (line === undefined) throw new RangeError('a line is needed');
  const quantity = lines.reduce((sum, one) => sum + (one.quantity ?? 0n), 0n);
  const { customerId, stripeMeterId, madeAt } = line;
  const found = await sql<{ until: Date | null }>`
    with sent as (
      select event_timestamp, delta_token_count, delivered_at <= ${madeAt} as is_seen, meter_push_id from meter_pushes
      where customer_id = ${customerId} and stripe_meter_id = ${stripeMeterId} and status = 'delivered'
        and event_timestamp >= ${from} and event_timestamp < ${madeAt}),
    summed as (
      select event_timestamp, sum(delta_token_count) over (order by event_timestamp, meter_push_id) as total from sent where is_seen
      union all select ${from}::timestamptz - interval '1 second', 0),
    last as (select max(event_timestamp) as at from summed where total = ${quantity})
    select case when last.at is null then null else coalesce((
      select min(sent.event_timestamp) from sent where sent.event_timestamp > last.at), ${madeAt}::timestamptz) end as until
    from last`.execute(transaction);
  return found.rows[0]?.until ?? madeAt;
}

/** What instalments have billed of a price within an invoice's period. */
export interface BilledEarlier {
  priceId: string | null;
  stripeMeterId: string;
  periodStart: Date;
  tokenCount: bigint;
  amountMinor: bigint;
}

/** By the invoices of closes. What became of an instalment later changes nothing of what Stripe takes off for it. */
export async function readBilledEarlier(
  transaction: LedgerTransaction,
  invoiceIds: readonly string[],
): Promise<Map<string, BilledEarlier[]>> {
  const rows = await sql<BilledEarlier & { invoiceId: string }>`
    select c.invoice_id as "invoiceId", l.price_id as "priceId", l.stripe_meter_id as "stripeMeterId",
      min(l.period_start) as "periodStart", coalesce(sum(l.quantity), 0)::bigint as "tokenCount",
      sum(l.amount_minor)::bigint as "amountMinor"
    from closes c
    join invoices i on i.customer_id = c.customer_id and i.subscription_id = c.subscription_id and i.is_instalment
      and i.status <> 'deleted' and i.period_start >= c.period_start and i.period_end <= c.period_end
    join invoice_lines l on l.invoice_id = i.invoice_id and l.stripe_meter_id is not null
    where c.invoice_id = any(${[...invoiceIds]}::text[]) and c.invoice_id <> i.invoice_id
    group by 1, 2, 3 order by 1, 2`.execute(transaction);
  return Map.groupBy(rows.rows, ({ invoiceId }) => invoiceId);
}

/** The same of a period that has no invoice yet, with where the usage ends that was billed. */
export interface BilledSoFar extends BilledEarlier {
  periodEnd: Date;
}

/** Null: lines of an instalment within the period are not read yet. */
export async function readBilledSoFar(
  database: LedgerDatabase,
  { subscriptionId, start, end }: { subscriptionId: string; start: Date; end: Date },
): Promise<BilledSoFar[] | null> {
  const { rows } = await sql<BilledSoFar & { isRead: boolean }>`
    with made as (
      select invoice_id, exists (select from invoice_readings as reading where reading.invoice_id = invoices.invoice_id) as is_read
      from invoices where subscription_id = ${subscriptionId} and is_instalment and status <> 'deleted'
        and period_start >= ${start} and period_end <= ${end})
    select bool_and(is_read) over () as "isRead", line.* from made left join lateral (
      select l.price_id as "priceId", l.stripe_meter_id as "stripeMeterId", min(l.period_start) as "periodStart",
        max(l.period_end) as "periodEnd", coalesce(sum(l.quantity), 0)::bigint as "tokenCount", sum(l.amount_minor)::bigint as "amountMinor"
      from invoice_lines as l where l.stripe_meter_id is not null and l.invoice_id in (select invoice_id from made) group by 1, 2) as line on true`.execute(
    database,
  );
  if (rows.some(({ isRead }) => !isRead)) return null;
  const known = rows.filter(({ stripeMeterId }) => stripeMeterId !== null);
  return [...new Map(known.map((row) => [`${row.priceId} ${row.stripeMeterId}`, row])).values()];
}
