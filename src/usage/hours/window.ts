import { z } from '@hono/zod-openapi';
import { DAY_MS, HOUR_MS, readMonth, type TimeWindow } from '../../platform/clock.ts';
import { ValidationError } from '../../platform/errors.ts';
import type { UsageGranularity } from './queries.ts';

/** Enough for a year and its month of grace; more is an export, which pages by month. */
const MAX_WINDOW_MS = 400 * DAY_MS;

const instantText = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error: 'must be an ISO instant such as 2026-11-01T00:00:00Z, or a date such as 2026-11-01',
  })
  .openapi({ type: 'string', example: '2026-11-01T00:00:00Z' });

export const usageWindowFields = {
  from: instantText.optional(),
  to: instantText.optional(),
  period: z
    .string()
    .regex(/^20\d{2}-(?:0[1-9]|1[0-2])$/, { error: 'must be a calendar month such as 2026-11' })
    .optional()
    .openapi({ example: '2026-11', description: 'A calendar month in UTC, instead of from and to.' }),
};

/**
 * The half-open window a query means.
 * @throws ValidationError when it is missing, given twice, empty, not on whole hours or too long
 */
export function readWindow(query: {
  from?: string | undefined;
  to?: string | undefined;
  period?: string | undefined;
}): TimeWindow {
  const { from, to, period } = query;
  if (period !== undefined) {
    if (from !== undefined || to !== undefined) {
      throw new ValidationError('period', 'must not stand beside from or to', 'Send one of the two.');
    }
    const month = readMonth(period);
    if (month === null) throw new ValidationError('period', 'must be a calendar month such as 2026-11');
    return month;
  }
  if (from === undefined || to === undefined) {
    throw new ValidationError(
      from === undefined ? 'from' : 'to',
      'is missing',
      'Send from and to (to is not included), or period=YYYY-MM.',
    );
  }
  const window = { start: new Date(from), end: new Date(to) };
  for (const [field, instant] of [['from', window.start] as const, ['to', window.end] as const]) {
    if (instant.getTime() % HOUR_MS !== 0) {
      throw new ValidationError(field, 'must be on a whole hour', 'Usage is kept by the UTC hour.');
    }
  }
  const length = window.end.getTime() - window.start.getTime();
  if (length <= 0) throw new ValidationError('to', 'must be after from');
  if (length > MAX_WINDOW_MS) throw new ValidationError('to', 'must be at most 400 days after from');
  return window;
}

/** The part of the window that the hour, day or month beginning at `bucketStart` covers. */
export function clipBucket(bucketStart: Date, granularity: UsageGranularity, window: TimeWindow): TimeWindow {
  const end =
    granularity === 'month'
      ? Date.UTC(bucketStart.getUTCFullYear(), bucketStart.getUTCMonth() + 1, 1)
      : bucketStart.getTime() + (granularity === 'day' ? DAY_MS : HOUR_MS);
  return {
    start: new Date(Math.max(bucketStart.getTime(), window.start.getTime())),
    end: new Date(Math.min(end, window.end.getTime())),
  };
}
