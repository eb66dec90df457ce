import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import { readStripeCredits } from '../../../src/previews/stripe-credits.ts';
import type { ClosingInvoice, InvoiceSystem } from '../../../src/stripe/closing/port.ts';
import type { BillingSystem } from '../../../src/stripe/port.ts';
import type { Draws } from '../../simulation/draws.ts';
import { compare, type LateOnDraft, type Period, type Segment, topUpOf } from './certify.ts';
import {
  type AccountReadings,
  type ComparedPeriod,
  comparePeriod,
  type JudgedFacts,
  notInvoiced,
} from './compared.ts';
import { type Customer, type RatedItem, type Shelf, swapPrice } from './customer.ts';
import { CURRENCIES } from './plan-spec.ts';
import { chargeLate, type Facts, type LateSegment, mergeQuote, previewOf, subtotalOf } from './previewed.ts';
import { drawCounts } from './usage.ts';

interface MonthsParts extends AccountReadings {
  shelf: Shelf;
  invoicing: InvoiceSystem;
  billing: Pick<BillingSystem, 'previewInvoice' | 'listCreditGrants' | 'readCreditBalance'>;
  draws: Draws;
  moveTo: (nowMs: number) => void;
  customers: readonly Customer[];
}

interface Use {
  count: bigint;
  at: Date;
}

type SentLater = Use & { item: RatedItem };

const NOT_SAID: Pick<ComparedPeriod, 'previewed' | 'quoted'> = {
  previewed: { subtotal: null, total: null, due: null, reason: null },
  quoted: null,
};

const countOf = (uses: readonly Use[]) => uses.reduce((total, { count }) => total + count, 0n);

/** The months of one account: usage, prices exchanged, drafts topped up, final invoices judged. */
export class Months {
  readonly #parts: MonthsParts;
  /** What each customer's last invoice was of. */
  readonly #last = new Map<Customer, { period: Period; topUp: bigint }>();
  #eventCount = 0;

  constructor(parts: MonthsParts) {
    this.#parts = parts;
  }

