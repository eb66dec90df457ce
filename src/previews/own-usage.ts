import type { BilledSoFar } from '../billing/instalments.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { BillingInvoiceLine } from '../stripe/port.ts';
import type { ActiveItem } from './items.ts';
import { type MeterUsage, readPreviewUsage } from './usage.ts';

/** An item's usage in its own service period. */
export interface OwnUsage {
  period: TimeWindow;
  usage: readonly MeterUsage[];
}

/**
 * Usage of items that Stripe bills for another time than the rest of the invoice: their price is younger, or their interval
 * another. Mostly there is none.
 */
export async function readOwnUsage(
  database: LedgerDatabase,
  customerId: string,
  {
    items,
    lines,
    period,
    billedSoFar,
  }: {
    items: readonly ActiveItem[];
    lines: readonly BillingInvoiceLine[];
    period: TimeWindow;
    billedSoFar: readonly BilledSoFar[];
  },
): Promise<Map<string, OwnUsage>> {
  const own = new Map<string, OwnUsage>();
  const known = new Map<string, readonly MeterUsage[]>();
  for (const { subscriptionItemId, stripeMeterId, priceId } of items) {
    const line = lines.find((entry) => entry.subscriptionItemId === subscriptionItemId && isOfTime(entry));
    if (line === undefined || stripeMeterId === null) continue;
    // After an instalment a line may begin with what that left; tiers go on from the beginning.
    const start = billedFor(billedSoFar, { stripeMeterId, priceId })?.periodStart ?? line.periodStart;
    const its = { start: start < line.periodStart ? start : line.periodStart, end: line.periodEnd };
    if (+its.start === +period.start && +its.end === +period.end) continue;
    const key = `${+its.start} ${+its.end}`;
    const usage =
      known.get(key) ??
      (await readPreviewUsage(database, customerId, { period: its, historyStart: its.start })).usage;
    known.set(key, usage);
    own.set(subscriptionItemId, {
      period: its,
      usage: usage.filter((entry) => entry.inPeriod && entry.stripeMeterId === stripeMeterId),
    });
  }
  return own;
}

/** In a trial lines may be of no time at all. */
export function isOfTime({ periodStart, periodEnd }: BillingInvoiceLine): boolean {
  return periodStart < periodEnd;
}

/** An item whose own period goes on has no line on an invoice that ends before. */
export function isOnInvoice(
  { subscriptionItemId, currentPeriod }: ActiveItem,
  lines: readonly BillingInvoiceLine[],
  period: TimeWindow,
): boolean {
  return (
    currentPeriod.end <= period.end || lines.some((line) => line.subscriptionItemId === subscriptionItemId)
  );
}

/** What instalments have billed at the price that an item has. */
export function billedFor(
  billedSoFar: readonly BilledSoFar[],
  { stripeMeterId, priceId }: Pick<ActiveItem, 'stripeMeterId' | 'priceId'>,
): BilledSoFar | null {
  return billedSoFar.find((one) => one.priceId === priceId && one.stripeMeterId === stripeMeterId) ?? null;
}
