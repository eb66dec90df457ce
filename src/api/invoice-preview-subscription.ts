import { mergePreview, type PreviewUsage } from '../../pricing/invoice-preview.ts';
import {
  knownThroughDay,
  type ProjectedItem,
  type Projection,
  projectionHistoryStart,
  projectPeriod,
} from '../../pricing/invoice-projection.ts';
import { addMs, DAY_MS, type TimeWindow } from '../clock.ts';
import { readPreviewHours } from '../ledger/preview-hours.ts';
import type { ActiveItem } from '../ledger/preview-items.ts';
import { type MeterUsage, type QuarantinedUsage, readPreviewUsage } from '../ledger/preview-usage.ts';
import { REFUSED_BY_STRIPE } from '../ledger/quarantine-entries.ts';
import type { ApiDependencies } from './dependencies.ts';
import { showSubscription } from './invoice-preview-body.ts';
import type { SubscriptionPreviewBody } from './invoice-preview-schemas.ts';
import type { StripePreview } from './stripe-previews.ts';

/** Days before today whose open hours may hold back what counts as known, beyond the four weeks of history. */
const OPEN_DAYS_BACK = 60;

/** One subscription's preview: Stripe's answer, if there is one, and everything that the ledger knows. */
export async function previewSubscription(
  { database, clock }: ApiDependencies,
  customerId: string,
  items: readonly ActiveItem[],
  stripe: StripePreview,
): Promise<SubscriptionPreviewBody> {
  const now = clock.now();
  const period = periodOf(items, stripe);
  const hours = await readPreviewHours(database, { since: addMs(now, -OPEN_DAYS_BACK * DAY_MS), period });
  const collectedThrough = hours.collectedThrough ?? now;
  const openDays = new Set(hours.openHours.map(dayOf));
  const knownThrough = knownThroughDay(collectedThrough < now ? collectedThrough : now, openDays);
  const historyStart = projectionHistoryStart(knownThrough, period.start);
  const { usage, quarantined } = await readPreviewUsage(database, customerId, { period, historyStart, now });
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
  });
  const meterByItem = new Map(items.map((item) => [item.subscriptionItemId, item.stripeMeterId]));
  const projection: Projection = projectPeriod({
    period,
    knownThrough,
    openDays,
    items: lines.flatMap((line): ProjectedItem[] => {
      const itemId = line.subscriptionItemId;
      const meterId = itemId === null ? null : (meterByItem.get(itemId) ?? null);
      if (itemId === null || meterId === null || line.quantity === null) return [];
      const own = usage.filter((entry) => entry.stripeMeterId === meterId && entry.state !== 'refused');
      return [
        {
          itemId,
          price: line.price,
          quantity: line.quantity,
          dailyTokens: tokensByDay(own),
          periodTokens: tokensByDay(own.filter((entry) => entry.inPeriod)),
        },
      ];
    }),
  });
  return showSubscription({
    items,
    period,
    stripe,
    now,
    hours: { ...hours, openHours: hours.openHours.filter((hour) => isIn(hour, period)) },
    lines,
    projection,
    knownThrough,
    quarantined: [...sumByReason(quarantined), ...outsideOfLines(usage)],
    quarantinedHours: quarantined.map(({ hour }) => hour),
  });
}

/** The period of the metered lines: Stripe's word, because the catalog may be one renewal behind. */
function periodOf(items: readonly ActiveItem[], stripe: StripePreview): TimeWindow {
  const ids = new Set(
    items.filter((item) => item.stripeMeterId !== null).map((item) => item.subscriptionItemId),
  );
  const line =
    stripe.status === 'ok'
      ? stripe.invoice.lines.find(
          (entry) => entry.subscriptionItemId !== null && ids.has(entry.subscriptionItemId),
        )
      : undefined;
  if (line !== undefined) return { start: line.periodStart, end: line.periodEnd };
  const item = items.find((entry) => entry.stripeMeterId !== null) ?? items[0];
  return item?.currentPeriod ?? { start: new Date(0), end: new Date(0) };
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

function dayOf(instant: Date): number {
  return Math.floor(instant.getTime() / DAY_MS) * DAY_MS;
}

function isIn(instant: Date, window: TimeWindow): boolean {
  return instant >= window.start && instant < window.end;
}
