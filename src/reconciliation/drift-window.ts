import { DAY_MS, type TimeWindow } from '../platform/clock.ts';
import { ValidationError } from '../platform/errors.ts';

/** A report reads every source item of its window: a month, and the days that a period may be longer. */
const LONGEST_REPORT_MS = 35 * DAY_MS;
/** Further back Stripe is not asked. */
const LONGEST_RECONCILIATION_MS = 400 * DAY_MS;

/** @throws ValidationError when the window is too long for one report */
export function checkDriftWindow(window: TimeWindow): void {
  if (window.end.getTime() - window.start.getTime() > LONGEST_REPORT_MS) {
    throw new ValidationError('to', 'must be at most 35 days after from', 'Ask month by month.');
  }
}

/** @throws ValidationError when the window is empty, in the future, or longer than anything is kept for */
export function checkReconciliationWindow(window: TimeWindow, now: Date): void {
  if (window.start >= window.end) throw new ValidationError('to', 'must be later than from');
  if (window.start > now) {
    throw new ValidationError('from', 'lies in the future', `It is ${now.toISOString()} now.`);
  }
  if (now.getTime() - window.start.getTime() > LONGEST_RECONCILIATION_MS) {
    throw new ValidationError('from', 'is more than 400 days ago');
  }
}
