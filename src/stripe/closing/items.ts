import Stripe from 'stripe';
import { idOf } from '../invoices.ts';
import { writeKeyed } from '../keyed-writes.ts';
import { readItemTaxes } from '../taxes.ts';
import { type ClosingClient, readPages } from './calls.ts';
import { isMissing } from './invoice.ts';
import { checkInvoiceItem } from './limits.ts';
import { type BillingInvoiceItem, KEY_METADATA_KEY, type NewInvoiceItem } from './port.ts';

/** See InvoiceSystem.createInvoiceItem. */
export async function createInvoiceItem(
  client: ClosingClient,
  item: NewInvoiceItem,
  signal?: AbortSignal,
): Promise<{ invoiceItemId: string }> {
  checkInvoiceItem(item);
  const find = async () => {
    const items = await readItems(client, item.stripeCustomerId, signal);
    return items.find((known) => known.metadata?.[KEY_METADATA_KEY] === item.idempotencyKey) ?? null;
  };
  const known = await find();
  if (known !== null) return { invoiceItemId: known.id };
  const taxes =
    item.taxedAs === undefined ? {} : await readItemTaxes(client, item.taxedAs, item.currency, signal);
  const parameters = { ...toParameters(item), ...taxes };
  const made = await writeKeyed<Stripe.InvoiceItem>(
    client,
    {
      action: 'create an invoice item',
      context: { customer: item.stripeCustomerId },
      intent: item.idempotencyKey,
      content: parameters,
      run: (request) => client.stripe.invoiceItems.create(parameters, request),
      find,
    },
    signal,
  );
  return { invoiceItemId: made.id };
}

/** See InvoiceSystem.changeInvoiceItem. */
export async function changeInvoiceItem(
  client: ClosingClient,
  invoiceItemId: string,
  { amountMinor, idempotencyKey }: { amountMinor: bigint; idempotencyKey: string },
  signal?: AbortSignal,
): Promise<void> {
  const { stripe } = client;
  const amount = Number(amountMinor);
  const write = {
    context: { item: invoiceItemId },
    intent: idempotencyKey,
    content: [invoiceItemId, amount],
  };
  if (amountMinor !== 0n) {
    await writeKeyed<Stripe.InvoiceItem>(
      client,
      {
        ...write,
        action: 'change an invoice item',
        run: (request) => stripe.invoiceItems.update(invoiceItemId, { amount }, request),
        // A kept answer says nothing of what it was set to since.
        holds: async () => false,
      },
      signal,
    );
    return;
  }
  try {
    await writeKeyed(
      client,
      {
        ...write,
        action: 'take away an invoice item',
        run: (request) => stripe.invoiceItems.del(invoiceItemId, {}, request),
      },
      signal,
    );
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** See InvoiceSystem.listInvoiceItems. */
export async function listInvoiceItems(
  client: ClosingClient,
  stripeCustomerId: string,
  signal?: AbortSignal,
): Promise<BillingInvoiceItem[]> {
  return (await readItems(client, stripeCustomerId, signal)).map(toItem).reverse();
}

function readItems(
  client: ClosingClient,
  customer: string,
  signal: AbortSignal | undefined,
): Promise<Stripe.InvoiceItem[]> {
  return readPages(
    client,
    { action: 'list invoice items', context: { customer } },
    (page) => client.stripe.invoiceItems.list({ ...page, customer }),
    signal,
  );
}

function toParameters(item: NewInvoiceItem): Stripe.InvoiceItemCreateParams {
  return {
    customer: item.stripeCustomerId,
    ...(item.subscriptionId === undefined ? {} : { subscription: item.subscriptionId }),
    ...(item.invoiceId === undefined ? {} : { invoice: item.invoiceId }),
    currency: item.currency,
    description: item.description,
    ...('amountMinor' in item
      ? { amount: Number(item.amountMinor) }
      : {
          quantity: Number(item.quantity),
          unit_amount_decimal: Stripe.Decimal.from(item.unitAmountDecimal),
        }),
    period: {
      start: Math.floor(item.period.start.getTime() / 1_000),
      end: Math.floor(item.period.end.getTime() / 1_000),
    },
    metadata: { ...item.metadata, [KEY_METADATA_KEY]: item.idempotencyKey },
  };
}

function toItem(item: Stripe.InvoiceItem): BillingInvoiceItem {
  return {
    invoiceItemId: item.id,
    stripeCustomerId: idOf(item.customer) ?? '',
    subscriptionId: item.parent?.subscription_details?.subscription ?? null,
    invoiceId: idOf(item.invoice),
    description: item.description ?? '',
    currency: item.currency,
    amountMinor: BigInt(item.amount),
    quantity: BigInt(item.quantity),
    period: { start: new Date(item.period.start * 1_000), end: new Date(item.period.end * 1_000) },
    metadata: item.metadata ?? {},
    idempotencyKey: item.metadata?.[KEY_METADATA_KEY] ?? null,
  };
}
