import { addLines } from '../../pricing/previews/added-lines.ts';
import { mergePreview, type PreviewLine, type PreviewUsage } from '../../pricing/previews/preview.ts';
import { type PreviewCredits, previewTotals } from '../../pricing/previews/preview-totals.ts';
import { type ProjectedItem, type Projection, projectPeriod } from '../../pricing/previews/projection.ts';
import { FREE } from '../../pricing/rating/rate-price.ts';
import { REFUSED_BY_STRIPE } from '../quarantine/entries.ts';
import type { UpcomingLate } from './beside-usage.ts';
import { currencyOf, type SubscriptionMaterial } from './gather.ts';
import { billedFor } from './own-usage.ts';
import type { MeterUsage, QuarantinedUsage } from './usage.ts';

/** What a subscription's next invoice would be now. */
export interface SubscriptionPreview {
  material: SubscriptionMaterial;
  currency: string;
  lines: PreviewLine[];
  /** After discounts, credits and tax, where that is known. */
  total: ReturnType<typeof previewTotals>;
  /** Of the period: what waits, and what no line can hold. */
  quarantined: { reason: string; tokenCount: bigint }[];
}

/** Merges Stripe's answer, if there is one, with everything that the ledger knows, and adds what the close will add. */
export function decidePreview(material: SubscriptionMaterial): SubscriptionPreview {
  const { items, isBilledInPart, billedSoFar, stripe, usage, quarantined, left, own, beside, period } =
    material;
  const currency = currencyOf(items, stripe);
  const stripeLines = stripe.status === 'ok' ? stripe.invoice.lines : null;
  const waiting = new Set(stripeLines?.flatMap(({ invoiceItemId }) => invoiceItemId ?? []));
  const isWaiting = ({ invoiceItemId }: UpcomingLate) => waiting.has(invoiceItemId ?? '');
  // At a price that an item has left, what was billed is taken off that.
  const leftPrices = new Set(left.map(({ priceId }) => priceId));
  const lines = mergePreview({
    items: items.map((item) => ({
      subscriptionItemId: item.subscriptionItemId,
      priceId: item.priceId,
      description: item.productName,
      price: item.trialEndsAt !== null && period.end <= item.trialEndsAt ? FREE : item.price,
      meterId: item.stripeMeterId,
      isBilledInPart,
      before: leftPrices.has(item.priceId) ? null : billedFor(billedSoFar, item),
    })),
    stripeLines,
    usage: usageByMeter(usage),
    own: new Map(
      [...own].map(([id, { period: its, usage: rows }]) => [id, { period: its, usage: usageByMeter(rows) }]),
    ),
    left: left.map(
      ({ priceId, stripeMeterId, productName, price, period: its, lines: shown, usage: rows }) => ({
        priceId,
        meterId: stripeMeterId,
        description: productName,
        price,
        period: its,
        before: billedFor(billedSoFar, { priceId, stripeMeterId }),
        lines: shown,
        usage: usageByMeter(rows),
      }),
    ),
    lateItemIds: new Set(beside.late.filter(isWaiting).flatMap(({ invoiceItemId }) => invoiceItemId ?? [])),
    currency,
  });
  const late = beside.late.filter((entry) => !isWaiting(entry));
  const all = addLines(lines, { ...beside, late }, { period, currency });
  const totals = stripe.status === 'ok' ? (stripe.invoice.totals ?? null) : null;
  return {
    material,
    currency,
    lines: all,
    total: previewTotals(all, totals, creditsOf(material), currency),
    quarantined: [...sumByReason(quarantined), ...outsideOfLines(usage)],
  };
}

function creditsOf({ items, stripe, left, sharesCredits }: SubscriptionMaterial): PreviewCredits {
  const credits = stripe.status === 'ok' ? stripe.credits : null;
  const isKnown = credits?.status === 'ok';
  return {
    left: isKnown ? credits.left : null,
    isShared: sharesCredits || (isKnown && credits.isClaimed),
    itemIds: new Set(items.filter((item) => item.takesCredits).map((item) => item.subscriptionItemId)),
    formerPriceIds: new Set(left.map(({ priceId }) => priceId)),
  };
}

/** How the period of a preview will end. */
export function decideProjection({ material, lines }: SubscriptionPreview): Projection {
  const { items, period, knownThrough, knownMs, openDays, usage } = material;
  const meterByItem = new Map(items.map((item) => [item.subscriptionItemId, item.stripeMeterId]));
  const usageByMeter = Map.groupBy(
    usage.filter(({ state }) => state !== 'refused'),
    ({ stripeMeterId }) => stripeMeterId,
  );
  return projectPeriod({
    period,
    knownThrough,
    knownMs,
    openDays,
    items: lines.flatMap(({ subscriptionItemId: itemId, price: own, before, quantity }): ProjectedItem[] => {
      // Of a period that was billed in part a scenario has no price of its own.
      const price = before === undefined ? own : null;
      const meterId = itemId === null ? null : (meterByItem.get(itemId) ?? null);
      if (itemId === null || meterId === null || quantity === null) return [];
      return [{ itemId, price, quantity, dailyTokens: tokensByDay(usageByMeter.get(meterId) ?? []) }];
    }),
  });
}

function usageByMeter(usage: readonly MeterUsage[]): PreviewUsage[] {
  const merged = new Map<string, PreviewUsage>();
  for (const { stripeMeterId, model, feature, state, tokenCount, inPeriod } of usage) {
    if (!inPeriod || stripeMeterId === null || state === 'refused') continue;
    const key = JSON.stringify([stripeMeterId, model, feature]);
    const entry = merged.get(key) ?? {
      meterId: stripeMeterId,
      model,
      feature,
      tokenCount: 0n,
      undeliveredTokenCount: 0n,
    };
    entry.tokenCount += tokenCount;
    if (state !== 'delivered') entry.undeliveredTokenCount += tokenCount;
    merged.set(key, entry);
  }
  return [...merged.values()];
}

function tokensByDay(usage: readonly MeterUsage[]): Map<number, bigint> {
  const days = new Map<number, bigint>();
  for (const { day, tokenCount } of usage) {
    days.set(day.getTime(), (days.get(day.getTime()) ?? 0n) + tokenCount);
  }
  return days;
}

function sumByReason(quarantined: readonly QuarantinedUsage[]): { reason: string; tokenCount: bigint }[] {
  return [...Map.groupBy(quarantined, ({ reason }) => reason)]
    .map(([reason, rows]) => ({ reason, tokenCount: rows.reduce((sum, row) => sum + row.tokenCount, 0n) }))
    .sort((one, other) => (one.reason < other.reason ? -1 : 1));
}

/** Usage that no line can hold and that is not marked as quarantined yet. */
function outsideOfLines(usage: readonly MeterUsage[]): { reason: string; tokenCount: bigint }[] {
  const countOf = (matches: (entry: MeterUsage) => boolean) =>
    usage
      .filter((entry) => entry.inPeriod && matches(entry))
      .reduce((sum, entry) => sum + entry.tokenCount, 0n);
  return [
    { reason: REFUSED_BY_STRIPE, tokenCount: countOf((entry) => entry.state === 'refused') },
    { reason: 'no_binding', tokenCount: countOf((entry) => entry.stripeMeterId === null) },
  ].filter(({ tokenCount }) => tokenCount !== 0n);
}
