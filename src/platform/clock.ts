/** Where time comes from. Handed over at the top, so that tests and the demo can own it. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** Start of the UTC hour that holds `instant`. */
export function floorToHour(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / HOUR_MS) * HOUR_MS);
}

/** Start of the UTC minute that holds `instant`. */
export function floorToMinute(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / MINUTE_MS) * MINUTE_MS);
}

export function addMs(instant: Date, milliseconds: number): Date {
  return new Date(instant.getTime() + milliseconds);
}

/** A half-open UTC interval `[start, end)`. */
export interface TimeWindow {
  start: Date;
  end: Date;
}

/** The UTC day that is written so: `YYYY-MM-DD`. */
export function windowOfDay(day: string): TimeWindow {
  const start = new Date(`${day}T00:00:00Z`);
  return { start, end: addMs(start, DAY_MS) };
}

/** The calendar month in UTC that a text such as `2026-11` names; null when it names none. */
export function readMonth(text: string): TimeWindow | null {
  const found = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text);
  if (found === null) return null;
  const [year, month] = [Number(found[1]), Number(found[2])];
  return { start: new Date(Date.UTC(year, month - 1, 1)), end: new Date(Date.UTC(year, month, 1)) };
}

/** Whole seconds from one instant to a later one; 0 when it is not later. */
export function secondsBetween(earlier: Date, later: Date): number {
  return Math.max(0, Math.floor((later.getTime() - earlier.getTime()) / 1_000));
}
