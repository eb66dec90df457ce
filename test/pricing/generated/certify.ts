import { buildComparison, groupLines, sumKey } from '../../../jobs/close/build-comparison.ts';
import {
  buildCloseCertificate,
  type CloseComparison,
  findDraftDifferences,
  minimumTopUp,
} from '../../../pricing/closing/certificate.ts';
import type { LateCharge } from '../../../pricing/invoices/late-usage.ts';
import type { LateItem } from '../../../src/billing/late-items.ts';
import { type ClosingItem, type ClosingItems, priceKey } from '../../../src/closing/evidence.ts';
import { decideInvoiceStatement, type Statement } from '../../../src/statements/decide.ts';
import type { ClosingInvoice } from '../../../src/stripe/closing/port.ts';
import type { Customer, RatedItem } from './customer.ts';
import type { LateSegment } from './previewed.ts';
import { keyUnder } from './usage.ts';

/** Usage of one item at one price, in the part of the period in which it had that. */
export interface Segment extends RatedItem {
  start: Date;
  end: Date;
  used: bigint;
  /** The item has left this price in the period: it is on an invoice item, or, forgone, on no invoice. */
  isLeft: boolean;
  isForgone: boolean;
  /** Used in a trial: it is given away. */
  isTrial: boolean;
}

export interface Period {
  invoiceId: string;
  start: Date;
  end: Date;
  segments: readonly Segment[];
  late: LateOnDraft | null;
}

/** Late usage as an item of the draft. */
export interface LateOnDraft extends LateSegment {
  charge: LateCharge;
  invoiceItemId: string;
}

const PLAN_ID = 'generated';

/** Holds an invoice against what was delivered for it, as a close does. */
export function compare(customer: Customer, period: Period, invoice: ClosingInvoice): CloseComparison {
  const { customerId, subscriptionId, plan, items } = customer;
  const { segments, start, end, invoiceId } = period;
  const minimumMinor = minimumOf(customer, start);
  const known = itemsOf(customer, segments);
  return buildComparison({
    close: {
      invoiceId,
      customerId,
      stripeCustomerId: customerId,
      subscriptionId,
      currency: plan.currency,
      periodStart: start,
      periodEnd: end,
      state: 'pushed',
      stateAt: end,
      deadline: null,
      attemptCount: 0,
      heldCount: 0,
      comparison: null,
      difference: null,
      releasedBy: null,
      releasedReason: null,
    },
    invoice,
    groups: groupLines(invoice, known, []),
    pushed: segments.map((segment) => ({
      stripeMeterId: segment.meterId,
      periodStart: segment.start,
      tokenCount: segment.used,
      pushCount: 1n,
      lastDeliveredAt: null,
    })),
    tokenTypes: [],
    heldMetrics: [],
    lateItems: period.late === null ? [] : [toLateItem(customer, invoiceId, period.late)],
    minimums:
      minimumMinor === 0n
        ? []
        : [
            {
              planId: PLAN_ID,
              planName: PLAN_ID,
              versionId: PLAN_ID,
              currency: plan.currency,
              minimumMinor,
              meterIds: items.map(({ meterId }) => meterId),
            },
          ],
    uninvoiced: segments
      .filter(({ isForgone, used }) => isForgone && used > 0n)
      .map((segment) => ({
        stripeMeterId: segment.meterId,
        eventName: segment.eventName,
        reason: 'price_swapped' as const,
        periodStart: segment.start,
        periodEnd: segment.end,
        tokenCount: segment.used,
        pushCount: 1n,
      })),
    chargedElsewhere: [],
    evidence: { collection: { chains: [] }, priceBookVersion: '', planVersions: [] },
    stripeSums: new Map(segments.map((one) => [sumKey(one.meterId, one.start.getTime()), one.used])),
    comparedAt: end,
  });
}

