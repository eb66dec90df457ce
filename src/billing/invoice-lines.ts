import { sql } from 'kysely';
import { ownMeter } from '../catalog/bound-item.ts';
import type { TimeWindow } from '../platform/clock.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { KEY_METADATA_KEY } from '../stripe/closing/port.ts';
import type { BillingInvoiceLine } from '../stripe/port.ts';
import { endLinesWithInvoice, placeInstalments } from './instalments.ts';

/** An invoice as one reading of Stripe showed it, with every line. */
export interface InvoiceReading {
  invoiceId: string;
  status: string;
  totalMinor: bigint;
  amountDueMinor?: bigint;
  lines: readonly (BillingInvoiceLine & {
    invoiceItemId?: string | null;
    metadata?: Readonly<Record<string, string>>;
  })[];
}

export interface StoredInvoice {
  invoiceId: string;
  customerId: string;
  customerName: string;
  subscriptionId: string | null;
  /** Of the catalog or of the reading, whichever was read last. */
  status: string;
  number: string | null;
  currency: string;
  totalMinor: bigint;
  amountDueMinor: bigint | null;
  period: TimeWindow;
  /** When its lines were read; null: never. */
  readAt: Date | null;
  /** The status that the lines are of. */
  readStatus: string | null;
  readTotalMinor: bigint | null;
}

export interface StoredInvoiceLine {
  lineId: string;
  description: string;
  subscriptionItemId: string | null;
  priceId: string | null;
  /** Null: the line is no metered usage. */
  stripeMeterId: string | null;
  quantity: bigint | null;
  /** Minor units for one token. */
  unitAmountDecimal: string | null;
  amountMinor: bigint;
  period: TimeWindow;
  invoiceItemId: string | null;
  metadata: Record<string, string>;
}

/** Whether an invoice in this state changes its lines no more. */
export function isFinalStatus(status: string): boolean {
  return status !== 'draft';
}

/**
 * Keeps what a reading showed, in place of what an older one did. Invoices that the catalog has not brought yet are
 * left out, and so are readings that are older than what is kept.
 */
export async function storeInvoiceLines(
  transaction: LedgerTransaction,
  readings: readonly InvoiceReading[],
  readAt: Date,
): Promise<void> {
  if (readings.length === 0) return;
  const kept = await sql<{ invoice_id: string }>`
    insert into invoice_readings as known (invoice_id, read_at, status, total_minor, amount_due_minor)
    select reading.invoice_id, ${readAt}::timestamptz, reading.status, reading.total_minor, reading.amount_due_minor
    from unnest(${readings.map((reading) => reading.invoiceId)}::text[], ${readings.map((reading) => reading.status)}::text[],
      ${readings.map((reading) => String(reading.totalMinor))}::bigint[],
      ${readings.map((reading) => (reading.amountDueMinor === undefined ? null : String(reading.amountDueMinor)))}::bigint[])
      as reading(invoice_id, status, total_minor, amount_due_minor)
    join invoices i on i.invoice_id = reading.invoice_id
    order by 1
    on conflict (invoice_id) do update
      set read_at = excluded.read_at, status = excluded.status, total_minor = excluded.total_minor,
          amount_due_minor = coalesce(excluded.amount_due_minor, known.amount_due_minor)
      where known.read_at <= excluded.read_at
    returning invoice_id`.execute(transaction);
  const keptIds = new Set(kept.rows.map((row) => row.invoice_id));
  const lines = readings
    .filter((reading) => keptIds.has(reading.invoiceId))
    .flatMap(({ invoiceId, lines }) => lines.map((line, position) => ({ invoiceId, position, ...line })));
  const ids = [lines.map((line) => line.invoiceId), lines.map((line) => line.lineId)] as const;
  await sql`
    delete from invoice_lines where invoice_id = any(${[...keptIds]}::text[]) and (invoice_id, line_id) not in
      (select * from unnest(${ids[0]}::text[], ${ids[1]}::text[]))`.execute(transaction);
  await sql`
    insert into invoice_lines as known (invoice_id, line_id, position, description, subscription_item_id, price_id,
      quantity, unit_amount_decimal, amount_minor, period_start, period_end, invoice_item_id, metadata, stripe_meter_id)
    select line.*, case when line.subscription_item_id is not null then coalesce(
        (select stripe_meter_id from subscription_items item
          where item.subscription_item_id = line.subscription_item_id and item.price_id = coalesce(line.price_id, item.price_id)),
        (select stripe_meter_id from invoice_lines other
          where other.price_id = line.price_id and other.stripe_meter_id is not null limit 1),
        (select stripe_meter_id from subscription_items item where item.subscription_item_id = line.subscription_item_id))
      -- Usage at a price that its item has left; items of ours are no such.
      when line.invoice_item_id is not null and not line.metadata ? ${KEY_METADATA_KEY} then
        (select ${ownMeter('p')} from item_prices p join invoices i on i.subscription_id = p.subscription_id
          where i.invoice_id = line.invoice_id and p.price_id = line.price_id) end
    from unnest(${ids[0]}::text[], ${ids[1]}::text[], ${lines.map((line) => line.position)}::int[],
      ${lines.map((line) => line.description)}::text[], ${lines.map((line) => line.subscriptionItemId)}::text[],
      ${lines.map((line) => line.priceId)}::text[],
      ${lines.map((line) => (line.quantity === null ? null : String(line.quantity)))}::bigint[],
      ${lines.map((line) => line.unitAmountDecimal)}::text[], ${lines.map((line) => String(line.amountMinor))}::bigint[],
      ${lines.map((line) => line.periodStart.toISOString())}::timestamptz[],
      ${lines.map((line) => line.periodEnd.toISOString())}::timestamptz[],
      ${lines.map((line) => line.invoiceItemId ?? null)}::text[],
      ${lines.map((line) => JSON.stringify(line.metadata ?? {}))}::jsonb[])
      as line(invoice_id, line_id, position, description, subscription_item_id, price_id, quantity, unit_amount_decimal,
        amount_minor, period_start, period_end, invoice_item_id, metadata)
    on conflict (invoice_id, line_id) do update
      set position = excluded.position, description = excluded.description,
          subscription_item_id = excluded.subscription_item_id, quantity = excluded.quantity,
          unit_amount_decimal = excluded.unit_amount_decimal, amount_minor = excluded.amount_minor,
          period_start = excluded.period_start, period_end = excluded.period_end,
          invoice_item_id = coalesce(excluded.invoice_item_id, known.invoice_item_id), metadata = excluded.metadata,
          stripe_meter_id = case when known.price_id is not distinct from excluded.price_id
            then coalesce(known.stripe_meter_id, excluded.stripe_meter_id) else excluded.stripe_meter_id end,
          price_id = excluded.price_id`.execute(transaction);
  await endLinesWithInvoice(transaction, [...keptIds]);
  await placeInstalments(transaction, [...keptIds]);
}

