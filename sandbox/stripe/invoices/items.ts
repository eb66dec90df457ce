import { refuseParameter } from '../http/refusal.ts';
import type { WireInvoiceItem, WireInvoiceLine, WireTaxRate } from '../http/wire.ts';
import type { Invoice, ItemTaxes, StripeState, Subscription } from '../state.ts';

/** "There is a maximum of 250 items per invoice." */
const MAX_ITEMS_PER_INVOICE = 250;

export interface NewInvoiceItem {
  customerId: string;
  subscriptionId: string | null;
  subscriptionItemId?: string;
  currency: string;
  description: string | null;
  amount: bigint;
  quantity: bigint;
  unitAmountDecimal: string;
  price?: { priceId: string; productId: string };
  periodStart: number;
  periodEnd: number;
  metadata: Record<string, string>;
  date: number;
  /** Made by a change of a licensed item within its period. */
  proration?: boolean;
  /** "Defaults to false for prorations or negative invoice items, and true for all other invoice items." */
  discountable?: boolean;
  taxes?: ItemTaxes;
  discounts?: string[];
  taxRates?: WireTaxRate[];
}

/** Made pending; see `joinInvoice`. */
export function newInvoiceItem(state: StripeState, input: NewInvoiceItem): WireInvoiceItem {
  const item: WireInvoiceItem = {
    id: state.nextId('ii'),
    object: 'invoiceitem',
    amount: Number(input.amount),
    currency: input.currency,
    customer: input.customerId,
    customer_account: null,
    date: input.date,
    description: input.description,
    discountable: input.discountable ?? (input.proration !== true && input.amount >= 0n),
    discounts: input.discounts ?? [],
    invoice: null,
    livemode: false,
    metadata: input.metadata,
    net_amount: Number(input.amount),
    parent:
      input.subscriptionId === null
        ? null
        : {
            subscription_details: {
              subscription: input.subscriptionId,
              ...(input.subscriptionItemId === undefined
                ? {}
                : { subscription_item: input.subscriptionItemId }),
            },
            type: 'subscription_details',
          },
    period: { end: input.periodEnd, start: input.periodStart },
    pricing: {
      ...(input.price === undefined
        ? {}
        : { price_details: { price: input.price.priceId, product: input.price.productId } }),
      type: 'price_details',
      unit_amount_decimal: input.unitAmountDecimal,
    },
    proration: input.proration ?? false,
    quantity: Number(input.quantity),
    quantity_decimal: input.quantity.toString(),
    tax_rates: input.taxRates ?? [],
    test_clock: null,
  };
  state.invoiceItems.set(item.id, item);
  state.invoiceItemTaxes.set(item.id, input.taxes ?? { behavior: 'unspecified', code: null });
  return item;
}

/** @throws StripeRefusal when the invoice is full */
export function checkRoom(invoice: Invoice): void {
  if (invoice.itemIds.length < MAX_ITEMS_PER_INVOICE) return;
  throw refuseParameter('invoice', `An invoice may have at most ${MAX_ITEMS_PER_INVOICE} invoice items.`);
}

export function joinInvoice(invoice: Invoice, item: WireInvoiceItem): void {
  invoice.itemIds.push(item.id);
  item.invoice = invoice.wire.id;
}

/** The oldest of what waits, as many as fit: the subscription's own, and those for whichever invoice comes first. */
export function joinPendingItems(state: StripeState, invoice: Invoice): void {
  const pending = pendingItemsOf(state, invoice.customerId, invoice.wire.currency, invoice.subscriptionId);
  for (const item of pending.slice(0, MAX_ITEMS_PER_INVOICE)) joinInvoice(invoice, item);
}

/** What the next invoice of a subscription takes with it. Another currency than its own waits. */
function pendingItemsOf(
  state: StripeState,
  customerId: string,
  currency: string,
  subscriptionId: string,
): WireInvoiceItem[] {
  return [...state.invoiceItems.values()].filter(
    (item) =>
      item.invoice === null &&
      item.customer === customerId &&
      item.currency === currency &&
      [undefined, subscriptionId].includes(item.parent?.subscription_details?.subscription),
  );
}

/** Lines of the items that would join a subscription's next invoice. */
export function pendingLines(state: StripeState, subscription: Subscription): WireInvoiceLine[] {
  const { wire, customerId } = subscription;
  return pendingItemsOf(state, customerId, wire.currency, wire.id)
    .slice(0, MAX_ITEMS_PER_INVOICE)
    .map((item) => itemLine(item, null));
}

/** An item as a line of an invoice; the line has an id of its own. */
export function itemLine(item: WireInvoiceItem, invoiceId: string | null): WireInvoiceLine {
  const subscription = item.parent?.subscription_details?.subscription ?? null;
  return {
    id: `${invoiceId === null ? 'il_tmp_' : 'il_'}${item.id.slice('ii_'.length)}`,
    object: 'line_item',
    amount: item.amount,
    currency: item.currency,
    description: item.description,
    discount_amounts: [],
    discountable: item.discountable,
    discounts: [],
    invoice: invoiceId,
    livemode: false,
    metadata: item.metadata ?? {},
    parent: {
      invoice_item_details: {
        invoice_item: item.id,
        proration: item.proration,
        proration_details: null,
        subscription,
      },
      subscription_item_details: null,
      type: 'invoice_item_details',
    },
    period: item.period,
    pretax_credit_amounts: [],
    pricing: {
      ...(item.pricing?.price_details === undefined ? {} : { price_details: item.pricing.price_details }),
      type: 'price_details',
      unit_amount_decimal: item.pricing?.unit_amount_decimal ?? null,
    },
    quantity: item.quantity,
    quantity_decimal: item.quantity_decimal,
    subscription,
    subtotal: item.amount,
    taxes: [],
  };
}
