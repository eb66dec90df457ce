import type { BilledBefore } from '../rating/rate-further.ts';
import type { RatePrice } from '../rating/rate-price.ts';

/** A half-open stretch of time. */
export interface Stretch {
  start: Date;
  end: Date;
}

/** An invoice as far as it takes up usage. */
export interface AccrualInvoice {
  invoiceId: string;
  number: string | null;
  /** When it became final, as far as the ledger heard; null: it is a draft. */
  finalizedAt: Date | null;
}

/** A stretch of a customer's meter that one price bills on one invoice. */
export interface BilledSpan extends Stretch {
  customerId: string;
  stripeMeterId: string;
  subscriptionId: string | null;
  currency: string;
  productName: string;
  /** In minor units; null: of a kind that we cannot rate, or nobody saw it. */
  price: RatePrice | null;
  /** Null: its invoice is yet to be made. */
  invoice: AccrualInvoice | null;
  /** What the lines of a final invoice charge, in minor units; null: they are not read, or there are none yet. */
  amountMinor: bigint | null;
  /** What instalments have billed of the same price and period before. */
  before: BilledBefore | null;
  isInTrial: boolean;
}

/** A stretch of a customer's meter of which all is alike: the spans that it lies in, and its side of the two instants. */
export interface Segment extends Stretch {
  customerId: string;
  stripeMeterId: string;
  /** Those it lies in. */
  spans: readonly BilledSpan[];
}

/** What a customer's meter is read for. */
export interface MeterRead {
  customerId: string;
  stripeMeterId: string;
  spans: readonly BilledSpan[];
  /** The oldest usage that no invoice has; null: none before the window. */
  awaitingSince: Date | null;
}

/** Divides the time of a meter at every instant at which anything begins or ends. */
export function cutSegments(
  { customerId, stripeMeterId, spans, awaitingSince }: MeterRead,
  { start: from, end: at }: Stretch,
): Segment[] {
  const instants = [
    from,
    at,
    ...spans.flatMap(({ start, end }) => [start, end]),
    ...(awaitingSince === null ? [] : [awaitingSince]),
  ];
  const cuts = [...new Set(instants.map((instant) => instant.getTime()))].sort((one, other) => one - other);
  return cuts.slice(0, -1).map((cut, index) => {
    const [start, end] = [new Date(cut), new Date(cuts[index + 1] ?? cut)];
    const within = spans.filter((span) => span.start <= start && span.end >= end);
    return { customerId, stripeMeterId, start, end, spans: within };
  });
}

/** Tokens that were told to a meter within a segment, all of one state. */
export interface PushedTokens {
  /** `placed`: a final invoice has them; `pending`: not acknowledged yet. */
  state: 'placed' | 'delivered' | 'pending';
  /** Which has them; null: not known, or none. */
  invoiceId: string | null;
  tokenCount: bigint;
}

/** The span whose invoice has tokens, or will; null: nothing tells. */
export function spanOf(
  spans: readonly BilledSpan[],
  { state, invoiceId }: Pick<PushedTokens, 'state' | 'invoiceId'>,
): BilledSpan | null {
  const final = spans.filter(({ invoice }) => invoice !== null && invoice.finalizedAt !== null);
  if (state === 'placed') {
    return (
      (invoiceId === null ? final[0] : final.find((span) => span.invoice?.invoiceId === invoiceId)) ?? null
    );
  }
  const draft = spans.find(({ invoice }) => invoice !== null && invoice.finalizedAt === null);
  const next = draft ?? spans.find(({ invoice }) => invoice === null);
  // What was delivered is told to be on a final invoice soon after; what comes later is not on it.
  return next ?? (state === 'delivered' ? (final[0] ?? null) : null);
}
