import type { AccrualRow, UnvaluedReason } from './row.ts';
import { type BilledSpan, type PushedTokens, type Segment, type Stretch, spanOf } from './span.ts';
import { valueAt } from './value.ts';

/** What was told to a meter within a segment, or is to be. */
export interface SegmentTokens extends PushedTokens {
  segment: Segment;
}

/** Tokens by what they are, on both sides of the two instants. */
interface Sides {
  before: bigint;
  window: bigint;
  after: bigint;
}

interface SpanSums {
  told: Sides;
  due: Sides;
}

const NONE: Sides = { before: 0n, window: 0n, after: 0n };

/**
 * Rows of usage that a meter was told, or will be: a span on a final invoice is what its lines charge, any other what its price
 * makes of the tokens so far. Some may say nothing.
 * @param window from the instant since when usage is earned, to that of the report
 */
export function rowsOfMeters(
  spans: readonly BilledSpan[],
  tokens: readonly SegmentTokens[],
  window: Stretch,
): AccrualRow[] {
  const bySpan = new Map<BilledSpan, SpanSums>(spans.map((span) => [span, { told: NONE, due: NONE }]));
  const loose: SegmentTokens[] = [];
  for (const entry of tokens) {
    const span = spanOf(entry.segment.spans, entry);
    const sums = span === null ? undefined : bySpan.get(span);
    if (span === null || sums === undefined) loose.push(entry);
    else if (entry.state === 'pending') bySpan.set(span, { ...sums, due: add(sums.due, entry, window) });
    else bySpan.set(span, { ...sums, told: add(sums.told, entry, window) });
  }
  return [
    ...[...bySpan].flatMap(([span, sums]) => rowsOfSpan(span, sums, window)),
    ...looseRows(loose, window),
  ];
}

function rowsOfSpan(span: BilledSpan, { told, due }: SpanSums, window: Stretch): AccrualRow[] {
  const { start: from, end: at } = window;
  if (span.start >= at) return [];
  const all = told.before + told.window + told.after + due.before + due.window + due.after;
  const value = (instant: Date, tokenCount: bigint) => valueAt(span, instant, { before: tokenCount, all });
  const toldBefore = value(from, told.before);
  const toldAt = value(at, told.before + told.window);
  const row = {
    customerId: span.customerId,
    currency: span.currency,
    kind: 'usage' as const,
    subscriptionId: span.subscriptionId,
    description: span.productName,
    stripeMeterId: span.stripeMeterId,
    period: { start: span.start, end: span.end },
    invoice: span.invoice,
    reason: span.isInTrial ? 'in_trial' : null,
    unvaluedReason: toldAt === null ? unvaluedReasonOf(span) : null,
  };
  const isFinal = isFinalBefore(span, at);
  const first: AccrualRow = {
    ...row,
    place: isFinal ? 'invoiced' : 'awaiting_invoice',
    isAccrued: !isFinal,
    tokenCount: told.before + told.window,
    earnedTokenCount: told.window,
    amountMinor: toldAt,
    earnedAmountMinor: less(toldAt, toldBefore),
  };
  const dueBefore = less(value(from, told.before + due.before), toldBefore);
  const dueAt = less(value(at, told.before + told.window + due.before + due.window), toldAt);
  const second: AccrualRow = {
    ...row,
    place: 'due',
    isAccrued: true,
    tokenCount: due.before + due.window,
    earnedTokenCount: due.window,
    amountMinor: dueAt,
    earnedAmountMinor: less(dueAt, dueBefore),
  };
  return [first, second];
}

/** Usage of which no period is known: counted, and without an amount. What was invoiced before the window is told by its invoice. */
function looseRows(loose: readonly SegmentTokens[], window: Stretch): AccrualRow[] {
  const groups = Map.groupBy(loose, ({ segment, state, invoiceId }) =>
    JSON.stringify([segment.customerId, segment.stripeMeterId, state, invoiceId]),
  );
  return [...groups.values()].flatMap((its) => {
    const [first] = its;
    if (first === undefined) return [];
    const { segment, state, invoiceId } = first;
    const sides = its.reduce((sum, entry) => add(sum, entry, window), NONE);
    const isPlaced = state === 'placed';
    const row: AccrualRow = {
      customerId: segment.customerId,
      currency: null,
      kind: 'usage',
      place: isPlaced ? 'invoiced' : state === 'pending' ? 'due' : 'awaiting_invoice',
      reason: null,
      isAccrued: !isPlaced,
      invoice: invoiceId === null ? null : { invoiceId, number: null, finalizedAt: null },
      subscriptionId: null,
      description: '',
      stripeMeterId: segment.stripeMeterId,
      period: null,
      tokenCount: isPlaced ? sides.window : sides.before + sides.window,
      earnedTokenCount: sides.window,
      amountMinor: null,
      earnedAmountMinor: null,
      unvaluedReason: isPlaced ? 'lines_not_read' : 'no_known_period',
    };
    return [row];
  });
}

/** Whether its invoice was final at an instant. */
function isFinalBefore({ invoice }: Pick<BilledSpan, 'invoice'>, instant: Date): boolean {
  return invoice !== null && invoice.finalizedAt !== null && invoice.finalizedAt < instant;
}

function unvaluedReasonOf({ invoice }: BilledSpan): UnvaluedReason {
  return invoice !== null && invoice.finalizedAt !== null ? 'lines_not_read' : 'price_not_rateable';
}

function add(sides: Sides, { segment, tokenCount }: SegmentTokens, { start: from, end: at }: Stretch): Sides {
  if (segment.end <= from) return { ...sides, before: sides.before + tokenCount };
  if (segment.start >= at) return { ...sides, after: sides.after + tokenCount };
  return { ...sides, window: sides.window + tokenCount };
}

function less(amount: bigint | null, other: bigint | null): bigint | null {
  return amount === null || other === null ? null : amount - other;
}
