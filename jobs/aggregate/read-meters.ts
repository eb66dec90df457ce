import { FIGURE_NAMES, FIGURES, type FigureName } from '../../pricing/usage/shape.ts';
import type { MeterHour, MeteringSystem, MeterSlug } from '../../src/openmeter/port.ts';
import type { TimeWindow } from '../../src/platform/clock.ts';
import type { LedgerHour } from '../../src/usage/hours/settlements.ts';

/** Each scans the events of its hours at OpenMeter: more of them at once only wait for each other there. */
const QUERIES_AT_ONCE = 5;

/**
 * Reads every meter of these hours by key, to be held against what the ledger sent. A figure of which the ledger sent
 * nothing is first asked for its total of each hour, one number: only one that is not zero is worth a row for each key.
 * (Foreign events that cancel each other out within one hour of such a figure stay unseen; nothing of ours is in it.)
 * @throws UpstreamError as `queryHourly`
 */
export async function readMeters(
  metering: MeteringSystem,
  asked: { ledger: readonly LedgerHour[]; window: TimeWindow; hours: readonly Date[] },
  signal?: AbortSignal,
): Promise<Map<MeterSlug, MeterHour[]>> {
  const { ledger, window } = asked;
  const wanted = new Set(asked.hours.map((hour) => hour.getTime()));
  const isWanted = ({ windowStart }: { windowStart: Date }) => wanted.has(windowStart.getTime());
  const read = async (name: FigureName): Promise<[MeterSlug, MeterHour[]]> => {
    const { meterSlug } = FIGURES[name];
    if (!ledger.some(({ figures }) => figures[name] !== 0n)) {
      const totals = await metering.queryHourTotals(meterSlug, window, signal);
      if (!totals.some((total) => isWanted(total) && total.value !== 0n)) return [meterSlug, []];
    }
    return [meterSlug, (await metering.queryHourly(meterSlug, window, signal)).filter(isWanted)];
  };
  const meters = new Map<MeterSlug, MeterHour[]>();
  for (let start = 0; start < FIGURE_NAMES.length; start += QUERIES_AT_ONCE) {
    const page = FIGURE_NAMES.slice(start, start + QUERIES_AT_ONCE);
    for (const [meterSlug, rows] of await Promise.all(page.map(read))) meters.set(meterSlug, rows);
  }
  return meters;
}
