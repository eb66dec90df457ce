import type Stripe from 'stripe';
import { UpstreamError } from '../../platform/errors.ts';
import { meteredPeriod, toInvoiceHeader, toInvoiceLine } from '../invoices.ts';
import { type ClosingClient, read, readPages } from './calls.ts';
import type { ClosingInvoice, ClosingInvoiceLine } from './port.ts';

/** What an invoice is to come with, for a close. */
export const CLOSING_EXPANSIONS = ['customer', 'parent.subscription_details.subscription'] as const;

/**
 * An invoice with all lines, or null when there is none (any more).
 * @throws UpstreamError
 */
export async function readInvoice(
  client: ClosingClient,
  invoiceId: string,
  signal?: AbortSignal,
): Promise<ClosingInvoice | null> {
  const { stripe } = client;
  const context = { invoice: invoiceId };
  try {
    const invoice = await read(
      client,
      { action: 'read an invoice', context },
      () =>
        stripe.invoices.retrieve(invoiceId, {
          expand: [...CLOSING_EXPANSIONS],
        }),
      signal,
    );
    if (isDeleted(invoice)) return null;
    const lines = invoice.lines.has_more
      ? await readPages(
          client,
          { action: 'list the lines of an invoice', context },
          (page) => stripe.invoices.listLineItems(invoiceId, page),
          signal,
        )
      : invoice.lines.data;
    return toClosingInvoice(invoice, lines);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** True when Stripe knows no such object. */
export function isMissing(error: unknown): boolean {
  return error instanceof UpstreamError && error.statusCode === 404;
}

/** Deleted objects are mostly answered 404; a stub that says so is possible for some. */
function isDeleted(object: object): boolean {
  return 'deleted' in object && object.deleted === true;
}

export function toClosingInvoice(
  invoice: Stripe.Invoice,
  lines: readonly Stripe.InvoiceLineItem[],
): ClosingInvoice {
  return {
    ...toInvoiceHeader(invoice, meteredPeriod(lines)),
    lines: lines.map(toClosingLine),
    autoAdvance: invoice.auto_advance ?? false,
    automaticallyFinalizesAt: toInstant(invoice.automatically_finalizes_at),
    finalizedAt: toInstant(invoice.status_transitions.finalized_at),
    hostedUrl: invoice.hosted_invoice_url ?? null,
    metadata: invoice.metadata ?? {},
    memo: invoice.description,
    footer: invoice.footer,
    customFields: (invoice.custom_fields ?? []).map(({ name, value }) => ({ name, value })),
    amountDueMinor: BigInt(invoice.amount_due),
    amountPaidMinor: BigInt(invoice.amount_paid),
    customerHasPaymentMethod: hasPaymentMethod(invoice),
    collectionPause: subscriptionOf(invoice)?.pause_collection?.behavior ?? null,
  };
}

function toClosingLine(line: Stripe.InvoiceLineItem): ClosingInvoiceLine {
  return {
    ...toInvoiceLine(line),
    invoiceItemId: line.parent?.invoice_item_details?.invoice_item ?? null,
    metadata: line.metadata,
  };
}

/** Stripe looks at the invoice, then the subscription, then the customer. */
function hasPaymentMethod(invoice: Stripe.Invoice): boolean {
  const subscription = subscriptionOf(invoice);
  const { customer } = invoice;
  const methods = [invoice.default_payment_method, invoice.default_source];
  if (subscription !== null) {
    methods.push(subscription.default_payment_method, subscription.default_source);
  }
  if (typeof customer === 'object' && customer !== null && !('deleted' in customer && customer.deleted)) {
    methods.push(customer.invoice_settings.default_payment_method, customer.default_source);
  }
  return methods.some((method) => method !== null && method !== undefined);
}

/** Expanded by `readInvoice`. */
function subscriptionOf(invoice: Stripe.Invoice): Stripe.Subscription | null {
  const subscription = invoice.parent?.subscription_details?.subscription ?? null;
  return typeof subscription === 'object' ? subscription : null;
}

function toInstant(seconds: number | null): Date | null {
  return seconds === null ? null : new Date(seconds * 1_000);
}