function toLateItem(
  { customerId, subscriptionId, plan }: Customer,
  invoiceId: string,
  { segment, tokenCount, charge, invoiceItemId, ...missed }: LateOnDraft,
): LateItem {
  return {
    lateItemId: 1n,
    customerId,
    invoiceId,
    subscriptionId,
    missedInvoiceId: missed.invoiceId,
    stripeMeterId: segment.meterId,
    productName: segment.eventName,
    periodStart: segment.start,
    periodEnd: segment.end,
    usedFrom: segment.start,
    usedTo: segment.end,
    tokenCount,
    currency: plan.currency,
    unitAmountDecimal: charge.unitAmountDecimal,
    amountMinor: charge.amountMinor,
    description: 'Late usage',
    idempotencyKey: 'late',
    state: 'created',
    invoiceItemId,
  };
}

/** The item that a draft is topped up by; null: it lacks nothing. @throws Error where anything else differs */
export function topUpOf(comparison: CloseComparison) {
  const others = findDraftDifferences(comparison).filter(({ kind }) => kind !== 'minimum');
  if (others.length > 0) throw new Error(`the draft differs: ${JSON.stringify(others)}`);
  const [minimum] = comparison.minimums;
  const amount = minimum === undefined ? 0n : minimumTopUp(minimum, comparison.currency);
  if (amount === 0n) return null;
  return { amount, metadata: { tallystick_key: 'top-up', tallystick_minimum: PLAN_ID } };
}

export function certify(comparison: CloseComparison) {
  return buildCloseCertificate(comparison, { outcome: 'finalized', release: null });
}

/** The statement of a final invoice, from what was delivered for its lines, by two users on two days. */
export function state(customer: Customer, period: Period, invoice: ClosingInvoice): Statement {
  const { byItem, byPrice } = itemsOf(customer, period.segments);
  const lines = invoice.lines.map(({ periodStart, periodEnd, ...line }) => ({
    ...line,
    stripeMeterId:
      line.invoiceItemId === null
        ? (byItem.get(line.subscriptionItemId ?? '')?.stripeMeterId ?? null)
        : (byPrice.get(priceKey(invoice.subscriptionId, line.priceId))?.stripeMeterId ?? null),
    period: { start: periodStart, end: periodEnd },
  }));
  const billed = period.segments.filter(({ isForgone, used }) => !isForgone && used > 0n);
  const halves = billed.flatMap((segment) =>
    [segment.used / 2n, segment.used - segment.used / 2n].map((tokenCount, index) => ({
      stripeMeterId: segment.meterId,
      periodStart: segment.start,
      periodEnd: segment.end,
      day: segment.start.toISOString().slice(0, 8) + String(11 + index),
      ...keyUnder(segment.rate),
      subject: `user-${index}`,
      tokenCount,
    })),
  );
  return decideInvoiceStatement({
    now: period.end,
    choice: null,
    invoice: {
      invoiceId: period.invoiceId,
      customerId: customer.customerId,
      customerName: customer.customerId,
      subscriptionId: customer.subscriptionId,
      status: invoice.status,
      number: null,
      currency: invoice.currency,
      totalMinor: invoice.totalMinor,
      amountDueMinor: invoice.amountDueMinor,
      period,
      readAt: period.end,
      readStatus: invoice.status,
      readTotalMinor: invoice.totalMinor,
    },
    lines,
    period,
    usage: { usage: halves, users: halves },
    facts: {
      items: [],
      prices: [],
      bindings: [],
      missed: [],
      billedLate: [],
      certificate: null,
      collectedThrough: null,
      openHourCount: 0,
    },
  });
}

/** A trial has none. */
export function minimumOf({ minimumMinor, trialEndsAt }: Customer, periodStart: Date): bigint {
  return trialEndsAt !== null && periodStart < trialEndsAt ? 0n : minimumMinor;
}

function itemsOf(customer: Customer, segments: readonly Segment[]): ClosingItems {
  const toItem = ({ itemId, priceId, meterId, eventName, rate }: RatedItem): ClosingItem => ({
    subscriptionItemId: itemId,
    subscriptionId: customer.subscriptionId,
    stripeMeterId: meterId,
    eventName,
    eventTimeWindow: null,
    priceId,
    productName: eventName,
    price: rate.price,
    trialEndsAt: customer.trialEndsAt,
  });
  return {
    byItem: new Map(customer.items.map((item) => [item.itemId, toItem(item)])),
    byPrice: new Map(
      [...segments, ...customer.items].map((item) => [
        priceKey(customer.subscriptionId, item.priceId),
        toItem(item),
      ]),
    ),
  };
}
