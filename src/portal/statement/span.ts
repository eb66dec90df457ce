import type { DaySpan } from '../../statements/spans.ts';

/** The days that an address picks; null: none, or what makes no sense. The later of the two may come first. */
export function readSpan(query: URLSearchParams): DaySpan | null {
  const [from, to] = [readDay(query.get('from')), readDay(query.get('to'))];
  if (from === null && to === null) return null;
  const [firstDay, lastDay] = [from ?? to ?? '', to ?? from ?? ''].sort() as [string, string];
  return { firstDay, lastDay };
}

/** What of the days a statement has; null: nothing, or all, and then nothing is picked. */
export function clipSpan(span: DaySpan | null, days: readonly { day: string }[]): DaySpan | null {
  const [first, last] = [days[0]?.day, days.at(-1)?.day];
  if (span === null || first === undefined || last === undefined) return null;
  const clipped = {
    firstDay: span.firstDay < first ? first : span.firstDay,
    lastDay: span.lastDay > last ? last : span.lastDay,
  };
  const isAll = clipped.firstDay === first && clipped.lastDay === last;
  return clipped.firstDay > clipped.lastDay || isAll ? null : clipped;
}

/** `2026-11-21`, and a day that there is. */
export function readDay(text: string | null): string | null {
  if (text === null || !/^\d{4}-\d\d-\d\d$/.test(text)) return null;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text) ? text : null;
}
