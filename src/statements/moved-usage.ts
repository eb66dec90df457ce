import { sql } from 'kysely';
import type { TokenType } from '../../pricing/usage/shape.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { divideRows, type StatementUsageRows } from './usage.ts';

interface ChainLine {
  invoiceId: string;
  priceId: string | null;
  stripeMeterId: string;
  period: TimeWindow;
  madeAt: Date;
  isInstalment: boolean;
}

interface LateRow {
  invoiceId: string;
  priceId: string | null;
  deliveredAt: Date;
  stripeMeterId: string;
  day: string;
  tokenType: TokenType;
  model: string;
  feature: string;
  subject: string;
  tokenCount: bigint;
}

/**
 * Usage of the time of an instalment that Stripe got after it was made: it is on the invoice that came next. So many rows
 * less, or more, than an invoice's periods say; none where no threshold made an invoice.
 */
export async function readMovedUsage(
  database: LedgerDatabase,
  invoice: { invoiceId: string; customerId: string; subscriptionId: string | null },
): Promise<StatementUsageRows> {
  const { invoiceId, customerId, subscriptionId } = invoice;
  const chain = await readChain(database, invoiceId, subscriptionId);
  if (!chain.some(({ isInstalment }) => isInstalment)) return { usage: [], users: [] };
  const rows = await sql<LateRow>`
    select i.invoice_id as "invoiceId", line.price_id as "priceId", p.delivered_at as "deliveredAt", p.stripe_meter_id as "stripeMeterId",
      to_char(p.event_timestamp at time zone 'UTC', 'YYYY-MM-DD') as day, h.token_type as "tokenType", h.model, h.feature, h.subject,
      h.delta_token_count as "tokenCount"
    from invoices i
    join lateral (select distinct l.price_id, l.stripe_meter_id, l.period_start, l.period_end from invoice_lines l
      where l.invoice_id = i.invoice_id and l.stripe_meter_id is not null) line on true
    join meter_pushes p on p.customer_id = ${customerId} and p.stripe_meter_id = line.stripe_meter_id and p.status = 'delivered'
      and p.written_off_at is null and p.event_timestamp >= line.period_start and p.event_timestamp < line.period_end
      and p.delivered_at > i.made_at
    join hourly_usage h on h.meter_push_id = p.meter_push_id
    where i.invoice_id = any(${chain.filter((line) => line.isInstalment).map((line) => line.invoiceId)}::text[])`.execute(
    database,
  );
  const moved = rows.rows.flatMap((row) => {
    const lines = chain.filter(
      ({ priceId, stripeMeterId }) => priceId === row.priceId && stripeMeterId === row.stripeMeterId,
    );
    const from = lines.find((line) => line.invoiceId === row.invoiceId);
    const later = lines.filter((line) => from !== undefined && line.madeAt > from.madeAt);
    const to = later.find(({ madeAt }) => madeAt >= row.deliveredAt) ?? later.at(-1);
    const share = (line: ChainLine, sign: bigint) => ({
      ...row,
      periodStart: line.period.start,
      periodEnd: line.period.end,
      tokenCount: sign * row.tokenCount,
    });
    if (from?.invoiceId === invoiceId) return [share(from, -1n)];
    return to?.invoiceId === invoiceId ? [share(to, 1n)] : [];
  });
  return divideRows(moved);
}

/** The invoices of one service period with their metered lines, the oldest first. */
async function readChain(
  database: LedgerDatabase,
  invoiceId: string,
  subscriptionId: string | null,
): Promise<ChainLine[]> {
  if (subscriptionId === null) return [];
  const rows = await sql<Omit<ChainLine, 'period'> & { start: Date; end: Date }>`
    select distinct i.invoice_id as "invoiceId", l.price_id as "priceId", l.stripe_meter_id as "stripeMeterId",
      l.period_start as start, l.period_end as end, i.made_at as "madeAt", i.is_instalment as "isInstalment"
    from invoices own
    join invoices i on i.subscription_id = own.subscription_id and i.period_start = own.period_start and i.status <> 'deleted'
    join invoice_lines l on l.invoice_id = i.invoice_id and l.stripe_meter_id is not null
    where own.invoice_id = ${invoiceId} and own.subscription_id = ${subscriptionId} and i.made_at is not null
    order by i.made_at, i.invoice_id`.execute(database);
  return rows.rows.map(({ start, end, ...line }) => ({ ...line, period: { start, end } }));
}