  async playMonth(start: Date, end: Date): Promise<ComparedPeriod[]> {
    const { draws, moveTo, customers, shelf } = this.#parts;
    const swapsAt = new Date(
      start.getTime() + draws.between(5, 20) * DAY_MS + draws.between(0, 900) * MINUTE_MS,
    );
    moveTo(swapsAt.getTime());
    const left = new Map<Customer, Segment>();
    for (const customer of customers) {
      if (!draws.chance(0.25) || swapsAt <= billedFrom(customer, start)) continue;
      const index = draws.between(0, customer.items.length - 1);
      const before = customer.items[index] as RatedItem;
      const since = billedFrom(customer, start);
      const used = await this.#use(customer, before, { start: since, end: swapsAt });
      const isForgone = draws.chance(0.2);
      await swapPrice(shelf, customer, index, draws, isForgone ? 'none' : 'create_prorations');
      const period = { start: since, end: swapsAt };
      left.set(customer, { ...before, ...period, used, isLeft: true, isForgone, isTrial: false });
    }
    // Of every other customer the usage is sent when the draft is made already.
    const segments = new Map<Customer, Segment[]>();
    const stored = new Map<Customer, bigint>();
    const unsent = new Map<Customer, SentLater[]>();
    moveTo(end.getTime() - MINUTE_MS);
    for (const [index, customer] of customers.entries()) {
      const own: Segment[] = [];
      const isTrial = isInTrial(customer, start, end);
      const billed = isTrial ? start : billedFrom(customer, start);
      const gone = left.get(customer);
      for (const item of customer.items) {
        const since = item.itemId === gone?.itemId ? swapsAt : billed;
        // What is used in a trial that ends within the month is on no invoice.
        if (billed > start) await this.#use(customer, item, { start, end: billed });
        const uses = this.#draw(item, { start: since, end });
        const used = countOf(uses);
        own.push({ ...item, start: since, end, used, isLeft: false, isForgone: false, isTrial });
        if (index % 2 === 0 && this.#mayWait(customer))
          unsent.set(customer, [...(unsent.get(customer) ?? []), ...uses.map((use) => ({ ...use, item }))]);
        else await this.#sendAll(customer, item, uses);
      }
      segments.set(customer, [...own, ...(gone === undefined ? [] : [gone])]);
      if (customer.storage === null) continue;
      const quantity = BigInt(draws.between(0, 50));
      await this.#send(customer, customer.storage.eventName, quantity, new Date(end.getTime() - DAY_MS));
      stored.set(customer, quantity);
    }
    const late = new Map(customers.map((customer) => [customer, this.#drawLate(customer)]));
    const periodOf = (customer: Customer) => ({
      start: isInTrial(customer, start, end) ? start : billedFrom(customer, start),
      end,
    });
    moveTo(end.getTime() - 1_000);
    const said = new Map<Customer, Pick<ComparedPeriod, 'previewed' | 'quoted'>>();
    for (const customer of customers) {
      const facts = { segments: segments.get(customer) ?? [], late: late.get(customer) ?? null };
      said.set(customer, await this.#preview(customer, { ...facts, period: periodOf(customer) }));
    }
    moveTo(end.getTime() + MINUTE_MS);
    for (const [customer, uses] of unsent)
      for (const { item, ...use } of uses) await this.#sendAll(customer, item, [use]);
    const drafts = await shelf.calls.listAll<{ id: string; customer: string }>('/v1/invoices?status=draft&');
    const invoiceIds = new Map(drafts.map((draft) => [draft.customer, draft.id]));
    const invoicedOf = (customer: Customer): Period => ({
      invoiceId: invoiceIds.get(customer.customerId) ?? '',
      ...periodOf(customer),
      segments: segments.get(customer) ?? [],
      late: onDraft.get(customer) ?? null,
    });
    const onDraft = new Map<Customer, LateOnDraft>();
    const invoiced = customers.filter(({ customerId }) => invoiceIds.has(customerId));
    for (const customer of invoiced) {
      const added = await this.#addLate(customer, invoicedOf(customer), late.get(customer) ?? null);
      if (added !== null) onDraft.set(customer, added);
    }
    for (const customer of invoiced) await this.#topUp(customer, invoicedOf(customer));
    moveTo(end.getTime() + 2 * HOUR_MS);
    const compared: ComparedPeriod[] = [];
    for (const customer of customers) {
      const facts = {
        account: this.#parts,
        stored: stored.get(customer) ?? 0n,
        late: late.get(customer) ?? null,
        isUnsent: unsent.has(customer),
        said: said.get(customer) ?? NOT_SAID,
      };
      compared.push(
        invoiceIds.has(customer.customerId)
          ? await this.#compare(customer, invoicedOf(customer), facts)
          : notInvoiced(customer, invoicedOf(customer), facts),
      );
    }
    return compared;
  }

  async #topUp(customer: Customer, period: Period): Promise<void> {
    const topUp = topUpOf(compare(customer, period, await this.#read(period.invoiceId)));
    if (topUp === null) return;
    await this.#parts.shelf.calls.post('/v1/invoiceitems', {
      customer: customer.customerId,
      invoice: period.invoiceId,
      currency: customer.plan.currency,
      description: 'Top-up to the minimum',
      period: { start: period.start.getTime() / 1_000, end: period.end.getTime() / 1_000 },
      ...topUp,
    });
  }

  /** A line that stands still at nothing does not tell how lines are rounded: there all is sent before. */
  #mayWait({ plan }: Customer): boolean {
    return this.#parts.roundsLinesToSteps || CURRENCIES[plan.currency].step === 1n;
  }

  /** The month before: usage that comes after its invoice, or that Stripe forwent and a person has taken up. */
  #drawLate(customer: Customer): LateSegment | null {
    const { draws } = this.#parts;
    const last = this.#last.get(customer);
    if (
      last === undefined ||
      !draws.chance(last.period.segments.some(({ isForgone }) => isForgone) ? 0.9 : 0.3)
    )
      return null;
    const { segments, invoiceId } = last.period;
    const forgone = segments.find(({ isForgone, used }) => isForgone && used > 0n);
    if (forgone !== undefined && draws.chance(0.7))
      return { segment: forgone, tokenCount: forgone.used, billed: 0n, invoiceId, topUpLeft: last.topUp };
    const [segment] = draws.shuffle(segments.filter(({ isLeft }) => !isLeft));
    if (segment === undefined) return null;
    const tokenCount = BigInt(draws.between(1, draws.pick([10, 100_000, 40_000_000])));
    const billed = segment.used > 0n ? segment.used : 0n;
    return { segment, tokenCount, billed, invoiceId, topUpLeft: last.topUp };
  }

  /** What is said one second before the period ends, of all usage, whether it was sent or not. */
  async #preview(
    customer: Customer,
    known: Omit<Facts, 'invoice' | 'credits' | 'now'>,
  ): Promise<Pick<ComparedPeriod, 'previewed' | 'quoted'>> {
    const { billing, draws } = this.#parts;
    const { customerId: stripeCustomerId, subscriptionId, plan, items } = customer;
    const invoice = await billing.previewInvoice({ stripeCustomerId, subscriptionId });
    const now = new Date(known.period.end.getTime() - 1_000);
    const credits = await readStripeCredits(
      { billing, now, takeRead: async () => true },
      { stripeCustomerId, currency: invoice.currency, endsAt: invoice.totals?.endsAt ?? known.period.end },
    );
    const facts = { ...known, invoice, credits, now };
    const preview = previewOf(customer, facts);
    const subtotal = subtotalOf(preview);
    const { totals, reason } = preview.total;
    const previewed = {
      subtotal,
      total: totals?.totalMinor ?? null,
      due: totals?.dueMinor ?? null,
      reason,
    };
    const { segments } = facts;
    // What a quote costs in a trial is what it costs after, and that usage was forgone only Stripe knows before the close.
    const isQuoted = segments.every(({ isForgone, isTrial, used }) => !isForgone && !isTrial && used >= 0n);
    if (!isQuoted || CURRENCIES[plan.currency].step > 1n) return { previewed, quoted: null };
    const more = items.map(() =>
      BigInt(draws.pick([0, draws.between(1, 1_000), draws.between(1, 60_000_000)])),
    );
    const further = segments.map((segment, index) => ({
      ...segment,
      used: segment.used + (segment.isLeft ? 0n : (more[index] ?? 0n)),
    }));
    const withMore = subtotalOf(previewOf(customer, { ...facts, segments: further }));
    return {
      previewed,
      quoted: {
        added: mergeQuote(customer, segments, more),
        difference: withMore === null || subtotal === null ? null : withMore - subtotal,
      },
    };
  }

  async #addLate(
    customer: Customer,
    { invoiceId }: Period,
    late: LateSegment | null,
  ): Promise<LateOnDraft | null> {
    const charge = late === null ? null : chargeLate(customer, late);
    if (late === null || charge === null) return null;
    const { start, end } = late.segment;
    const item = await this.#parts.shelf.calls.post<{ id: string }>('/v1/invoiceitems', {
      customer: customer.customerId,
      invoice: invoiceId,
      currency: customer.plan.currency,
      description: 'Late usage',
      period: { start: start.getTime() / 1_000, end: end.getTime() / 1_000 },
      metadata: { tallystick_key: 'late', tallystick_late_item: '1' },
      ...(charge.unitAmountDecimal === null
        ? { amount: charge.amountMinor }
        : { quantity: late.tokenCount, unit_amount_decimal: charge.unitAmountDecimal }),
    });
    return { ...late, charge, invoiceItemId: item.id };
  }

  async #compare(customer: Customer, period: Period, facts: JudgedFacts): Promise<ComparedPeriod> {
    const invoice = await this.#read(period.invoiceId);
    if (invoice.status === 'draft') throw new Error(`${invoice.invoiceId} is still a draft`);
    const { topUp, ...compared } = comparePeriod(customer, period, invoice, facts);
    if (!compared.marks.trial) this.#last.set(customer, { period, topUp });
    return compared;
  }

  async #read(invoiceId: string): Promise<ClosingInvoice> {
    const invoice = await this.#parts.invoicing.readInvoice(invoiceId);
    if (invoice === null) throw new Error(`there is no invoice ${invoiceId}`);
    return invoice;
  }

  async #use(customer: Customer, item: RatedItem, span: { start: Date; end: Date }): Promise<bigint> {
    const uses = this.#draw(item, span);
    await this.#sendAll(customer, item, uses);
    return countOf(uses);
  }

  #draw({ spec }: RatedItem, { start, end }: { start: Date; end: Date }): Use[] {
    const { draws } = this.#parts;
    const minutes = Math.floor((end.getTime() - start.getTime()) / MINUTE_MS) - 1;
    return drawCounts(draws, spec).map((count) => ({
      count,
      at: new Date(start.getTime() + draws.between(0, minutes) * MINUTE_MS),
    }));
  }

  async #sendAll(customer: Customer, { eventName }: RatedItem, uses: readonly Use[]): Promise<void> {
    for (const { count, at } of uses) await this.#send(customer, eventName, count, at);
  }

  async #send(customer: Customer, eventName: string, value: bigint, at: Date): Promise<void> {
    this.#eventCount += 1;
    await this.#parts.shelf.calls.post('/v1/billing/meter_events', {
      event_name: eventName,
      payload: { stripe_customer_id: customer.customerId, value },
      identifier: `generated-${this.#eventCount}`,
      timestamp: Math.floor(at.getTime() / 1_000),
    });
  }
}

/** From when on usage of a month is billed. */
function billedFrom({ trialEndsAt }: Customer, start: Date): Date {
  return trialEndsAt !== null && trialEndsAt > start ? trialEndsAt : start;
}

/** A month that is a trial as a whole. */
function isInTrial(customer: Customer, start: Date, end: Date): boolean {
  return billedFrom(customer, start) >= end;
}
