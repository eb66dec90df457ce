export const DAY_MS = 86_400_000;
/** How far back the days are looked at that stand for those to come: in less, growth is not told from chance. */
const PROJECTION_HISTORY_DAYS = 56;

/** A day of which something is still to come. */
export interface ComingDay {
  /** Its first millisecond, UTC. */
  day: number;
  /** How much of the day, between 0 and 1. */
  share: number;
}

/** First day of the history that a projection from `knownThrough` looks at. */
export function projectionHistoryStart(knownThrough: Date, periodStart: Date): Date {
  const lookedBack = knownThrough.getTime() - PROJECTION_HISTORY_DAYS * DAY_MS;
  return new Date(Math.min(lookedBack, startOfDay(periodStart.getTime())));
}

/**
 * From when on days have to be estimated: the day of the last collected usage, or the first of the days right before
 * it that are still open. An open day further back is left as it is.
 */
export function knownThroughDay(collectedThrough: Date, openDays: ReadonlySet<number>): Date {
  let day = startOfDay(collectedThrough.getTime());
  while (openDays.has(day - DAY_MS)) day -= DAY_MS;
  return new Date(day);
}

/** Hours with usage of one day: settled, and not settled yet. */
interface HourCounts {
  settled: number;
  open: number;
}

/**
 * How much of each day from `knownThrough` on is known already, in milliseconds: of the time that is collected the share
 * that its settled hours have of all hours with usage.
 */
export function knownOfDays(
  knownThrough: Date,
  collectedThrough: Date,
  hoursOf: (day: number) => HourCounts,
): Map<number, number> {
  const known = new Map<number, number>();
  for (let day = knownThrough.getTime(); day < collectedThrough.getTime(); day += DAY_MS) {
    const { settled, open } = hoursOf(day);
    const collectedMs = Math.min(DAY_MS, collectedThrough.getTime() - day);
    known.set(day, open === 0 ? collectedMs : (collectedMs * settled) / (settled + open));
  }
  return known;
}

/** The days of the period from `knownThrough` on, without what is known of them. */
export function comingDays(
  period: { start: Date; end: Date },
  knownThrough: Date,
  knownMs: ReadonlyMap<number, number>,
): ComingDay[] {
  const days: ComingDay[] = [];
  const first = Math.max(startOfDay(period.start.getTime()), knownThrough.getTime());
  for (let day = first; day < period.end.getTime(); day += DAY_MS) {
    const from = Math.max(day + (knownMs.get(day) ?? 0), period.start.getTime());
    const share = (Math.min(day + DAY_MS, period.end.getTime()) - from) / DAY_MS;
    if (share > 0) days.push({ day, share });
  }
  return days;
}

/** Days since the epoch modulo seven: which weekday it is called does not matter. */
export function weekdayOf(day: number): number {
  return dayNumberOf(day) % 7;
}

/** Days since the epoch. */
export function dayNumberOf(instantMs: number): number {
  return Math.floor(instantMs / DAY_MS);
}

function startOfDay(instantMs: number): number {
  return dayNumberOf(instantMs) * DAY_MS;
}
