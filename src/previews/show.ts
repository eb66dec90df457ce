import type { InvoiceTotals } from '../../pricing/invoices/totals.ts';
import {
  formatDecimal,
  formatMinor,
  minorUnitDigits,
  PICO_DIGITS,
  parseDecimal,
} from '../../pricing/money.ts';
import type { PreviewLine } from '../../pricing/previews/preview.ts';
import { projectTotal } from '../../pricing/previews/projected-total.ts';
import {
  type ItemProjection,
  PROJECTION_METHOD,
  type ProjectedRange,
  type Projection,
} from '../../pricing/previews/projection.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import type { SubscriptionPreview } from './decide.ts';
import type { PreviewMaterial } from './gather.ts';
import type { InvoicePreviewBody, SubscriptionPreviewBody } from './schemas.ts';

/** A preview, and how its period will end. */
type ProjectedPreview = SubscriptionPreview & { projection: Projection };
type LineBody = SubscriptionPreviewBody['lines'][number];
type ProjectionBody = SubscriptionPreviewBody['projection'];
type LineReason = NonNullable<LineBody['projected']>['reason'];

const ROUNDING =
  'each tier line once to the minor unit of the currency, halves away from zero, as Stripe does';

/** The answer's form: counts and amounts as text, instants in ISO. */
export function showPreview(
  { customer, now }: PreviewMaterial,
  subscriptions: readonly ProjectedPreview[],
): InvoicePreviewBody {
  return {
    customerId: customer.customerId,
    asOf: now.toISOString(),
    subscriptions: subscriptions.map(showSubscription),
  };
}

function showSubscription(preview: ProjectedPreview): SubscriptionPreviewBody {
  const { material, currency, lines, projection } = preview;
  const { items, period, stripe, hours, now } = material;
  const openHours = hours.openHours.filter((hour) => hour >= period.start && hour < period.end);
  const projected = new Map(
    projection.status === 'projected' ? projection.items.map((item) => [item.itemId, item]) : [],
  );
  const syncedAt = new Map(items.map((item) => [item.subscriptionItemId, item.syncedAt]));
  const total = totalOf(lines);
  return {
    subscriptionId: material.subscriptionId,
    currency,
    periodStart: period.start.toISOString(),
    periodEnd: period.end.toISOString(),
    rounding: ROUNDING,
    stripe: {
      answered: stripe.status === 'ok',
      status: stripe.status,
      asOf: stripe.status === 'ok' ? stripe.readAt.toISOString() : null,
      reason: stripe.status === 'ok' ? null : stripe.reason,
      total: stripe.status === 'ok' ? formatMinor(stripe.invoice.totalMinor, currency) : null,
    },
    ledger: {
      asOf: now.toISOString(),
      collectedThrough: hours.collectedThrough?.toISOString() ?? null,
      openHourCount: String(openHours.length),
    },
    hours: {
      settledCount: hours.settledHourCount,
      open: toRanges(openHours),
      quarantined: toRanges(material.quarantined.map(({ hour }) => hour)),
    },
    lines: lines.map((line) =>
      showLine(line, currency, {
        readAt: line.subscriptionItemId === null ? undefined : syncedAt.get(line.subscriptionItemId),
        projected: line.subscriptionItemId === null ? undefined : projected.get(line.subscriptionItemId),
      }),
    ),
    total: total === null ? null : formatMinor(total, currency),
    totals: showTotals(preview.total, currency),
    projection: showProjection(preview, projected),
    quarantined: preview.quarantined.map(({ reason, tokenCount }) => ({
      reason,
      tokenCount: String(tokenCount),
    })),
  };
}

function showTotals(
  { totals, reason }: SubscriptionPreview['total'],
  currency: string,
): SubscriptionPreviewBody['totals'] {
  const amount = (read: (known: InvoiceTotals) => bigint) =>
    totals === null ? null : formatMinor(read(totals), currency);
  return {
    subtotal: amount(({ subtotalMinor }) => subtotalMinor),
    discounts: amount(({ discountMinor }) => -discountMinor),
    credits: amount(({ creditMinor }) => -creditMinor),
    tax: amount(({ taxMinor }) => taxMinor),
    total: amount(({ totalMinor }) => totalMinor),
    amountDue: amount(({ dueMinor }) => dueMinor),
    reason,
  };
}

