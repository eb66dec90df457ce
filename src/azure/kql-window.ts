import { DAY_MS, HOUR_MS } from '../platform/clock.ts';
import { ValidationError } from '../platform/errors.ts';
import type { SourceQuery } from './source.ts';

/** The client's timespan is wider than the query's bounds, so that whether its ends count cannot matter. */
const TIMESPAN_MARGIN_MS = HOUR_MS;

/**
 * How far event times can lie from the ingestion window. The store replaces an event time that is more than
 * 2 days before receipt, or more than 1 day after it, by the receipt time (log-standard-columns page); a day
 * is added for the way from receipt to ingestion.
 */
const EVENT_LOOK_BACK_MS = 3 * DAY_MS;
const EVENT_LOOK_AHEAD_MS = 2 * DAY_MS;

/** The service cuts answers at 500,000 rows, and the sentinel row needs one of them. */
export const MAXIMUM_ROW_LIMIT = 499_999;

/** The event times a row query can touch; the timespan handed to the client is derived from it. */
export function eventBounds(query: SourceQuery): { start: Date; end: Date } {
  if (query.by === 'event') return query.window;
  return {
    start: new Date(query.window.start.getTime() - EVENT_LOOK_BACK_MS),
    end: new Date(query.window.end.getTime() + EVENT_LOOK_AHEAD_MS),
  };
}

/** Never `between`, which includes both ends. */
export function halfOpen(column: string, start: Date, end: Date): string {
  return `${column} >= ${datetime(start)} and ${column} < ${datetime(end)}`;
}

export function datetime(instant: Date): string {
  if (Number.isNaN(instant.getTime())) throw new ValidationError('window', 'holds an invalid instant');
  return `datetime(${instant.toISOString()})`;
}

/** @throws ValidationError for an empty window, a partition or a limit out of range */
export function validateQuery(query: SourceQuery): void {
  if (!(query.window.start.getTime() < query.window.end.getTime())) {
    throw new ValidationError('window', 'must end after it starts');
  }
  if (!Number.isInteger(query.rowLimit) || query.rowLimit < 1 || query.rowLimit > MAXIMUM_ROW_LIMIT) {
    throw new ValidationError('rowLimit', `must be a whole number from 1 to ${MAXIMUM_ROW_LIMIT}`);
  }
  if (query.partition === undefined) return;
  const { count, index } = query.partition;
  if (!Number.isInteger(count) || count < 2 || count > 65_536) {
    throw new ValidationError('partition.count', 'must be a whole number from 2 to 65536');
  }
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new ValidationError('partition.index', 'must be a whole number from 0 up to the count');
  }
}

/** Bounds of event time as the client takes them beside the query. */
export function widen(start: Date, end: Date): { startTime: Date; endTime: Date } {
  return {
    startTime: new Date(start.getTime() - TIMESPAN_MARGIN_MS),
    endTime: new Date(end.getTime() + TIMESPAN_MARGIN_MS),
  };
}
