import { storeInvoiceLines } from '../../src/billing/invoice-lines.ts';
import type { TimeWindow } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { BillingInvoiceLine } from '../../src/stripe/port.ts';
import { PERIOD } from './world.ts';

const INVOICE_READ_AT = new Date('2026-12-01T03:00:00Z');

/** An invoice of northwind's November, or of another customer, without lines. */
export async function insertInvoice(
  database: LedgerDatabase,
  invoice: {
    id: string;
    customer?: string;
    status?: string;
    totalMinor?: bigint;
    number?: string | null;
    period?: TimeWindow;
  },
): Promise<void> {
  const customer = invoice.customer ?? 'northwind';
  await database
    .insertInto('invoices')
    .values({
      invoice_id: invoice.id,
      customer_id: customer,
      subscription_id: `sub_${customer}`,
      status: invoice.status ?? 'paid',
      number: invoice.number === undefined ? 'NW-0007' : invoice.number,
      currency: 'usd',
      total_minor: invoice.totalMinor ?? 0n,
      period_start: (invoice.period ?? PERIOD).start,
      period_end: (invoice.period ?? PERIOD).end,
      synced_at: new Date('2026-12-01T02:00:00Z'),
    })
    .execute();
}

export type LineSeed = Partial<BillingInvoiceLine> & {
  lineId: string;
  amountMinor: bigint;
  invoiceItemId?: string;
};

/** What Stripe's invoice shows, kept as the close keeps it. */
export async function storeLines(
  database: LedgerDatabase,
  invoice: {
    id: string;
    status?: string;
    totalMinor?: bigint;
    amountDueMinor?: bigint;
    lines: readonly LineSeed[];
  },
): Promise<void> {
  const lines = invoice.lines.map((line) => ({
    description: line.lineId,
    subscriptionItemId: null,
    priceId: line.subscriptionItemId ? `price_${line.subscriptionItemId}` : null,
    quantity: null,
    unitAmountDecimal: null,
    periodStart: PERIOD.start,
    periodEnd: PERIOD.end,
    ...line,
  }));
  await database.transaction().execute((transaction) =>
    storeInvoiceLines(
      transaction,
      [
        {
          invoiceId: invoice.id,
          status: invoice.status ?? 'paid',
          totalMinor: invoice.totalMinor ?? lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n),
          ...(invoice.amountDueMinor === undefined ? {} : { amountDueMinor: invoice.amountDueMinor }),
          lines,
        },
      ],
      INVOICE_READ_AT,
    ),
  );
}
