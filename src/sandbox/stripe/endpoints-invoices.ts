import type Stripe from 'stripe';
import type { BillingCycle } from './billing-cycle.ts';
import { type Call, type Endpoint, idOf } from './endpoint.ts';
import { found, retrieve } from './endpoints-catalog.ts';
import { type FormShape, readBoolean, readInteger, readMap, readNested, readText } from './form.ts';
import { computeLines } from './invoice-lines.ts';
import { linesOf, newInvoiceWire, renderInvoice } from './invoices.ts';
import { PAGING_SHAPE, toPage } from './paging.ts';
import { refuseMissing, refuseParameter, StripeRefusal } from './refusal.ts';
import type { Invoice, StripeState, Subscription } from './state.ts';
import type { WireInvoice, WireInvoiceLine } from './wire.ts';

export interface InvoiceEndpointsOptions {
  state: StripeState;
  cycle: BillingCycle;
  aggregationDelayMs: number;
}

const PREVIEW_PREFIX = 'upcoming_in_';

/** Invoices: list, get, lines, preview, update of drafts, finalize. */
export function invoiceEndpoints(options: InvoiceEndpointsOptions): Endpoint[] {
  const { state, cycle } = options;
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
        const created = readRange(readNested(form, 'created'));
        const invoices = [...state.invoices.values()].filter(
          ({ wire, ...invoice }) =>
            created(wire.created) &&
            (customer === undefined || invoice.customerId === customer) &&
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
      run: (call) => preview(options, call).invoice,
    },
    retrieve('/v1/invoices/:id', (id, nowMs) => cycle.render(found(state.invoices, 'invoice', id), nowMs)),
    {
      method: 'POST',
      path: '/v1/invoices/:id',
      shape: {
        auto_advance: 'text',
        automatically_finalizes_at: 'text',
        description: 'text',
        footer: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.InvoiceUpdateParams>,
      mutates: true,
      run: (call) => {
        const invoice = found(state.invoices, 'invoice', idOf(call));
        updateInvoice(invoice, call);
        cycle.reconsider();
        return cycle.render(invoice, call.nowMs);
      },
    },
    {
      method: 'GET',
      path: '/v1/invoices/:id/lines',
      shape: PAGING_SHAPE,
      mutates: false,
      run: (call) => {
        const { form, nowMs } = call;
        return toPage(
          readLines(options, idOf(call), nowMs),
          form,
          `/v1/invoices/${idOf(call)}/lines`,
          'as_given',
        );
      },
    },
    {
      method: 'POST',
      path: '/v1/invoices/:id/finalize',
      shape: { auto_advance: 'text', expand: 'any' } satisfies FormShape<Stripe.InvoiceFinalizeInvoiceParams>,
      mutates: true,
      run: (call) => {
        const invoice = found(state.invoices, 'invoice', idOf(call));
        const autoAdvance = readBoolean(call.form, 'auto_advance') ?? invoice.wire.auto_advance ?? true;
        cycle.finalize(invoice, call.nowMs, autoAdvance);
        return cycle.render(invoice, call.nowMs);
      },
    },
  ];
}

function readLines(options: InvoiceEndpointsOptions, id: string, nowMs: number): WireInvoiceLine[] {
  const { state, aggregationDelayMs } = options;
  if (id.startsWith(PREVIEW_PREFIX)) {
    const subscription = found(state.subscriptions, 'invoice', `sub_${id.slice(PREVIEW_PREFIX.length)}`);
    return previewLines(options, subscription, nowMs);
  }
  return linesOf(state, found(state.invoices, 'invoice', id), nowMs - aggregationDelayMs);
}

function preview(options: InvoiceEndpointsOptions, { form, nowMs }: Call): { invoice: WireInvoice } {
  const { state } = options;
  const subscriptionId = readText(form, 'subscription');
  // A customer alone is refused for good, which is easily mistaken for "nothing to bill".
  if (subscriptionId === undefined) throw refuseMissing('subscription');
  const subscription = found(state.subscriptions, 'subscription', subscriptionId);
  const customerId = readText(form, 'customer');
  if (customerId !== undefined && customerId !== subscription.customerId) {
    throw refuseParameter('customer', `The subscription ${subscriptionId} is not of customer ${customerId}.`);
  }
  if (subscription.wire.status === 'canceled') {
    throw new StripeRefusal(404, {
      code: 'invoice_upcoming_none',
      message: 'No upcoming invoices for customer.',
    });
  }
  const wire = newInvoiceWire(state, {
    id: previewId(subscription),
    customerId: subscription.customerId,
    subscription,
    billingReason: 'upcoming',
    createdMs: subscription.periodEndMs,
    periodStartMs: subscription.periodStartMs,
    periodEndMs: subscription.periodEndMs,
    finalizesAtMs: null,
  });
  return { invoice: renderInvoice(wire, previewLines(options, subscription, nowMs)) };
}

function previewId(subscription: Subscription): string {
  return `${PREVIEW_PREFIX}${subscription.wire.id.slice('sub_'.length)}`;
}

function previewLines(
  { state, aggregationDelayMs }: InvoiceEndpointsOptions,
  subscription: Subscription,
  nowMs: number,
): WireInvoiceLine[] {
  return computeLines({
    state,
    subscription,
    periodStartMs: subscription.periodStartMs,
    periodEndMs: subscription.periodEndMs,
    receivedUntilMs: nowMs - aggregationDelayMs,
    invoiceId: null,
    linePrefix: `il_tmp_${subscription.wire.id.slice('sub_'.length)}`,
  });
}

function updateInvoice({ wire }: Invoice, { form, nowMs }: Call): void {
  const finalizesAt = readInteger(form, 'automatically_finalizes_at');
  const autoAdvance = readBoolean(form, 'auto_advance');
  if (wire.status !== 'draft' && (finalizesAt !== undefined || autoAdvance !== undefined)) {
    throw new StripeRefusal(400, {
      code: 'invoice_not_editable',
      message: 'Finalized invoices can not be updated in this way.',
    });
  }
  if (autoAdvance !== undefined) wire.auto_advance = autoAdvance;
  if (finalizesAt !== undefined) {
    if (wire.auto_advance !== true) {
      throw refuseParameter('automatically_finalizes_at', 'needs auto_advance to be true');
    }
    if (finalizesAt * 1_000 <= nowMs) {
      throw refuseParameter('automatically_finalizes_at', 'must be in the future');
    }
    wire.automatically_finalizes_at = finalizesAt;
  }
  wire.description = readText(form, 'description') ?? wire.description;
  wire.footer = readText(form, 'footer') ?? wire.footer;
  wire.metadata = { ...wire.metadata, ...readMap(form, 'metadata') };
}

function readRange(range: ReturnType<typeof readNested>): (seconds: number) => boolean {
  const from = Math.max(readInteger(range, 'gte') ?? -Infinity, (readInteger(range, 'gt') ?? -Infinity) + 1);
  const until = Math.min(readInteger(range, 'lte') ?? Infinity, (readInteger(range, 'lt') ?? Infinity) - 1);
  return (seconds) => seconds >= from && seconds <= until;
}

function withId(invoice: Invoice): { id: string; invoice: Invoice } {
  return { id: invoice.wire.id, invoice };
}
