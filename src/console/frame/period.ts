import { monthInWords } from '../../pages/words.ts';
import { DAY_MS, readMonth, type TimeWindow } from '../../platform/clock.ts';

/** The time that a page is about: whole days in UTC. */
export interface Period {
  /** What the address says: `this-month`, `last-month`, `30-days`, `2026-10`, or `from-to` with `from` and `to`. */
  name: string;
  /** `October 2026`, `1 Oct to 30 Oct 2026`. */
  words: string;
  window: TimeWindow;
}

export const PERIOD_CHOICES = [
  { value: 'this-month', title: 'This month' },
  { value: 'last-month', title: 'Last month' },
  { value: '30-days', title: 'Last 30 days' },
  { value: 'from-to', title: 'From and to' },
] as const;

/** What the pages of one day take at most. */
const MAX_DAYS = 400;

/**
 * The period of an address; what makes no sense is this month. `to` is its last day, as people say it.
 * @param unasked where the address names none
 */
export function readPeriod(query: URLSearchParams, now: Date, unasked = 'this-month'): Period {
  const asked = query.get('period') ?? unasked;
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const monthAt = (index: number): TimeWindow => ({
    start: new Date(Date.UTC(year, index, 1)),
    end: new Date(Date.UTC(year, index + 1, 1)),
  });
  if (asked === 'last-month') return period(asked, monthAt(month - 1));
  if (asked === '30-days') {
    const end = new Date(Date.UTC(year, month, now.getUTCDate() + 1));
    return period(asked, { start: new Date(end.getTime() - 30 * DAY_MS), end });
  }
  const named = readMonth(asked);
  if (named !== null) return period(asked, named);
  const span = asked === 'from-to' ? readSpan(query.get('from'), query.get('to')) : null;
  return span === null ? period('this-month', monthAt(month)) : period('from-to', span);
}

function readSpan(from: string | null, to: string | null): TimeWindow | null {
  const [start, last] = [readDay(from), readDay(to)];
  if (start === null || last === null || last < start) return null;
  const end = new Date(last.getTime() + DAY_MS);
  return end.getTime() - start.getTime() > MAX_DAYS * DAY_MS ? null : { start, end };
}

function readDay(text: string | null): Date | null {
  if (text === null || !/^\d{4}-\d\d-\d\d$/.test(text)) return null;
  const day = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== text ? null : day;
}

const DAY = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});

function period(name: string, window: TimeWindow): Period {
  const last = new Date(window.end.getTime() - 1);
  const isMonth =
    window.start.getUTCDate() === 1 &&
    window.end.getUTCDate() === 1 &&
    last.getUTCMonth() === window.start.getUTCMonth();
  const words = isMonth ? monthInWords(window.start) : `${DAY.format(window.start)} to ${DAY.format(last)}`;
  return { name, words, window };
}
