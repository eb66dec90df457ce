import type {
  CloseComparison,
  CloseLateItem,
  CloseMinimum,
  CloseTokenTypeFigures,
} from '../../pricing/closing/certificate.ts';
import { type CloseMeterFigures, rateMeter, rateMeterInSteps } from '../../pricing/closing/meter.ts';
import type { PeriodCharge, TopUp } from '../../pricing/invoices/minimum.ts';
import { nextInvoice } from '../../pricing/invoices/next-invoice.ts';
import type { BilledEarlier } from '../../src/billing/instalments.ts';
import type { LateItem } from '../../src/billing/late-items.ts';
import type { PlanMinimum } from '../../src/billing/minimums.ts';
import type { UninvoicedFigures } from '../../src/closing/beside-lines.ts';
import { showPrice } from '../../src/closing/certificates.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import {
  type CloseEvidence,
  type ClosingItem,
  type ClosingItems,
  priceKey,
} from '../../src/closing/evidence.ts';
import type { PushedFigures } from '../../src/closing/figures.ts';
import {
  type ClosingInvoice,
  type ClosingInvoiceLine,
  KEY_METADATA_KEY,
} from '../../src/stripe/closing/port.ts';
import { type HeldMetric, showHeldMetric } from '../../src/usage/collection/held-metrics.ts';
import { chargesInSteps, isFlat, type LineGroup, priceOf, quantityOf, sumOf } from './line-prices.ts';

/** Under which metadata of an item, and so of its line, the plan is found whose minimum it tops up. */
export const MINIMUM_METADATA_KEY = 'tallystick_minimum';

/** Stripe's own sums by meter and period, under `sumKey`. */
export type MeterSums = ReadonlyMap<string, bigint>;

/** @param periodStart of the lines, as milliseconds or ISO text */
export function sumKey(stripeMeterId: string, periodStart: number | string): string {
  return `${stripeMeterId} ${new Date(periodStart).getTime()}`;
}

/**
 * The invoice's metered lines by item and period; tiers, and flat amounts, give several. Usage at a price that its item has
 * left is on invoice items, which name the price alone.
 */
export function groupLines(
  invoice: ClosingInvoice,
  { byItem, byPrice }: ClosingItems,
  earlier: readonly BilledEarlier[],
): LineGroup[] {
  const groups = new Map<string, LineGroup>();
  for (const line of invoice.lines) {
    const { periodStart, periodEnd, invoiceItemId, subscriptionItemId, priceId } = line;
    const isLeft = invoiceItemId !== null;
    if (isLeft && isOwnItem(line)) continue;
    const priced = byPrice.get(priceKey(invoice.subscriptionId, priceId));
    const now = subscriptionItemId === null ? undefined : byItem.get(subscriptionItemId);
    const item = isLeft ? priced : now === undefined ? undefined : asOf(now, priced);
    if (item === undefined) continue;
    const key = `${isLeft} ${item.subscriptionItemId} ${item.priceId} ${periodStart.getTime()}`;
    const group = groups.get(key);
    if (group === undefined)
      groups.set(key, { item, isLeft, earlier: null, periodStart, periodEnd, lines: [line] });
    else group.lines.push(line);
  }
  return takeOff([...groups.values()], earlier);
}

/** Puts what instalments have billed to the lines that it is taken off: of an item that left their price, or has it still. */
function takeOff(groups: readonly LineGroup[], earlier: readonly BilledEarlier[]): LineGroup[] {
  if (earlier.length === 0) return [...groups];
  return groups.map((group) => {
    const { priceId, stripeMeterId } = group.item;
    const before = earlier.find((one) => one.priceId === priceId && one.stripeMeterId === stripeMeterId);
    const isTaken =
      before !== undefined &&
      before.periodStart < group.periodEnd &&
      (group.isLeft || !groups.some(({ isLeft, item }) => isLeft && item.priceId === priceId));
    if (!isTaken) return group;
    const { tokenCount, amountMinor, periodStart } = before;
    const start = periodStart < group.periodStart ? periodStart : group.periodStart;
    return { ...group, periodStart: start, earlier: { tokenCount, amountMinor } };
  });
}

