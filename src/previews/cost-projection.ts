import { type ProjectedRange, projectPeriod } from '../../pricing/previews/projection.ts';
import { readKnownDayCosts } from '../costs/queries.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { readKnownDays } from './hours.ts';

/** What is projected is whole: a day's cost in millionths of a dollar. */
const PICO_PER_UNIT = 1_000_000n;
/** A period of which more than one token in so many has no known cost ends at nobody knows what. */
const MOST_UNKNOWN_SHARE = 20n;

export interface CostProjection {
  periodEnd: Date;
  /** Wholly settled days that it rests on. */
  knownDayCount: number;
  /** Pico-USD at the end of the period, of what has a known cost; null: `reason` says why. */
  total: ProjectedRange | null;
  reason: 'too_little_history' | 'period_is_over' | 'cost_unknown' | null;
}

/**
 * What all usage of a period will have cost at its end: the days' known costs, carried on as invoices are.
 * @param window whole UTC days
 */
export async function readCostProjection(
  snapshot: LedgerSnapshot,
  window: TimeWindow,
  now: Date,
): Promise<CostProjection> {
  const known = await readKnownDays(snapshot, window, now);
  const days = await readKnownDayCosts(snapshot, { start: known.historyStart, end: window.end });
  const dailyUnits = new Map(
    days.map(({ day, costPicoUsd }) => [Date.parse(day), costPicoUsd / PICO_PER_UNIT]),
  );
  const within = days.filter(({ day }) => Date.parse(day) >= window.start.getTime());
  const sum = (pick: (day: (typeof days)[number]) => bigint) =>
    within.reduce((total, day) => total + pick(day), 0n);
  const costPicoUsd = sum((day) => day.costPicoUsd);
  const projection = projectPeriod({
    period: window,
    ...known,
    items: [{ itemId: 'cost', price: null, quantity: costPicoUsd / PICO_PER_UNIT, dailyTokens: dailyUnits }],
  });
  const common = { periodEnd: window.end, knownDayCount: projection.knownDayCount };
  if (projection.status === 'refused') return { ...common, total: null, reason: projection.reason };
  if (sum((day) => day.unknownTokenCount) * MOST_UNKNOWN_SHARE > sum((day) => day.tokenCount)) {
    return { ...common, total: null, reason: 'cost_unknown' };
  }
  const units = projection.items[0]?.quantity ?? null;
  if (units === null) return { ...common, total: null, reason: 'too_little_history' };
  const pico = (value: bigint) => value * PICO_PER_UNIT;
  const total = {
    expected: pico(units.expected),
    p10: pico(units.p10),
    p50: pico(units.p50),
    p90: pico(units.p90),
  };
  return { ...common, total, reason: null };
}
