import { rateMeter } from '../../../pricing/closing/meter.ts';
import { chargeLateUsage, type LateCharge, type TopUpLeft } from '../../../pricing/invoices/late-usage.ts';
import { azureOpenAiPriceBook } from '../../../pricing/prices/azure-openai.ts';
import { createQuote } from '../../../pricing/quotes/quote.ts';
import type { QuoteUsage } from '../../../pricing/quotes/usage.ts';
import { emptyBuckets } from '../../../pricing/usage/tokens.ts';
import { decidePreview, type SubscriptionPreview } from '../../../src/previews/decide.ts';
import type { SubscriptionMaterial } from '../../../src/previews/gather.ts';
import type { StripeCredits } from '../../../src/previews/stripe-credits.ts';
import type { MeterUsage } from '../../../src/previews/usage.ts';
import type { BillingInvoice, BillingInvoiceLine } from '../../../src/stripe/port.ts';
import { minimumOf, type Segment } from './certify.ts';
import type { Customer } from './customer.ts';
import { keyUnder } from './usage.ts';

/** Usage of a period before, that came after its invoice: by whose rate, and what is left of what that was topped up by. */
export interface LateSegment {
  segment: Segment;
  tokenCount: bigint;
  /** What that period's invoice has billed of it before. */
  billed: bigint;
  invoiceId: string;
  topUpLeft: bigint;
}

export interface Facts {
  invoice: BillingInvoice;
  credits: StripeCredits;
  now: Date;
  period: { start: Date; end: Date };
  /** Of the whole period, whether it was sent to Stripe by now or not. */
  segments: readonly Segment[];
  late: LateSegment | null;
}

/** What the next invoice charges for late usage; null: nothing. */
export function chargeLate(customer: Customer, late: LateSegment): LateCharge | null {
  const { segment, tokenCount, billed, invoiceId, topUpLeft } = late;
  const { currency } = customer.plan;
  const { subscriptionId } = customer;
  const topUps: TopUpLeft[] = [
    { invoiceId, stripeMeterIds: customer.items.map(({ meterId }) => meterId), leftMinor: topUpLeft },
  ];
  const [charged] = chargeLateUsage(
    [
      {
        stripeMeterId: segment.meterId,
        missedInvoiceId: invoiceId,
        tokenCount,
        currency,
        price: segment.rate.price,
        billedQuantity: billed,
        subscriptionIds: [subscriptionId],
      },
    ],
    [{ subscriptionId, currency }],
    topUps,
  );
  return charged?.charge ?? null;
}

/** The preview as the API decides it, from Stripe's answer and what the ledger has. */
export function previewOf(customer: Customer, facts: Facts): SubscriptionPreview {
  return decidePreview(materialOf(customer, facts));
}

