import { addMs, DAY_MS, HOUR_MS, type TimeWindow } from '../../src/platform/clock.ts';
import type { PairHour } from '../../src/reconciliation/billing-drifts.ts';
import { type ExplainRules, growPatience } from './explain.ts';

/** A total costs one read however long it is: what Stripe still takes usage for is always part of it. */
const ALWAYS_BACK_MS = 35 * DAY_MS;

export type Ripeness = Pick<ExplainRules, 'now' | 'summaryLagMs' | 'observedLagMs'>;

/**
 * Whether Stripe must show by now everything that it acknowledged of the hour or may have counted, and nothing is on
 * its way. After repairs it is given longer: acting again before the last repair shows would never come to rest.
 */
export function isRipe(hour: PairHour, { now, summaryLagMs, observedLagMs }: Ripeness): boolean {
  const lagMs = Math.max(growPatience(summaryLagMs, hour.repairCount), observedLagMs);
  return (
    !hour.hasPending &&
    [hour.lastDeliveredAt, hour.unprovenTriedAt].every((at) => at === null || addMs(at, lagMs) <= now)
  );
}

/** What one total is asked for. */
export interface CheckedRange {
  window: TimeWindow;
  /** Pushes delivered by then are all inside; null when that says nothing about those before the window. */
  agreedAt: Date | null;
}

/**
 * From the day that holds the first hour not yet agreed on, or 35 days back, up to the first hour that Stripe may
 * not show whole yet. With `asked`, that window instead, whether it was agreed on or not.
 * @returns null when there is nothing to ask for
 */
export function findRange(
  hours: readonly PairHour[],
  pair: { agreedAt: Date | null },
  ripe: Ripeness,
  asked: TimeWindow | null,
): CheckedRange | null {
  const [earliest, latest] = [hours[0], hours.at(-1)];
  const first = asked === null ? hours.find((hour) => isDue(hour, pair.agreedAt)) : earliest;
  if (earliest === undefined || latest === undefined || first === undefined) return null;
  const from = asked?.start ?? new Date(Math.min(+first.windowStart, +ripe.now - ALWAYS_BACK_MS));
  const start = floorToDay(new Date(Math.max(+from, +earliest.windowStart)));
  const unripe = hours.find((hour) => !isRipe(hour, ripe) && hour.windowStart >= start);
  const afterLast = addMs(latest.windowStart, HOUR_MS);
  const end = new Date(
    Math.min(+(unripe?.windowStart ?? afterLast), +afterLast, ceilToHour(asked?.end ?? afterLast)),
  );
  if (end <= start) return null;
  return { window: { start, end }, agreedAt: asked === null ? findAgreedAt(hours, end, ripe) : null };
}

function isDue(hour: PairHour, agreedAt: Date | null): boolean {
  return (
    hour.unprovenIds.length > 0 ||
    hour.hasRecentLoss ||
    (hour.lastDeliveredAt !== null && (agreedAt === null || hour.lastDeliveredAt > agreedAt))
  );
}

/** Just before the first delivery that the range leaves out, and no later than Stripe's sums reach. */
function findAgreedAt(hours: readonly PairHour[], end: Date, ripe: Ripeness): Date {
  const outside = hours.flatMap((hour) =>
    hour.windowStart >= end && hour.firstDeliveredAt !== null ? [+hour.firstDeliveredAt - 1] : [],
  );
  return new Date(Math.min(+ripe.now - ripe.summaryLagMs, ...outside));
}

function floorToDay(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / DAY_MS) * DAY_MS);
}

function ceilToHour(instant: Date): number {
  return Math.ceil(instant.getTime() / HOUR_MS) * HOUR_MS;
}
