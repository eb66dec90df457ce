import type Stripe from 'stripe';
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
      });
      const lines = await readAllLines(stripe, invoice);
      return { ...toInvoiceHeader(invoice, meteredPeriod(lines)), lines: lines.map(toInvoiceLine) };
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
 * own period.
 */
export function toInvoiceHeader(invoice: Stripe.Invoice, lines: ServicePeriod | null): BillingInvoiceHeader {
  const isOwn = lines !== null && invoice.period_end === lines.end && invoice.period_start < lines.start;
  const period = isOwn ? { start: invoice.period_start, end: lines.end } : lines;
  return {
    invoiceId: invoice.id,
    stripeCustomerId: idOf(invoice.customer) ?? '',
    subscriptionId: idOf(invoice.parent?.subscription_details?.subscription ?? null),
    status: invoice.status ?? 'draft',
    number: invoice.number,
    currency: invoice.currency,
    totalMinor: BigInt(invoice.total),
    periodStart: new Date((period?.start ?? invoice.period_start) * 1_000),
    periodEnd: new Date((period?.end ?? invoice.period_end) * 1_000),
  };
}

/**
 * What the lines bill of the given metered items. A line without a quantity, or with a fraction of a token,
 * says nothing that could be compared.
 */
export function readMeteredLines(
  lines: readonly Stripe.InvoiceLineItem[],
  meteredItemIds: ReadonlySet<string>,
): BillingMeteredLine[] {
  return lines.flatMap((line) => {
    const subscriptionItemId = line.parent?.subscription_item_details?.subscription_item;
    if (subscriptionItemId === undefined || !meteredItemIds.has(subscriptionItemId)) return [];
    if (line.quantity === null || !Number.isSafeInteger(line.quantity)) return [];
    return [
      {
        subscriptionItemId,
        quantity: BigInt(line.quantity),
        periodStart: new Date(line.period.start * 1_000),
        periodEnd: new Date(line.period.end * 1_000),
      },
    ];
  });
}

export function toInvoiceLine(line: Stripe.InvoiceLineItem): BillingInvoiceLine {
  const price = line.pricing?.price_details?.price ?? null;
  return {
    lineId: line.id,
    description: line.description ?? '',
    subscriptionItemId: line.parent?.subscription_item_details?.subscription_item ?? null,
    priceId: idOf(price),
    quantity: line.quantity === null ? null : BigInt(line.quantity),
    amountMinor: BigInt(line.amount),
    unitAmountDecimal: line.pricing?.unit_amount_decimal?.toString() ?? null,
    periodStart: new Date(line.period.start * 1_000),
    periodEnd: new Date(line.period.end * 1_000),
  };
}

/** Stripe gives an object where it was expanded, else its id. */
export function idOf(reference: string | { id: string } | null): string | null {
  return reference === null || typeof reference === 'string' ? reference : reference.id;
}
