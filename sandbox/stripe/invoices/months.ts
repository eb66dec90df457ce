/** How often a price bills, in Stripe's words. */
export interface BillingInterval {
  unit: 'day' | 'week' | 'month' | 'year';
  count: number;
}

export const MONTHLY: BillingInterval = { unit: 'month', count: 1 };

/** The same moment so many months on; a day the month does not have becomes its last one. */
export function addMonths(instantMs: number, months: number): number {
  const from = new Date(instantMs);
  const target = new Date(instantMs);
  target.setUTCDate(1);
  target.setUTCMonth(from.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(target.getUTCFullYear(), target.getUTCMonth() + 1, 0)).getUTCDate();
  target.setUTCDate(Math.min(from.getUTCDate(), lastDay));
  return target.getTime();
}

const DAY_MS = 86_400_000;

function addIntervals(instantMs: number, { unit, count }: BillingInterval, times: number): number {
  const steps = count * times;
  if (unit === 'day' || unit === 'week') return instantMs + steps * (unit === 'day' ? 1 : 7) * DAY_MS;
  return addMonths(instantMs, steps * (unit === 'year' ? 12 : 1));
}

/**
 * The first boundary after an instant, of periods that begin on the anchor plus whole intervals; the anchor itself is
 * one, and may lie on either side. Counted from the anchor each time, so that the 31st comes back after February.
 */
export function nextBoundary(anchorMs: number, afterMs: number, interval = MONTHLY): number {
  for (let times = 0; ; times += 1) {
    const boundary = addIntervals(anchorMs, interval, times);
    if (boundary > afterMs) return boundary;
  }
}

/** The last boundary at or before an instant; the anchor where none is. */
export function lastBoundary(anchorMs: number, untilMs: number, interval = MONTHLY): number {
  let last = anchorMs;
  for (let times = 1; ; times += 1) {
    const boundary = addIntervals(anchorMs, interval, times);
    if (boundary > untilMs) return last;
    last = boundary;
  }
}