/** Late usage, and top-ups to a minimum. */
export function isOwnItem({ metadata }: ClosingInvoiceLine): boolean {
  return KEY_METADATA_KEY in metadata;
}

/** The line says at which price it was charged; an item may have got another one since. */
function asOf(now: ClosingItem, priced: ClosingItem | undefined): ClosingItem {
  if (priced === undefined || priced.priceId === now.priceId) return now;
  return { ...priced, subscriptionItemId: now.subscriptionItemId };
}

export interface ComparisonParts {
  close: OpenClose;
  invoice: ClosingInvoice;
  groups: readonly LineGroup[];
  pushed: readonly PushedFigures[];
  tokenTypes: readonly CloseTokenTypeFigures[];
  heldMetrics: readonly HeldMetric[];
  lateItems: readonly LateItem[];
  minimums: readonly PlanMinimum[];
  uninvoiced: readonly UninvoicedFigures[];
  chargedElsewhere: readonly PeriodCharge[];
  evidence: CloseEvidence;
  /** Stripe's own sums of meters whose line differs. */
  stripeSums: MeterSums;
  comparedAt: Date;
}

/** Puts together what is held against each other. */
export function buildComparison(parts: ComparisonParts): CloseComparison {
  const { close, invoice, groups, evidence } = parts;
  const metered = new Set(groups.flatMap((group) => group.lines.map((line) => line.lineId)));
  const meters = groups.map((group) => toMeter(group, parts));
  const minimums = topUpsOfClose(meters, parts).map((topUp) => toMinimum(topUp, parts));
  const topUpLineIds = new Set(minimums.flatMap((minimum) => minimum.topUpLineIds));
  const lateItemIds = new Set(parts.lateItems.flatMap((item) => item.invoiceItemId ?? []));
  return {
    comparedAt: parts.comparedAt.toISOString(),
    invoiceId: close.invoiceId,
    customerId: close.customerId,
    subscriptionId: close.subscriptionId,
    currency: invoice.currency,
    period: showPeriod(close.periodStart, close.periodEnd),
    tokenTypes: parts.tokenTypes,
    ...(parts.heldMetrics.length === 0 ? {} : { unknownMetrics: parts.heldMetrics.map(showHeldMetric) }),
    meters,
    ...(parts.uninvoiced.length === 0 ? {} : { uninvoiced: parts.uninvoiced.map(toUninvoiced) }),
    lateItems: parts.lateItems.map((item) => toLateItem(item, invoice)),
    minimums,
    otherLines: invoice.lines
      .filter(
        (line) =>
          !metered.has(line.lineId) &&
          !topUpLineIds.has(line.lineId) &&
          !lateItemIds.has(line.invoiceItemId ?? ''),
      )
      .map((line) => ({ lineId: line.lineId, amountMinor: String(line.amountMinor) })),
    totalMinor: String(invoice.totalMinor),
    ...evidence,
  };
}

