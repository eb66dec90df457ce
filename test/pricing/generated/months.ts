import { rateUsage } from '../../../pricing/rating/rate-usage.ts';
import type { DraftQuantities } from '../../../sandbox/stripe/account.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import { readStripeCredits } from '../../../src/previews/stripe-credits.ts';
import type { ClosingInvoice, InvoiceSystem } from '../../../src/stripe/closing/port.ts';
import type { BillingSystem } from '../../../src/stripe/port.ts';
import type { Draws } from '../../simulation/draws.ts';
import { certify, compare, type LateOnDraft, type Period, type Segment, state, topUpOf } from './certify.ts';
import { type Customer, type RatedItem, type Shelf, swapPrice } from './customer.ts';
import { oracleLate, oracleLines, oracleTopUp, oracleTotals } from './period-oracle.ts';
import { CURRENCIES } from './plan-spec.ts';
import { chargeLate, type Facts, type LateSegment, mergeQuote, previewOf, subtotalOf } from './previewed.ts';
import { drawCounts, keyUnder } from './usage.ts';

/** Opinions on one billing period, in minor units. */
export interface ComparedPeriod {
  what: string;
  /** What the oracle expects of each part of the usage, line by line, and of the whole. */
  expected: { lines: bigint[][]; subtotal: bigint; total: bigint; due: bigint };
  /** The invoice's, as Stripe has it. */
  invoiced: { lines: bigint[][]; total: bigint; due: bigint };
  /** By our rating: lines, null where the currency's are rounded to what can be charged; by the certificate, and the whole. */
  rated: { lines: bigint[][] | null; amounts: bigint[]; subtotal: bigint; total: bigint };
  /** By the statement: the lines, and what its tables divide of the usage. */
  stated: { subtotal: bigint; total: bigint; usage: bigint; tables: bigint[]; expectedUsage: bigint };
  /** One second before the period's end; null: the preview does not say. */
  previewed: { subtotal: bigint | null; total: bigint | null; due: bigint | null; reason: string | null };
  /** What a quote for more usage adds, and what it adds to the preview; null: none was asked for. */
  quoted: { added: bigint | null; difference: bigint | null } | null;
  /** By which the certificate's halves differ, beyond what Stripe forwent. */
  driftTokens: bigint;
  driftMinor: bigint;
  marks: {
    topUp: boolean;
    swapped: boolean;
    forgone: boolean;
    storage: boolean;
    late: boolean;
    unsent: boolean;
    quoted: boolean;
    previewedTotal: boolean;
    termsUnknown: boolean;
    coupon: boolean;
    tax: boolean;
    credits: boolean;
    balance: boolean;
    currency: string;
    drafts: DraftQuantities;
  };
}

