import { HOUR_MS } from '../../clock.ts';
import { linesOf, newInvoiceWire, renderInvoice } from './invoices.ts';
import { addMonths } from './months.ts';
import { StripeRefusal } from './refusal.ts';
import type { Invoice, StripeState, Subscription } from './state.ts';
import { toSeconds, type WireInvoice, type WireInvoiceLine } from './wire.ts';

export interface BillingCycleOptions {
  state: StripeState;
  gracePeriodHours: number;
  aggregationDelayMs: number;
  /** Records an event and sends it to the webhooks. */
  emit: (type: string, object: Record<string, unknown>, atMs: number) => void;
}

interface Happening {
  atMs: number;
  subscription?: Subscription;
  invoice?: Invoice;
}

/**
 * What Stripe's clock does: a period ends, the subscription renews, a draft appears; when its grace is over
 * it takes the usage that has been aggregated by then, gets its number and is paid. Happenings are played in
 * the order of their instants, so one long step and many short ones end alike.
 */
export class BillingCycle {
  readonly #options: BillingCycleOptions;
  #next: Happening | null = null;

  constructor(options: BillingCycleOptions) {
    this.#options = options;
  }

  /** Instant of the next happening; Infinity when there is none. */
  nextDueMs(): number {
    this.#next ??= this.#findNext() ?? { atMs: Number.POSITIVE_INFINITY };
    return this.#next.atMs;
  }

  /** Something was changed from outside that may move the next happening. */
  reconsider(): void {
    this.#next = null;
  }

  /** Plays the next happening, at its own instant. */
  step(): void {
    const next = this.#next ?? this.#findNext();
    this.#next = null;
    if (next?.subscription !== undefined) this.#renew(next.subscription);
    else if (next?.invoice !== undefined) this.finalize(next.invoice, next.atMs);
  }

  /** Lines and sums as they stand at an instant. */
  render(invoice: Invoice, nowMs: number): WireInvoice {
    return renderInvoice(invoice.wire, this.lines(invoice, nowMs));
  }

  lines(invoice: Invoice, nowMs: number): WireInvoiceLine[] {
    const { state, aggregationDelayMs } = this.#options;
    return linesOf(state, invoice, nowMs - aggregationDelayMs);
  }

  /** @throws StripeRefusal when it is no draft any more */
  finalize(invoice: Invoice, atMs: number, autoAdvance = true): void {
    const { state, emit } = this.#options;
    const { wire } = invoice;
    if (wire.status !== 'draft') {
      throw new StripeRefusal(400, {
        code: 'invoice_not_editable',
        message: `This invoice is already finalized, you can't re-finalize a non-draft invoice.`,
      });
    }
    const at = toSeconds(atMs);
    invoice.frozenLines = this.lines(invoice, atMs);
    const customer = state.customers.get(invoice.customerId);
    if (customer !== undefined) {
      const sequence = customer.next_invoice_sequence ?? 1;
      wire.number = `${customer.invoice_prefix}-${String(sequence).padStart(4, '0')}`;
      customer.next_invoice_sequence = sequence + 1;
    }
    wire.status = 'open';
    wire.auto_advance = autoAdvance;
    wire.automatically_finalizes_at = null;
    wire.effective_at = at;
    wire.status_transitions = { ...wire.status_transitions, finalized_at: at };
    emit('invoice.finalized', { ...this.render(invoice, atMs) }, atMs);
    if (autoAdvance) this.#pay(invoice, atMs);
    this.reconsider();
  }

  #pay(invoice: Invoice, atMs: number): void {
    const { wire } = invoice;
    wire.status = 'paid';
    wire.auto_advance = false;
    wire.attempted = true;
    wire.attempt_count = 1;
    wire.status_transitions = { ...wire.status_transitions, paid_at: toSeconds(atMs) };
    this.#options.emit('invoice.paid', { ...this.render(invoice, atMs) }, atMs);
  }

  #renew(subscription: Subscription): void {
    const { state, emit, gracePeriodHours } = this.#options;
    const atMs = subscription.periodEndMs;
    const id = state.nextId('in');
    const invoice: Invoice = {
      subscriptionId: subscription.wire.id,
      customerId: subscription.customerId,
      periodStartMs: subscription.periodStartMs,
      periodEndMs: atMs,
      frozenLines: null,
      wire: newInvoiceWire(state, {
        id,
        customerId: subscription.customerId,
        subscription,
        billingReason: 'subscription_cycle',
        createdMs: atMs,
        periodStartMs: subscription.periodStartMs,
        periodEndMs: atMs,
        finalizesAtMs: atMs + gracePeriodHours * HOUR_MS,
      }),
    };
    state.invoices.set(id, invoice);
    subscription.periodStartMs = atMs;
    subscription.periodEndMs = nextPeriodEnd(subscription.anchorMs, atMs);
    subscription.wire.latest_invoice = id;
    for (const item of subscription.items) {
      item.current_period_start = toSeconds(subscription.periodStartMs);
      item.current_period_end = toSeconds(subscription.periodEndMs);
    }
    emit('invoice.created', { ...this.render(invoice, atMs) }, atMs);
    emit('customer.subscription.updated', { ...renderSubscription(subscription) }, atMs);
  }

  #findNext(): Happening | null {
    let next: Happening | null = null;
    for (const invoice of this.#options.state.invoices.values()) {
      const at = invoice.wire.automatically_finalizes_at;
      if (invoice.wire.status !== 'draft' || invoice.wire.auto_advance !== true || at === null) continue;
      if (next === null || at * 1_000 < next.atMs) next = { atMs: at * 1_000, invoice };
    }
    for (const subscription of this.#options.state.subscriptions.values()) {
      if (subscription.wire.status !== 'active') continue;
      const atMs = subscription.periodEndMs;
      if (next === null || atMs < next.atMs) next = { atMs, subscription };
    }
    return next;
  }
}

/** Items that travel inside a subscription; the rest is paged. */
const EMBEDDED_ITEM_COUNT = 10;

export function renderSubscription(subscription: Subscription) {
  return {
    ...subscription.wire,
    items: {
      object: 'list' as const,
      data: subscription.items.slice(0, EMBEDDED_ITEM_COUNT),
      has_more: subscription.items.length > EMBEDDED_ITEM_COUNT,
      url: `/v1/subscription_items?subscription=${subscription.wire.id}`,
    },
  };
}

function nextPeriodEnd(anchorMs: number, afterMs: number): number {
  for (let months = 1; ; months += 1) {
    const boundary = addMonths(anchorMs, months);
    if (boundary > afterMs) return boundary;
  }
}