function materialOf(
  customer: Customer,
  { invoice, credits, now, period, segments, late }: Facts,
): SubscriptionMaterial {
  const { plan, items, storage, subscriptionId, trialEndsAt } = customer;
  const minimumMinor = minimumOf(customer, period.start);
  const charge = late === null ? null : chargeLate(customer, late);
  const current = segments.filter(({ isLeft }) => !isLeft);
  const whole = current.filter(({ start }) => +start === +period.start);
  const younger = current.filter(({ start }) => +start !== +period.start);
  const days = {
    openDays: new Set<number>(),
    knownThrough: period.start,
    knownMs: new Map(),
    historyStart: period.start,
  };
  return {
    subscriptionId,
    now,
    period,
    sums: { days: [], wholes: [] },
    hours: { openHours: [], settledHourCount: 0, settledByDay: new Map(), collectedThrough: now },
    ...days,
    items: [
      ...items.map((item) => ({
        subscriptionItemId: item.itemId,
        subscriptionId,
        priceId: item.priceId,
        productName: item.eventName,
        currency: plan.currency,
        price: item.rate.price,
        stripeMeterId: item.meterId,
        takesCredits: true,
        currentPeriod: period,
        trialEndsAt,
        syncedAt: now,
      })),
      ...(storage === null
        ? []
        : [
            {
              subscriptionItemId: storage.itemId,
              subscriptionId,
              priceId: storage.priceId,
              productName: storage.eventName,
              currency: plan.currency,
              price: null,
              // Another system feeds it.
              stripeMeterId: null,
              takesCredits: true,
              currentPeriod: period,
              trialEndsAt: null,
              syncedAt: now,
            },
          ]),
    ],
    stripe: { status: 'ok', invoice, credits, readAt: now },
    sharesCredits: false,
    isBilledInPart: false,
    billedSoFar: [],
    usage: whole.map(toUsage),
    quarantined: [],
    own: new Map(
      younger.map((segment) => [
        segment.itemId,
        { period: { start: segment.start, end: segment.end }, usage: [toUsage(segment)] },
      ]),
    ),
    left: segments
      .filter(({ isLeft }) => isLeft)
      .flatMap((segment) => {
        const lines = invoice.lines.filter((line) => isOfLeft(line, segment));
        if (lines.length === 0) return [];
        return [
          {
            priceId: segment.priceId,
            stripeMeterId: segment.meterId,
            productName: segment.eventName,
            price: segment.rate.price,
            period: { start: segment.start, end: segment.end },
            lines,
            usage: [toUsage(segment)],
          },
        ];
      }),
    beside: {
      late:
        late === null || charge === null
          ? []
          : [
              {
                ...charge,
                description: 'late',
                stripeMeterId: late.segment.meterId,
                period: { start: late.segment.start, end: late.segment.end },
                tokenCount: late.tokenCount,
                invoiceItemId: null,
              },
            ],
      minimums:
        minimumMinor === 0n
          ? []
          : [
              {
                planId: 'generated',
                planName: 'Generated',
                versionId: 'generated',
                currency: plan.currency,
                minimumMinor,
                meterIds: items.map(({ meterId }) => meterId),
              },
            ],
      elsewhere: [],
    },
  };
}

function isOfLeft({ invoiceItemId, isOwnItem, priceId }: BillingInvoiceLine, segment: Segment): boolean {
  return (invoiceItemId ?? null) !== null && isOwnItem !== true && priceId === segment.priceId;
}

function toUsage(segment: Segment): MeterUsage {
  const { model, feature } = keyUnder(segment.rate);
  return {
    stripeMeterId: segment.meterId,
    model,
    feature,
    state: 'pending',
    day: segment.start,
    inPeriod: true,
    tokenCount: segment.used,
  };
}

/** What a preview comes to; null: not known. */
export function subtotalOf({ lines }: SubscriptionPreview): bigint | null {
  return lines.reduce<bigint | null>(
    (total, { amountMinor }) => (total === null || amountMinor === null ? null : total + amountMinor),
    0n,
  );
}

/** By how much a quote says that the invoice rises with this more of each item's usage. */
export function mergeQuote(
  customer: Customer,
  segments: readonly Segment[],
  more: readonly bigint[],
): bigint | null {
  const { items, plan, minimumMinor } = customer;
  const usageOf = (counts: readonly bigint[]): QuoteUsage[] =>
    items.flatMap(({ rate }, index) => {
      const { model, feature, tokenType } = keyUnder(rate);
      const tokenCount = counts[index] ?? 0n;
      return tokenCount === 0n
        ? []
        : [{ model, feature, tokens: { ...emptyBuckets(), [tokenType]: tokenCount } }];
    });
  const quote = createQuote({
    mode: 'merge',
    usage: usageOf(more),
    existing: usageOf(items.map(({ itemId }) => segments.find((one) => one.itemId === itemId)?.used ?? 0n)),
    sellRates: items.map(({ rate, meterId }) => ({ ...rate, rateId: meterId })),
    minimums: minimumMinor === 0n ? [] : [{ minimumMinor, meterIds: items.map(({ meterId }) => meterId) }],
    elsewhere: segments
      .filter(({ isLeft, used }) => isLeft && used > 0n)
      .map(({ meterId, used, rate }) => ({ meterId, amountMinor: rateMeter(used, rate.price) })),
    hasAllRates: true,
    currency: plan.currency,
    priceBook: azureOpenAiPriceBook,
    at: segments[0]?.start ?? new Date(0),
  });
  return quote.totals.invoiceAmountMinor.value;
}
