import { DAY_MS, type TimeWindow } from '../platform/clock.ts';
import { ValidationError } from '../platform/errors.ts';
import { readWindow } from '../usage/hours/window.ts';

/** @throws ValidationError unless the query means whole UTC days: costs are kept by the day */
export function readDayWindow(query: {
  from?: string | undefined;
  to?: string | undefined;
  period?: string | undefined;
}): TimeWindow {
  const window = readWindow(query);
  for (const [field, instant] of [['from', window.start] as const, ['to', window.end] as const]) {
    if (instant.getTime() % DAY_MS !== 0) {
      throw new ValidationError(field, 'must be midnight UTC', 'Costs are kept by the UTC day.');
    }
  }
  return window;
}
