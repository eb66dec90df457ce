const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** From one minute of the day to before another, by the clock on a wall of its time zone; over midnight where the first is later. */
export interface QuietHours {
  timeZone: string;
  fromMinute: number;
  untilMinute: number;
}

/** Whether the runtime knows a time zone by this name. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The first instant from `instant` on that is not quiet, to the minute. */
export function afterQuietHours(instant: Date, quiet: QuietHours | null): Date {
  if (quiet === null || !isQuiet(instant, quiet)) return instant;
  return nextLocalMinute(instant, quiet.timeZone, quiet.untilMinute);
}

/** The next instant after `instant` at which clocks there show this minute of the day, of Mondays alone if so asked. */
export function nextDigestAt(
  instant: Date,
  when: { timeZone: string; minute: number; every: 'day' | 'week' },
): Date {
  let next = instant;
  do {
    next = nextLocalMinute(next, when.timeZone, when.minute);
  } while (when.every === 'week' && localTime(next, when.timeZone).weekday !== 0);
  return next;
}

function isQuiet(instant: Date, { timeZone, fromMinute, untilMinute }: QuietHours): boolean {
  const { minute } = localTime(instant, timeZone);
  return fromMinute <= untilMinute
    ? minute >= fromMinute && minute < untilMinute
    : minute >= fromMinute || minute < untilMinute;
}

/** A minute that clocks skip when they are put forward is taken to be the first one after. */
function nextLocalMinute(instant: Date, timeZone: string, minute: number): Date {
  const start = new Date(Math.floor(instant.getTime() / MINUTE_MS) * MINUTE_MS);
  const ahead = (minute - localTime(start, timeZone).minute + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
  const guess = new Date(start.getTime() + ahead * MINUTE_MS);
  // Clocks were put forward or back in between.
  const off =
    ((localTime(guess, timeZone).minute - minute + DAY_MINUTES * 1.5) % DAY_MINUTES) - DAY_MINUTES / 2;
  if (off === 0) return guess;
  const mended = new Date(guess.getTime() - off * MINUTE_MS);
  return localTime(mended, timeZone).minute === minute && mended > instant ? mended : guess;
}

function localTime(instant: Date, timeZone: string): { minute: number; weekday: number } {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(instant);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return {
    minute: Number(part('hour')) * 60 + Number(part('minute')),
    weekday: WEEKDAYS.indexOf(part('weekday')),
  };
}