function showLine(
  line: PreviewLine,
  currency: string,
  more: { readAt: Date | undefined; projected: ItemProjection | undefined },
): LineBody {
  const amount = (value: bigint | null) => (value === null ? null : formatMinor(value, currency));
  const count = (value: bigint | null) => (value === null ? null : String(value));
  const { price } = line;
  return {
    kind: line.kind,
    subscriptionItemId: line.subscriptionItemId,
    priceId: line.priceId,
    description: line.description,
    price: {
      source: price === null ? 'stripe_preview' : 'stripe_catalog',
      kind: kindOf(price),
      readAt: price === null ? null : (more.readAt?.toISOString() ?? null),
    },
    unitAmountDecimal: price?.kind === 'per_unit' ? price.unitAmountDecimal : null,
    quantity: count(line.quantity),
    countedByStripe: count(line.countedByStripe),
    notYetCounted: count(line.notYetCounted),
    notYetDelivered: count(line.undelivered),
    tiers: line.ratedLines.map((rated) => ({
      tier: rated.tierIndex === null ? null : rated.tierIndex + 1,
      quantity: String(rated.quantity),
      unitAmountDecimal: rated.unitAmountDecimal,
      flatAmount: rated.flatAmountDecimal === null ? null : showFlatAmount(rated.flatAmountDecimal, currency),
      amount: formatMinor(rated.amountMinor, currency),
    })),
    amount: amount(line.amountMinor),
    reason: line.unpricedReason,
    stripeAmount: amount(line.stripeAmountMinor),
    equalsStripe: line.equalsStripe,
    projected:
      more.projected === undefined
        ? null
        : {
            quantity: showRange(more.projected.quantity, String),
            amount: showRange(more.projected.amountMinor, (value) => formatMinor(value, currency)),
            reason: reasonOf(more.projected),
          },
    parts: line.parts.map((part) => ({
      model: part.model,
      feature: part.feature,
      quantity: String(part.quantity),
      amount: amount(part.amountMinor),
    })),
  };
}

function showProjection(
  { material, currency, lines, projection }: ProjectedPreview,
  projected: ReadonlyMap<string, ItemProjection>,
): ProjectionBody {
  const { period, knownThrough } = material;
  const common = {
    periodEnd: period.end.toISOString(),
    knownDayCount: projection.knownDayCount,
    knownThrough: knownThrough.toISOString(),
    method: PROJECTION_METHOD,
  };
  if (projection.status === 'refused') {
    return { ...common, total: null, reason: projection.reason, historyFrom: null };
  }
  const historyFrom = projection.historyStart.toISOString();
  const { totalMinor } = projection;
  const total =
    totalMinor === null
      ? null
      : projectTotal(totalMinor, projected, { lines, ...material.beside, period, currency });
  return {
    ...common,
    total: showRange(total, (value) => formatMinor(value, currency)),
    reason: totalMinor !== null && total === null ? 'unpriced_line' : projection.totalReason,
    historyFrom,
  };
}

/** Why a line has no range, or none of its amount. */
function reasonOf({ quantity, amountMinor }: ItemProjection): LineReason {
  if (quantity === null) return 'too_little_history';
  return amountMinor === null ? 'unpriced_line' : null;
}

function showRange(range: ProjectedRange | null, show: (value: bigint) => string) {
  return range === null ? null : mapRange(range, show);
}

function mapRange<Value>({ expected, p10, p50, p90 }: ProjectedRange, map: (value: bigint) => Value) {
  return { expected: map(expected), p10: map(p10), p50: map(p50), p90: map(p90) };
}

function kindOf(price: RatePrice | null): LineBody['price']['kind'] {
  if (price === null) return null;
  return price.kind === 'tiered' ? price.mode : price.kind;
}

/** A flat amount in minor units as the currency's own decimal, exact. */
function showFlatAmount(minorDecimal: string, currency: string): string {
  const digits = minorUnitDigits(currency);
  return formatDecimal(parseDecimal(minorDecimal, PICO_DIGITS), PICO_DIGITS + digits, digits);
}

function totalOf(lines: readonly PreviewLine[]): bigint | null {
  let total = 0n;
  for (const line of lines) {
    if (line.amountMinor === null) return null;
    total += line.amountMinor;
  }
  return total;
}

/** Hours as windows, those that touch as one. */
function toRanges(hours: readonly Date[]): { from: string; to: string }[] {
  const ranges: { from: Date; to: Date }[] = [];
  const starts = [...new Set(hours.map((hour) => hour.getTime()))].sort((one, other) => one - other);
  for (const start of starts) {
    const last = ranges.at(-1);
    const from = new Date(start);
    if (last !== undefined && last.to.getTime() === start) last.to = addMs(from, HOUR_MS);
    else ranges.push({ from, to: addMs(from, HOUR_MS) });
  }
  return ranges.map(({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() }));
}
