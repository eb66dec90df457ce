import type Stripe from 'stripe';
import { KEY_METADATA_KEY } from './closing/port.ts';
import { TOTALS_EXPANSION, toStripeTotals } from './invoice-totals.ts';
import type { BillingInvoice, BillingInvoiceHeader, BillingInvoiceLine, BillingMeteredLine } from './port.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

/**
 * Stripe's preview of a subscription's next invoice, with all lines. Asked per subscription: a customer alone
 * is refused for good. Usage in it lags, and a preview costs a read of the rationed quota.
 * @throws UpstreamError
 */
export async function previewInvoice(
  stripe: Stripe,
  policy: RetryPolicy,
  query: { stripeCustomerId: string; subscriptionId: string },
  signal?: AbortSignal,
): Promise<BillingInvoice> {
  return withRetry(
    policy,
    { action: 'preview an invoice', writes: false, context: { subscription: query.subscriptionId } },
    async () => {
      const invoice = await stripe.invoices.createPreview({
        customer: query.stripeCustomerId,
        subscription: query.subscriptionId,
        expand: [...TOTALS_EXPANSION],
      });
      const lines = await readAllLines(stripe, invoice);
      return {
        ...toInvoiceHeader(invoice, meteredPeriod(lines)),
        lines: lines.map(toInvoiceLine),
        totals: toStripeTotals(invoice, lines),
      };
    },
    signal,
  );
}

/** The lines an invoice came with are its first page; the rest is asked for only if there is one. */
async function readAllLines(stripe: Stripe, invoice: Stripe.Invoice): Promise<Stripe.InvoiceLineItem[]> {
  if (!invoice.lines.has_more) return invoice.lines.data;
  const lines: Stripe.InvoiceLineItem[] = [];
  for await (const line of stripe.invoices.listLineItems(invoice.id, { limit: 100 })) lines.push(line);
  return lines;
}

export interface ServicePeriod {
  /** Seconds since the epoch. */
  start: number;
  end: number;
}

/**
 * The period in which the billed usage was: that of the lines for subscription items, optionally only of the
 * given items. A flat fee on the same invoice is for the period ahead, so where periods differ the earliest
 * counts.
 */
export function meteredPeriod(
  lines: readonly Stripe.InvoiceLineItem[],
  meteredItemIds?: ReadonlySet<string>,
): ServicePeriod | null {
  const periods = lines
    .filter((line) => {
      const itemId = line.parent?.subscription_item_details?.subscription_item;
      return itemId !== undefined && meteredItemIds?.has(itemId) !== false;
    })
    .map((line) => line.period)
    .sort((one, other) => one.start - other.start || other.end - one.end);
  return periods[0] ?? null;
}

/**
 * `lines` null: the invoice has no usage, and its own period is taken. Where an item got another price its lines begin with
 * that, and the usage until then is on an invoice item, or on nothing: an invoice that ends with its lines is of all of its
 * own period. Usage is billed when it was used: lines of a period that has not ended when the invoice was made are a
 * threshold's, or the zero that the classic billing mode shows ahead, and reach to that instant at the most.
 */
export function toInvoiceHeader(invoice: Stripe.Invoice, lines: ServicePeriod | null): BillingInvoiceHeader {
  const isOwn = lines !== null && invoice.period_end === lines.end && invoice.period_start < lines.start;
  const own = isOwn ? { start: invoice.period_start, end: lines.end } : lines;
  const madeAt = invoice.billing_reason === 'upcoming' ? Number.POSITIVE_INFINITY : invoice.created;
  const period = own === null ? null : { start: Math.min(own.start, madeAt), end: Math.min(own.end, madeAt) };
  return {
    invoiceId: invoice.id,
    stripeCustomerId: idOf(invoice.customer) ?? '',
    subscriptionId: idOf(invoice.parent?.subscription_details?.subscription ?? null),
    status: invoice.status ?? 'draft',
    number: invoice.number,
    currency: invoice.currency,
    totalMinor: BigInt(invoice.total),
    creditedMinor: BigInt(invoice.pre_payment_credit_notes_amount + invoice.post_payment_credit_notes_amount),
    periodStart: new Date((period?.start ?? invoice.period_start) * 1_000),
    periodEnd: new Date((period?.end ?? invoice.period_end) * 1_000),
    createdAt: new Date(invoice.created * 1_000),
    billingReason: invoice.billing_reason,
  };
}

/**
 * What the lines bill of the given metered items, and of prices that items have left: these are invoice items, which the
 * ledger knows by their price. A line without a quantity, with a fraction of a token, or ahead of its time says nothing that
 * could be compared.
 */
export function readMeteredLines(
  invoice: Pick<Stripe.Invoice, 'created'>,
  lines: readonly Stripe.InvoiceLineItem[],
  meteredItemIds: ReadonlySet<string>,
): BillingMeteredLine[] {
  return lines.flatMap((line) => {
    const subscriptionItemId = line.parent?.subscription_item_details?.subscription_item ?? null;
    const priceId = idOf(line.pricing?.price_details?.price ?? null);
    const isLeft = line.parent?.invoice_item_details != null && line.metadata[KEY_METADATA_KEY] === undefined;
    if (subscriptionItemId === null ? !isLeft || priceId === null : !meteredItemIds.has(subscriptionItemId))
      return [];
    const quantity = readQuantity(line);
    const isAhead = line.period.end > invoice.created && quantity === 0n;
    if (quantity === null || isAhead || line.period.start >= invoice.created) return [];
    return [
      {
        subscriptionItemId,
        priceId,
        quantity,
        periodStart: new Date(line.period.start * 1_000),
        periodEnd: new Date(Math.min(line.period.end, invoice.created) * 1_000),
      },
    ];
  });
}

/** In whole units; null: the line has none, or a fraction of one. */
function readQuantity({ quantity, quantity_decimal }: Stripe.InvoiceLineItem): bigint | null {
  const text = quantity_decimal?.toString() ?? (quantity === null ? null : String(quantity));
  return text !== null && /^\d+(?:\.0+)?$/.test(text) ? BigInt(text.split('.')[0] ?? '0') : null;
}

export function toInvoiceLine(line: Stripe.InvoiceLineItem): BillingInvoiceLine {
  const price = line.pricing?.price_details?.price ?? null;
  return {
    lineId: line.id,
    description: line.description ?? '',
    subscriptionItemId: line.parent?.subscription_item_details?.subscription_item ?? null,
    priceId: idOf(price),
    quantity: readQuantity(line),
    amountMinor: BigInt(line.amount),
    unitAmountDecimal: line.pricing?.unit_amount_decimal?.toString() ?? null,
    invoiceItemId: line.parent?.invoice_item_details?.invoice_item ?? null,
    isOwnItem: line.metadata[KEY_METADATA_KEY] !== undefined,
    periodStart: new Date(line.period.start * 1_000),
    periodEnd: new Date(line.period.end * 1_000),
  };
}

/** Stripe gives an object where it was expanded, else its id. */
export function idOf(reference: string | { id: string } | null): string | null {
  return reference === null || typeof reference === 'string' ? reference : reference.id;
}
