import { floorToHour, HOUR_MS, type TimeWindow } from '../platform/clock.ts';
import { ValidationError } from '../platform/errors.ts';

const LONGEST_MS = 400 * 24 * HOUR_MS;

/** What a query names; the rest is the calendar month so far. */
interface AskedInstants {
  from?: string | undefined;
  at?: string | undefined;
}

/**
 * The window of a report: usage is earned from its start, and all of it is told as of its end. Without an instant that is the
 * hour up to which all that was collected is settled; without a start the first of that instant's UTC month, of the month that it ends.
 * @throws ValidationError for an instant that is not on a whole hour or lies ahead, and for a window that is none
 */
export function readAccrualWindow(
  { from, at }: AskedInstants,
  known: { settledThrough: Date | null; now: Date },
): TimeWindow {
  const end = at === undefined ? (known.settledThrough ?? floorToHour(known.now)) : readHour('at', at);
  if (end > known.now) {
    throw new ValidationError(
      'at',
      'lies ahead',
      `It is ${known.now.toISOString()} now: nothing is used yet.`,
    );
  }
  const last = new Date(end.getTime() - 1);
  const start =
    from === undefined
      ? new Date(Date.UTC(last.getUTCFullYear(), last.getUTCMonth(), 1))
      : readHour('from', from);
  if (start >= end) throw new ValidationError('from', `must be before ${end.toISOString()}`);
  if (end.getTime() - start.getTime() > LONGEST_MS) {
    throw new ValidationError('from', 'must be at most 400 days before at', 'Ask month by month.');
  }
  return { start, end };
}

function readHour(field: string, text: string): Date {
  const instant = new Date(text);
  if (instant.getTime() % HOUR_MS === 0) return instant;
  throw new ValidationError(field, 'must be on a whole hour', 'Usage is kept by the UTC hour.');
}
