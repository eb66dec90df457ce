import { DAY_MS, projectionHistoryStart } from '../previews/days.ts';
import { projectPeriod } from '../previews/projection.ts';
import type { BudgetWindow } from './windows.ts';

/** Money is carried on in millionths of its unit: a projection counts in whole numbers that a float holds. */
const PICO_PER_UNIT = 1_000_000n;

export type ForecastReason = 'too_little_history' | 'period_is_over' | 'not_asked';

export interface Forecast {
  /** What will have been used at the end; null: the reason says why nobody knows. */
  amount: bigint | null;
  reason: ForecastReason | null;
}

/** Midnight UTC, from when on days are asked for. */
export function forecastHistoryStart(window: BudgetWindow, knownUntil: Date): Date {
  return projectionHistoryStart(startOfDay(knownUntil), window.start);
}

/**
 * What will have been used when a window ends, by the method by which months and invoices are projected: collected days stand for
 * those to come.
 * @param dailyAmounts by UTC day (its first millisecond); @param openDays not wholly known, and before `knownUntil`
 */
export function forecastUse(input: {
  window: BudgetWindow;
  knownUntil: Date;
  used: bigint;
  dailyAmounts: ReadonlyMap<number, bigint>;
  openDays: ReadonlySet<number>;
  isMoney: boolean;
}): Forecast {
  const { window, knownUntil, used, dailyAmounts, openDays, isMoney } = input;
  const unit = isMoney ? PICO_PER_UNIT : 1n;
  const knownThrough = startOfDay(knownUntil);
  const projection = projectPeriod({
    period: window,
    knownThrough,
    knownMs: new Map([[knownThrough.getTime(), knownUntil.getTime() - knownThrough.getTime()]]),
    openDays,
    items: [
      {
        itemId: 'budget',
        price: null,
        quantity: used / unit,
        dailyTokens: new Map([...dailyAmounts].map(([day, amount]) => [day, amount / unit])),
      },
    ],
  });
  if (projection.status === 'refused') return { amount: null, reason: projection.reason };
  const expected = projection.items[0]?.quantity?.expected ?? null;
  if (expected === null) return { amount: null, reason: 'too_little_history' };
  const amount = expected * unit;
  return { amount: amount > used ? amount : used, reason: null };
}

function startOfDay(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / DAY_MS) * DAY_MS);
}