/** An invoice as the ledger knows it; null: it knows none of this id. */
export async function readStoredInvoice(
  database: LedgerDatabase,
  invoiceId: string,
): Promise<StoredInvoice | null> {
  const row = await selectStored(database).where('invoices.invoice_id', '=', invoiceId).executeTakeFirst();
  return row === undefined ? null : toStored(row);
}

/** A customer's invoices, the latest period first, without those that were deleted. */
export async function listStoredInvoices(
  database: LedgerDatabase,
  customerId: string,
): Promise<StoredInvoice[]> {
  const rows = await selectStored(database)
    .where('invoices.customer_id', '=', customerId)
    .where('invoices.status', '<>', 'deleted')
    .orderBy('invoices.period_end', 'desc')
    .orderBy('invoices.invoice_id')
    .execute();
  return rows.map(toStored);
}

/** What people call these invoices, by their ids; drafts have no number yet. */
export async function readInvoiceNumbers(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (invoiceIds.length === 0) return new Map();
  const rows = await database
    .selectFrom('invoices')
    .select(['invoice_id', 'number'])
    .where('invoice_id', 'in', [...invoiceIds])
    .execute();
  return new Map(rows.flatMap(({ invoice_id: id, number }) => (number === null ? [] : [[id, number]])));
}

function selectStored(database: LedgerDatabase) {
  return database
    .selectFrom('invoices')
    .innerJoin('customers', 'customers.customer_id', 'invoices.customer_id')
    .leftJoin('invoice_readings', 'invoice_readings.invoice_id', 'invoices.invoice_id')
    .selectAll('invoices')
    .select([
      'customers.name as customer_name',
      'invoice_readings.read_at',
      'invoice_readings.status as read_status',
      'invoice_readings.total_minor as read_total_minor',
      'invoice_readings.amount_due_minor',
    ]);
}

type StoredRow = Awaited<ReturnType<ReturnType<typeof selectStored>['executeTakeFirstOrThrow']>>;

function toStored(row: StoredRow): StoredInvoice {
  const isReadLater = row.read_at !== null && row.read_at >= row.synced_at;
  return {
    invoiceId: row.invoice_id,
    customerId: row.customer_id,
    customerName: row.customer_name,
    subscriptionId: row.subscription_id,
    // Final once is final for good, whoever says it first.
    status: isReadLater && !isFinalStatus(row.status) ? (row.read_status ?? row.status) : row.status,
    number: row.number,
    currency: row.currency,
    totalMinor: isReadLater ? (row.read_total_minor ?? row.total_minor) : row.total_minor,
    amountDueMinor: row.amount_due_minor,
    period: { start: row.period_start, end: row.period_end },
    readAt: row.read_at,
    readStatus: row.read_status,
    readTotalMinor: row.read_total_minor,
  };
}

/** The lines of the last reading, in Stripe's order. */
export async function readInvoiceLines(
  database: LedgerDatabase,
  invoiceId: string,
): Promise<StoredInvoiceLine[]> {
  const rows = await database
    .selectFrom('invoice_lines')
    .selectAll()
    .where('invoice_id', '=', invoiceId)
    .orderBy('position')
    .execute();
  return rows.map((row) => {
    const { periodStart, periodEnd, ...line } = camelRow(row);
    return { ...line, period: { start: periodStart, end: periodEnd } };
  });
}
