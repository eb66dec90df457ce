import { discountsOfSubscription } from '../adjustments/discounts.ts';
import { adjustWireLines, sumLines, type UseCredit, type WireTerms } from '../adjustments/wire-lines.ts';
import { toSeconds, type WireInvoice, type WireInvoiceLine } from '../http/wire.ts';
import type { Invoice, StripeState, Subscription } from '../state.ts';
import { itemLine } from './items.ts';
import { computeLines } from './lines.ts';

/** Lines that travel inside an invoice; the rest is paged. */
const EMBEDDED_LINE_COUNT = 10;

export type SubscriptionReason =
  | 'subscription_create'
  | 'subscription_cycle'
  | 'subscription_threshold'
  | 'subscription_update';

export interface NewInvoice {
  id: string;
  customerId: string;
  subscription: Subscription;
  billingReason: SubscriptionReason | 'upcoming';
  createdMs: number;
  periodStartMs: number;
  periodEndMs: number;
  finalizesAtMs: number | null;
}

/** A draft without lines. */
export function newInvoiceWire(state: StripeState, input: NewInvoice): Omit<WireInvoice, 'lines'> {
  const customer = state.customers.get(input.customerId);
  const { wire: subscribed } = input.subscription;
  return {
    id: input.id,
    object: 'invoice',
    account_country: 'US',
    account_name: 'Tallystick sandbox',
    account_tax_ids: null,
    amount_due: 0,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_paid_off_stripe: 0,
    amount_remaining: 0,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: input.finalizesAtMs !== null,
    automatic_tax: {
      disabled_reason: null,
      enabled: subscribed.automatic_tax.enabled,
      liability: subscribed.automatic_tax.enabled ? { type: 'self' } : null,
      provider: subscribed.automatic_tax.enabled ? 'stripe' : null,
      status: null,
    },
    automatically_finalizes_at: input.finalizesAtMs === null ? null : toSeconds(input.finalizesAtMs),
    billing_reason: input.billingReason,
    collection_method: 'charge_automatically',
    created: toSeconds(input.createdMs),
    currency: subscribed.currency,
    custom_fields: null,
    customer: input.customerId,
    customer_account: null,
    customer_address: customer?.address ?? null,
    customer_email: customer?.email ?? null,
    customer_name: customer?.name ?? null,
    customer_phone: null,
    customer_shipping: null,
    customer_tax_exempt: 'none',
    default_payment_method: null,
    default_source: null,
    default_tax_rates: subscribed.default_tax_rates ?? [],
    description: null,
    discounts: discountsOfSubscription(state, input.subscription, input.createdMs),
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    parent: {
      quote_details: null,
      subscription_details: { metadata: {}, subscription: subscribed.id },
      type: 'subscription_details',
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: toSeconds(input.periodEndMs),
    period_start: toSeconds(input.periodStartMs),
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: 'draft',
    status_transitions: {
      finalized_at: null,
      marked_uncollectible_at: null,
      paid_at: null,
      voided_at: null,
    },
    subtotal: 0,
    subtotal_excluding_tax: 0,
    test_clock: subscribed.test_clock,
    total: 0,
    total_discount_amounts: [],
    total_excluding_tax: 0,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  };
}

/** The invoice as it travels: its sums taken from the lines, and the first page of these. */
export function renderInvoice(
  state: StripeState,
  wire: Omit<WireInvoice, 'lines'>,
  lines: readonly WireInvoiceLine[],
): WireInvoice {
  const sums = sumLines(lines);
  // "If the invoice has not been finalized yet, this will be the current customer balance."
  const current = state.customers.get(String(wire.customer))?.balance ?? 0;
  const starting_balance = wire.status === 'draft' ? current : wire.starting_balance;
  const due = amountDue({ starting_balance }, sums.total);
  const owed = due - wire.pre_payment_credit_notes_amount;
  const paid = wire.status === 'paid';
  return {
    ...wire,
    ...sums,
    amount_due: due,
    amount_paid: paid ? owed : 0,
    amount_remaining: paid || wire.status === 'void' ? 0 : owed,
    starting_balance,
    automatic_tax: { ...wire.automatic_tax, status: taxStatus(state, wire) },
    lines: {
      object: 'list',
      data: lines.slice(0, EMBEDDED_LINE_COUNT),
      has_more: lines.length > EMBEDDED_LINE_COUNT,
      url: `/v1/invoices/${wire.id}/lines`,
    },
  };
}

function taxStatus(
  state: StripeState,
  { automatic_tax, customer, status }: Omit<WireInvoice, 'lines'>,
): WireInvoice['automatic_tax']['status'] {
  if (!automatic_tax.enabled) return null;
  const country = state.customers.get(String(customer))?.address?.country ?? null;
  return status === 'draft' && country === null ? 'requires_location_inputs' : 'complete';
}

/** A credit balance (below 0) is used up first, a debit is owed besides; a total below 0 is added to the balance. */
export function amountDue(
  { starting_balance }: Pick<WireInvoice, 'starting_balance'>,
  total: number,
): number {
  return Math.max(0, total + starting_balance);
}

/** Lines of an invoice: frozen once finalized, else by the usage received until `receivedUntilMs`. */
export function linesOf(
  state: StripeState,
  invoice: Invoice,
  receivedUntilMs: number,
  useCredit?: UseCredit,
): WireInvoiceLine[] {
  if (invoice.frozenLines !== null) return invoice.frozenLines;
  const metered = computeLines({
    state,
    customerId: invoice.customerId,
    subscriptionId: invoice.subscriptionId,
    metered: invoice.metered,
    periodEndMs: invoice.periodEndMs,
    receivedUntilMs,
    invoiceId: invoice.wire.id,
    linePrefix: `il_${invoice.wire.id.slice(3)}`,
  });
  const items = invoice.itemIds.flatMap((id) => {
    const item = state.invoiceItems.get(id);
    return item === undefined ? [] : [itemLine(item, invoice.wire.id)];
  });
  const lines = [...metered, ...invoice.fixedLines, ...items].map((line) => ({
    ...line,
    ...invoice.lineEdits.get(line.id),
  }));
  return adjustWireLines(state, lines, termsOf(state, invoice), useCredit);
}

/** Items as the invoice bills them; those that are billed ahead, as they are. */
function termsOf(state: StripeState, { customerId, subscriptionId, wire, metered }: Invoice): WireTerms {
  const billed = metered.map(({ item }) => item);
  return { customerId, wire, items: [...billed, ...(state.subscriptions.get(subscriptionId)?.items ?? [])] };
}
