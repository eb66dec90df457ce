import { toSeconds, type WireInvoiceLine, type WireSubscriptionItem } from '../http/wire.ts';

/** A line of a subscription item, before discounts and tax. */
export function itemLine(
  item: WireSubscriptionItem,
  given: {
    id: string;
    invoiceId: string | null;
    subscriptionId: string;
    currency: string;
    description: string;
    amount: bigint;
    /** Null where a line has an amount alone. */
    quantity: bigint | number | null;
    unitAmountDecimal: string | null;
    startMs: number;
    endMs: number;
  },
): WireInvoiceLine {
  const amount = Number(given.amount);
  return {
    id: given.id,
    object: 'line_item',
    amount,
    currency: given.currency,
    description: given.description,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice: given.invoiceId,
    livemode: false,
    metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: null,
        subscription: given.subscriptionId,
        subscription_item: item.id,
      },
      type: 'subscription_item_details',
    },
    period: { start: toSeconds(given.startMs), end: toSeconds(given.endMs) },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: item.price.id, product: String(item.price.product) },
      type: 'price_details',
      unit_amount_decimal: given.unitAmountDecimal,
    },
    quantity: given.quantity === null ? null : Number(given.quantity),
    quantity_decimal: given.quantity === null ? null : String(given.quantity),
    subscription: given.subscriptionId,
    subtotal: amount,
    taxes: [],
  };
}
