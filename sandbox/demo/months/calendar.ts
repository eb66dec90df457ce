import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import type { SystemName } from '../../fault-switches.ts';
import type { Scenario } from '../../scenario.ts';
import { addMonths } from '../../stripe/invoices/months.ts';

/** A time for which nobody at an outside system answers. Half-open. */
export interface Outage {
  system: SystemName;
  startMs: number;
  endMs: number;
}

/** What of the virtual months is fixed before they begin. */
export interface MonthsCalendar {
  /** Different instants at which periods end, oldest first, by month. */
  periodEnds: readonly (readonly number[])[];
  /** When the pipeline's steps run, oldest first. */
  ticks: readonly number[];
  outages: readonly Outage[];
}

/** Far from any period end the steps look at their watermarks so often; there is just less to do at each look. */
const QUIET_TICK_MS = 12 * HOUR_MS;
/**
 * After each end: when its drafts are claimed, when its last hours settle, when the source has been waited for, and some
 * looks more. In service the steps run every minute.
 */
const CLOSING_MINUTES = [2, 65, 132, 150, 210, 300, 480] as const;
/** What an outage held up comes through in the minutes after it. */
const RECOVERY_MINUTES = [5, 12, 20, 40, 75, 150] as const;
/** All draft time and late rows of the last period end lie within this. */
const LAST_DRAFTS_MS = 4 * DAY_MS;
/** Each begins while the drafts of a period end are open, and is over before Stripe would finalize them by itself. */
const OUTAGE_AFTER_END_MS = 25 * MINUTE_MS;
const OUTAGE_HOURS: Record<SystemName, number> = { azure: 7, openMeter: 6, stripe: 9 };
const OUTAGE_ORDER: readonly SystemName[] = ['azure', 'openMeter', 'stripe'];

/**
 * The months' calendar: `monthCount` months of traffic and one more, in which what came late for the last of them is
 * billed. In some month each outside system goes down while its drafts are open.
 */
export function planMonths(scenario: Scenario, monthCount: number): MonthsCalendar {
  const anchors = [...new Set(scenario.customers.map((customer) => customer.billingAnchorMs))];
  const periodEnds = Array.from({ length: monthCount + 1 }, (_, month) =>
    [...new Set(anchors.map((anchorMs) => addMonths(anchorMs, month)))].sort((one, other) => one - other),
  );
  const lastMs = (periodEnds.at(-1)?.at(-1) ?? scenario.options.startMs) + LAST_DRAFTS_MS;
  const ticks = new Set<number>();
  for (let nowMs = scenario.options.startMs; nowMs < lastMs; nowMs += QUIET_TICK_MS) ticks.add(nowMs);
  for (const endMs of periodEnds.flat()) {
    for (const minutes of CLOSING_MINUTES) ticks.add(endMs + minutes * MINUTE_MS);
  }
  ticks.add(lastMs);
  const outages = planOutages(periodEnds, monthCount);
  for (const { endMs } of outages) {
    for (const minutes of RECOVERY_MINUTES) ticks.add(endMs + minutes * MINUTE_MS);
  }
  return {
    periodEnds,
    ticks: [...ticks].filter((nowMs) => nowMs <= lastMs).sort((one, other) => one - other),
    outages,
  };
}

/** One in each of the first months after the first; in a shorter run they share a month. */
function planOutages(periodEnds: MonthsCalendar['periodEnds'], monthCount: number): Outage[] {
  return OUTAGE_ORDER.flatMap((system, index) => {
    const ends = periodEnds[(index + 1) % Math.max(1, monthCount)] ?? [];
    const hitMs = ends[Math.floor(((index + 1) * ends.length) / 5)];
    if (hitMs === undefined) return [];
    const startMs = hitMs + OUTAGE_AFTER_END_MS;
    return [{ system, startMs, endMs: startMs + OUTAGE_HOURS[system] * HOUR_MS }];
  });
}

/** Who is down at an instant. */
export function systemsDown(outages: readonly Outage[], nowMs: number): Set<SystemName> {
  return new Set(
    outages.filter(({ startMs, endMs }) => nowMs >= startMs && nowMs < endMs).map(({ system }) => system),
  );
}
