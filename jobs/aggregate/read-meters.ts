import { FIGURE_NAMES, FIGURES, type FigureName } from '../../pricing/usage/shape.ts';
import type { MeterHour, MeteringSystem, MeterSlug } from '../../src/openmeter/port.ts';
import type { TimeWindow } from '../../src/platform/clock.ts';
import type { LedgerHour } from '../../src/usage/hours/settlements.ts';

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
  return new Map(await Promise.all(FIGURE_NAMES.map(read)));
}