function toMeter(group: LineGroup, parts: ComparisonParts): CloseMeterFigures {
  const { pushed, stripeSums, invoice } = parts;
  const { item, lines, isLeft, earlier } = group;
  const known = pushed.find(
    (row) => row.stripeMeterId === item.stripeMeterId && +row.periodStart === +group.periodStart,
  );
  const pushedTokens = known?.tokenCount ?? 0n;
  const price = priceOf(group);
  const quantity = pushedTokens < 0n ? 0n : pushedTokens;
  const charged = sumOf(lines);
  const rated = chargesInSteps(parts.groups, invoice.currency)
    ? rateMeterInSteps(quantity, price, invoice.currency, earlier)
    : rateMeter(quantity, price, earlier);
  const counted = stripeSums.get(sumKey(item.stripeMeterId, group.periodStart.getTime()));
  return {
    stripeMeterId: item.stripeMeterId,
    eventName: item.eventName,
    productName: item.productName,
    subscriptionItemId: item.subscriptionItemId,
    priceId: lines[0]?.priceId ?? item.priceId,
    price: showPrice(price),
    period: showPeriod(group.periodStart, group.periodEnd),
    ...(isLeft ? { standsStill: true as const } : {}),
    ...(earlier === null
      ? {}
      : { earlier: { tokenCount: String(earlier.tokenCount), amountMinor: String(earlier.amountMinor) } }),
    pushedTokens: String(pushedTokens),
    pushCount: String(known?.pushCount ?? 0n),
    stripeTokens: counted === undefined ? null : String(counted),
    invoiceQuantity: String(quantityOf(lines)),
    invoiceAmountMinor: String(charged),
    ratedAmountMinor: rated === null ? null : String(rated),
    lines: lines.map((line) => ({
      lineId: line.lineId,
      quantity: isFlat(line) ? null : String(line.quantity ?? 0n),
      amountMinor: String(line.amountMinor),
    })),
  };
}

/** What of the invoice, and beside it, counts towards its minimums, and what these lack. */
function topUpsOfClose(
  meters: readonly CloseMeterFigures[],
  { close, invoice, lateItems, chargedElsewhere, minimums }: ComparisonParts,
): TopUp<PlanMinimum>[] {
  const usage = meters.map(({ stripeMeterId, ratedAmountMinor, invoiceAmountMinor, standsStill }) => ({
    meterId: stripeMeterId,
    isOfPeriod: true,
    // What a draft's line charges may stand still until it is final.
    amountMinor: BigInt(
      invoice.status === 'draft' && standsStill !== true
        ? (ratedAmountMinor ?? invoiceAmountMinor)
        : invoiceAmountMinor,
    ),
  }));
  const late = lateItems.map(({ stripeMeterId, amountMinor, periodStart }) => ({
    meterId: stripeMeterId,
    isOfPeriod: periodStart >= close.periodStart && periodStart < close.periodEnd,
    amountMinor,
  }));
  const { topUps } = nextInvoice({
    charges: [...usage, ...late],
    elsewhere: chargedElsewhere,
    minimums,
    currency: invoice.currency,
  });
  return topUps;
}

function toMinimum(
  { minimum, chargedMinor }: TopUp<PlanMinimum>,
  { invoice }: ComparisonParts,
): CloseMinimum {
  const { planId, planName, versionId, minimumMinor, meterIds } = minimum;
  const topUps = invoice.lines.filter((line) => line.metadata[MINIMUM_METADATA_KEY] === planId);
  return {
    planId,
    planName,
    versionId,
    minimumMinor: String(minimumMinor),
    linesMinor: String(chargedMinor),
    topUpMinor: String(sumOf(topUps)),
    topUpLineIds: topUps.map((line) => line.lineId),
    stripeMeterIds: meterIds,
  };
}

function toUninvoiced({ stripeMeterId, eventName, reason, tokenCount, pushCount, ...of }: UninvoicedFigures) {
  const period = showPeriod(of.periodStart, of.periodEnd);
  return {
    stripeMeterId,
    eventName,
    reason,
    period,
    tokenCount: String(tokenCount),
    pushCount: String(pushCount),
  };
}

function toLateItem(item: LateItem, invoice: ClosingInvoice): CloseLateItem {
  const line = invoice.lines.find(
    ({ invoiceItemId }) => invoiceItemId !== null && invoiceItemId === item.invoiceItemId,
  );
  return {
    lateItemId: String(item.lateItemId),
    stripeMeterId: item.stripeMeterId,
    period: showPeriod(item.periodStart, item.periodEnd),
    tokenCount: String(item.tokenCount),
    amountMinor: String(item.amountMinor),
    invoiceAmountMinor: line === undefined ? null : String(line.amountMinor),
  };
}

function showPeriod(start: Date, end: Date) {
  return { start: start.toISOString(), end: end.toISOString() };
}