interface MonthsParts {
  shelf: Shelf;
  invoicing: InvoiceSystem;
  billing: Pick<BillingSystem, 'previewInvoice' | 'listCreditGrants' | 'readCreditBalance'>;
  draws: Draws;
  moveTo: (nowMs: number) => void;
  customers: readonly Customer[];
  draftQuantities: DraftQuantities;
  roundsLinesToSteps: boolean;
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
      if (!draws.chance(0.25)) continue;
      const index = draws.between(0, customer.items.length - 1);
      const before = customer.items[index] as RatedItem;
      const used = await this.#use(customer, before, { start, end: swapsAt });
      const isForgone = draws.chance(0.2);
      await swapPrice(shelf, customer, index, draws, isForgone ? 'none' : 'create_prorations');
      left.set(customer, { ...before, start, end: swapsAt, used, isLeft: true, isForgone });
    }
    // Of every other customer the usage is sent when the draft is made already.
    const segments = new Map<Customer, Segment[]>();
    const stored = new Map<Customer, bigint>();
    const unsent = new Map<Customer, SentLater[]>();
    moveTo(end.getTime() - MINUTE_MS);
    for (const [index, customer] of customers.entries()) {
      const own: Segment[] = [];
      const gone = left.get(customer);
      for (const item of customer.items) {
        const since = item.itemId === gone?.itemId ? swapsAt : start;
        const uses = this.#draw(item, { start: since, end });
        own.push({ ...item, start: since, end, used: countOf(uses), isLeft: false, isForgone: false });
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
    moveTo(end.getTime() - 1_000);
    const said = new Map<Customer, Pick<ComparedPeriod, 'previewed' | 'quoted'>>();
    for (const customer of customers) {
      const facts = { segments: segments.get(customer) ?? [], late: late.get(customer) ?? null };
      said.set(customer, await this.#preview(customer, { ...facts, period: { start, end } }));
    }
    moveTo(end.getTime() + MINUTE_MS);
    for (const [customer, uses] of unsent)
      for (const { item, ...use } of uses) await this.#sendAll(customer, item, [use]);
    const drafts = await shelf.calls.listAll<{ id: string; customer: string }>('/v1/invoices?status=draft&');
    const invoiceIds = new Map(drafts.map((draft) => [draft.customer, draft.id]));
    const periodOf = (customer: Customer): Period => ({
      invoiceId: invoiceIds.get(customer.customerId) ?? '',
      start,
      end,
      segments: segments.get(customer) ?? [],
      late: onDraft.get(customer) ?? null,
    });
    const onDraft = new Map<Customer, LateOnDraft>();
    for (const customer of customers) {
      const added = await this.#addLate(customer, periodOf(customer), late.get(customer) ?? null);
      if (added !== null) onDraft.set(customer, added);
    }
    for (const customer of customers) await this.#topUp(customer, periodOf(customer));
    moveTo(end.getTime() + 2 * HOUR_MS);
    const compared: ComparedPeriod[] = [];
    for (const customer of customers)
      compared.push(
        await this.#judge(customer, periodOf(customer), {
          stored: stored.get(customer) ?? 0n,
          late: late.get(customer) ?? null,
          isUnsent: unsent.has(customer),
          said: said.get(customer) ?? NOT_SAID,
        }),
      );
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

  /** Usage of the month before that comes after its invoice. */
  #drawLate(customer: Customer): LateSegment | null {
    const { draws } = this.#parts;
    const last = this.#last.get(customer);
    if (last === undefined || !draws.chance(0.3)) return null;
    const { segments, invoiceId } = last.period;
    const [segment] = draws.shuffle(segments.filter(({ isLeft }) => !isLeft));
    if (segment === undefined) return null;
    const tokenCount = BigInt(draws.between(1, draws.pick([10, 100_000, 40_000_000])));
    return { segment, tokenCount, invoiceId, topUpLeft: last.topUp };
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
    const isOnePrice = segments.every(({ isLeft, used }) => !isLeft && used >= 0n);
    if (!isOnePrice || CURRENCIES[plan.currency].step > 1n) return { previewed, quoted: null };
    const more = items.map(() =>
      BigInt(draws.pick([0, draws.between(1, 1_000), draws.between(1, 60_000_000)])),
    );
    const further = segments.map((segment, index) => ({
      ...segment,
      used: segment.used + (more[index] ?? 0n),
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

  async #judge(
    customer: Customer,
    period: Period,
    {
      stored,
      late,
      isUnsent,
      said,
    }: {
      stored: bigint;
      late: LateSegment | null;
      isUnsent: boolean;
      said: Pick<ComparedPeriod, 'previewed' | 'quoted'>;
    },
  ): Promise<ComparedPeriod> {
    const { draftQuantities, roundsLinesToSteps } = this.#parts;
    const { segments, start } = period;
    const { plan, storage } = customer;
    const { step } = CURRENCIES[plan.currency];
    const roundedTo = roundsLinesToSteps ? step : 1n;
    const invoice = await this.#read(period.invoiceId);
    if (invoice.status === 'draft') throw new Error(`${invoice.invoiceId} is still a draft`);
    const comparison = compare(customer, period, invoice);
    const certificate = certify(comparison);
    const statement = state(customer, period, invoice);

    const lines = segments.map(({ spec, used, isLeft, isForgone }) =>
      isForgone || (isLeft && used <= 0n) ? [] : oracleLines(spec, used, roundedTo),
    );
    const charged = sum(lines.flat());
    const topUp = oracleTopUp(plan.minimumMinor, charged, step);
    const storageMinor = storage === null ? 0n : stored * storage.unitMinor;
    const lateMinor = late === null ? 0n : oracleLate(late, step);
    const subtotal = charged + topUp + storageMinor + lateMinor;
    const isWhole = [...lines.flat(), topUp, storageMinor, lateMinor].every(
      (amount) => amount % roundedTo === 0n,
    );
    const left = sum(lines.filter((_, index) => segments[index]?.isLeft === true).flat());
    this.#last.set(customer, { period, topUp });
    const before = { ...customer.terms };
    const { total, due } = oracleTotals(
      customer.terms,
      { lines: subtotal, metered: charged - left + storageMinor },
      isWhole ? roundedTo : 1n,
    );
    const forgone = segments.filter(({ isForgone, used }) => isForgone && used > 0n);
    const { byDay, byModel, byFeature, byUser, totals } = statement;
    const ratedTopUp =
      topUpOf({ ...comparison, minimums: comparison.minimums.map((one) => ({ ...one })) })?.amount ?? 0n;
    const amounts = segments.map(({ meterId, start: since }) =>
      BigInt(
        comparison.meters.find(
          (meter) => meter.stripeMeterId === meterId && Date.parse(meter.period.start) === since.getTime(),
        )?.ratedAmountMinor ?? '0',
      ),
    );
    return {
      what: describe(customer, segments),
      expected: { lines, subtotal, total, due },
      invoiced: {
        lines: segments.map((segment) => linesOf(invoice, segment)),
        total: invoice.totalMinor,
        due: invoice.amountDueMinor,
      },
      rated: {
        lines: roundedTo > 1n ? null : segments.map(ratedLinesOf),
        amounts,
        subtotal: sum(amounts) + ratedTopUp + storageMinor + (period.late?.charge.amountMinor ?? 0n),
        total: BigInt(comparison.totalMinor),
      },
      stated: {
        subtotal: totals.lineMinor,
        total: totals.invoiceMinor,
        usage: totals.usageMinor,
        tables: [byDay, byModel, byFeature, byUser].map(
          ({ rows, rest }) => sum(rows.map((row) => row.amountMinor)) + (rest?.amountMinor ?? 0n),
        ),
        expectedUsage: charged,
      },
      ...said,
      driftTokens: certificate.driftTokenCount - sum(forgone.map(({ used }) => used)),
      driftMinor: certificate.driftAmountMinor,
      marks: {
        topUp: topUp > 0n,
        swapped: segments.some(({ isLeft, start: since, used }) => isLeft && +since === +start && used > 0n),
        forgone: forgone.length > 0,
        storage: storageMinor > 0n,
        late: late !== null,
        unsent: isUnsent,
        quoted: said.quoted !== null,
        previewedTotal: said.previewed.total !== null,
        termsUnknown: said.previewed.reason === 'terms_unknown',
        coupon: before.off > 0n && subtotal > 0n,
        tax: before.tax > 0n && subtotal > 0n,
        credits: before.grantMinor > customer.terms.grantMinor,
        balance: before.balanceMinor > customer.terms.balanceMinor,
        currency: plan.currency,
        drafts: draftQuantities,
      },
    };
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

/** What the house rates of a part, line by line. */
function ratedLinesOf({ rate, used, isForgone, isLeft }: Segment): bigint[] {
  if (isForgone || (isLeft && used <= 0n)) return [];
  const { lines } = rateUsage([{ ...keyUnder(rate), tokenCount: used }], [rate], 0n);
  return lines.flatMap((line) => line.tierLines.map((tier) => tier.amountMinor));
}

/** A tier's flat amount is a line of its own, after the tier's tokens. */
function linesOf(invoice: ClosingInvoice, { itemId, priceId, isLeft }: Segment): bigint[] {
  const folded: bigint[] = [];
  for (const line of invoice.lines) {
    const isIts = isLeft
      ? line.invoiceItemId !== null && line.priceId === priceId
      : line.invoiceItemId === null && line.subscriptionItemId === itemId;
    if (!isIts) continue;
    const isFlat = line.unitAmountDecimal === null || (isLeft && line.quantity === 0n);
    if (isFlat && folded.length > 0) folded.push((folded.pop() ?? 0n) + line.amountMinor);
    else folded.push(line.amountMinor);
  }
  return folded;
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

function describe({ plan }: Customer, segments: readonly Segment[]): string {
  const used = segments.map((segment) => segment.used);
  return JSON.stringify({ plan, used }, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
