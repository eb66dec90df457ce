import type { BudgetPeriod } from './budget.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** 1 January 1970 was a Thursday; weeks begin on Mondays. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Half-open, in UTC: `[start, end)`. */
export interface BudgetWindow {
  start: Date;
  end: Date;
}

const floorTo = (instantMs: number, lengthMs: number, originMs = 0) =>
  Math.floor((instantMs - originMs) / lengthMs) * lengthMs + originMs;

/**
 * The window of a period that holds an instant. A week begins on Monday (ISO 8601); rolling days are whole UTC days, the one that
 * runs being the last. A billing period counts from the full hour in which it begins, as usage is summed by hours: so an hour is
 * in one period and in no other.
 * @param billing the customer's billing period that holds the instant; null: none is known
 * @returns null where no billing period is known
 */
export function windowAt(
  { period, rollingDayCount }: { period: BudgetPeriod; rollingDayCount: number | null },
  now: Date,
  billing: BudgetWindow | null,
): BudgetWindow | null {
  const nowMs = now.getTime();
  const day = floorTo(nowMs, DAY_MS);
  const of = (startMs: number, endMs: number) => ({ start: new Date(startMs), end: new Date(endMs) });
  switch (period) {
    case 'day':
      return of(day, day + DAY_MS);
    case 'week': {
      const week = floorTo(nowMs, 7 * DAY_MS, FIRST_MONDAY_MS);
      return of(week, week + 7 * DAY_MS);
    }
    case 'month': {
      const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
      return of(Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1));
    }
    case 'rolling_days':
      return of(day + DAY_MS - (rollingDayCount ?? 1) * DAY_MS, day + DAY_MS);
    case 'billing_period':
      return billing === null
        ? null
        : of(floorTo(billing.start.getTime(), HOUR_MS), floorTo(billing.end.getTime(), HOUR_MS));
  }
}

/** The window before, of the same length in the calendar; what ends a billing period before is not known: as long as this one. */
export function windowBefore(
  terms: { period: BudgetPeriod; rollingDayCount: number | null },
  window: BudgetWindow,
): BudgetWindow {
  const end = window.start;
  if (terms.period === 'billing_period' || terms.period === 'rolling_days') {
    return { start: new Date(2 * end.getTime() - window.end.getTime()), end };
  }
  return windowAt(terms, new Date(end.getTime() - 1), null) ?? window;
}
