import { mergePreview, type PreviewLine, type PreviewUsage } from '../../pricing/previews/preview.ts';
import { type ProjectedItem, type Projection, projectPeriod } from '../../pricing/previews/projection.ts';
import { REFUSED_BY_STRIPE } from '../quarantine/entries.ts';
import type { SubscriptionMaterial } from './gather.ts';
import type { MeterUsage, QuarantinedUsage } from './usage.ts';

/** What a subscription's next invoice would be now. */
export interface SubscriptionPreview {
  material: SubscriptionMaterial;
  currency: string;
  lines: PreviewLine[];
  /** Of the period: what waits, and what no line can hold. */
  quarantined: { reason: string; tokenCount: bigint }[];
}

/** Merges Stripe's answer, if there is one, with everything that the ledger knows. */
export function decidePreview(material: SubscriptionMaterial): SubscriptionPreview {
  const { items, stripe, usage, quarantined, left } = material;
  const lines = mergePreview({
    items: items.map((item) => ({
      subscriptionItemId: item.subscriptionItemId,
      priceId: item.priceId,
      description: item.productName,
      price: item.price,
      meterId: item.stripeMeterId,
    })),
    stripeLines: stripe.status === 'ok' ? stripe.invoice.lines : null,
    usage: usageByMeter(usage),
    left: left.map(({ priceId, stripeMeterId, productName, price, period, lines: its, usage: own }) => ({
      priceId,
      meterId: stripeMeterId,
      description: productName,
      price,
      period,
      lines: its,
      usage: usageByMeter(own),
    })),
  });
  const currency = (stripe.status === 'ok' ? stripe.invoice.currency : items[0]?.currency) ?? 'usd';
  return {
    material,
    currency,
    lines,
    quarantined: [...sumByReason(quarantined), ...outsideOfLines(usage)],
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
    items: lines.flatMap(({ subscriptionItemId: itemId, price, quantity }): ProjectedItem[] => {
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
