import type Stripe from 'stripe';
import { adjustWireLines } from '../adjustments/wire-lines.ts';
import { type FormShape, readRange, readText } from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter, StripeRefusal } from '../http/refusal.ts';
import type { WireInvoice, WireInvoiceLine } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { linesAt } from '../invoices/fate.ts';
import { newInvoiceWire, renderInvoice } from '../invoices/invoices.ts';
import { pendingLines } from '../invoices/items.ts';
import { computeLines } from '../invoices/lines.ts';
import { nextBoundary } from '../invoices/months.ts';
import { endsAt, nextEndMs, periodOf } from '../periods.ts';
import { advanceLines } from '../prorations.ts';
import type { Invoice, StripeState, Subscription } from '../state.ts';
import { isEnded, meteredNow } from '../subscriptions.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';

const PREVIEW_PREFIX = 'upcoming_in_';

/** Invoices as they are read: list, get, lines, preview. */
export function invoiceEndpoints(cycle: BillingCycle): Endpoint[] {
  const { state } = cycle.account;
  return [
    {
      method: 'GET',
      path: '/v1/invoices',
      shape: {
        ...PAGING_SHAPE,
        created: 'any',
        customer: 'text',
        status: 'text',
        subscription: 'text',
      } satisfies FormShape<Stripe.InvoiceListParams>,
      mutates: false,
      run: ({ form, nowMs }) => {
        const { customer, status, subscription } = form;
        const created = readRange(form, 'created');
        const invoices = [...state.invoices.values()].filter(
          ({ wire, ...invoice }) =>
            created(wire.created) &&
            // Those of a test clock only where it is said whose.
            (customer === undefined
              ? subscription !== undefined || state.clockOf(invoice.customerId) === null
              : invoice.customerId === customer) &&
            (subscription === undefined || invoice.subscriptionId === subscription) &&
            (status === undefined || wire.status === status),
        );
        const page = toPage(invoices.map(withId), form, '/v1/invoices');
        return { ...page, data: page.data.map(({ invoice }) => cycle.render(invoice, nowMs)) };
      },
    },
    {
      method: 'POST',
      path: '/v1/invoices/create_preview',
      shape: {
        customer: 'text',
        subscription: 'text',
        preview_mode: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.InvoiceCreatePreviewParams>,
      mutates: false,
      run: (call) => preview(cycle, call),
    },
    retrieve('/v1/invoices/:id', (id, nowMs) => cycle.render(found(state.invoices, 'invoice', id), nowMs)),
    {
      method: 'GET',
      path: '/v1/invoices/:id/lines',
      shape: PAGING_SHAPE,
      mutates: false,
      run: (call) => {
        const { form, nowMs } = call;
        const lines = readLines(cycle, idOf(call), nowMs);
        return toPage(lines, form, `/v1/invoices/${idOf(call)}/lines`, 'as_given');
      },
    },
  ];
}

function readLines({ account }: BillingCycle, id: string, nowMs: number): WireInvoiceLine[] {
  const { state } = account;
  if (id.startsWith(PREVIEW_PREFIX)) {
    const subscription = found(state.subscriptions, 'invoice', `sub_${id.slice(PREVIEW_PREFIX.length)}`);
    return previewLines(account, subscription, upcomingWire(state, subscription), nowMs);
  }
  return linesAt(account, found(state.invoices, 'invoice', id), nowMs);
}

function preview({ account }: BillingCycle, { form, nowMs }: Call): WireInvoice {
  const { state } = account;
  const subscriptionId = readText(form, 'subscription');
  // A customer alone is refused for good, which is easily mistaken for "nothing to bill".
  if (subscriptionId === undefined) throw refuseMissing('subscription');
  const subscription = found(state.subscriptions, 'subscription', subscriptionId);
  const customerId = readText(form, 'customer');
  if (customerId !== undefined && customerId !== subscription.customerId) {
    throw refuseParameter('customer', `The subscription ${subscriptionId} is not of customer ${customerId}.`);
  }
  if (isEnded(subscription)) {
    throw new StripeRefusal(404, {
      code: 'invoice_upcoming_none',
      message: 'No upcoming invoices for customer.',
    });
  }
  const wire = upcomingWire(state, subscription);
  return renderInvoice(state, wire, previewLines(account, subscription, wire, nowMs));
}

function upcomingWire(state: StripeState, subscription: Subscription): Invoice['wire'] {
  return newInvoiceWire(state, {
    id: `${PREVIEW_PREFIX}${subscription.wire.id.slice('sub_'.length)}`,
    customerId: subscription.customerId,
    subscription,
    billingReason: 'upcoming',
    createdMs: nextEndMs(subscription),
    periodStartMs: subscription.periodStartMs,
    periodEndMs: nextEndMs(subscription),
    finalizesAtMs: null,
  });
}

function previewLines(
  { state, aggregationDelayMs }: BillingCycle['account'],
  subscription: Subscription,
  wire: Invoice['wire'],
  nowMs: number,
): WireInvoiceLine[] {
  const endMs = nextEndMs(subscription);
  const linePrefix = `il_tmp_${subscription.wire.id.slice('sub_'.length)}`;
  const bills = meteredNow(state, subscription).filter(({ item }) => endsAt(subscription, item, endMs));
  const metered = computeLines({
    state,
    customerId: subscription.customerId,
    subscriptionId: subscription.wire.id,
    metered: bills,
    periodEndMs: endMs,
    receivedUntilMs: nowMs - aggregationDelayMs,
    invoiceId: null,
    linePrefix,
  });
  const due = subscription.items.filter((item) => endsAt(subscription, item, endMs));
  const advance = advanceLines(state, subscription, due, {
    id: null,
    linePrefix,
    periodOf: (item) => {
      const { interval } = periodOf(subscription, item);
      const periodEndMs = nextBoundary(subscription.anchorMs, endMs, interval);
      return { interval, periodStartMs: endMs, periodEndMs };
    },
  });
  const lines = [...metered, ...advance, ...pendingLines(state, subscription)];
  return adjustWireLines(state, lines, {
    customerId: subscription.customerId,
    wire,
    items: subscription.items,
  });
}

function withId(invoice: Invoice): { id: string; invoice: Invoice } {
  return { id: invoice.wire.id, invoice };
}
