import type Stripe from 'stripe';
import { DAY_MS, HOUR_MS, MINUTE_MS, type TimeWindow } from '../platform/clock.ts';
import { UpstreamError, ValidationError } from '../platform/errors.ts';
import type { SummaryGranularity } from './port.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

export interface EventSummaryQuery {
  stripeMeterId: string;
  stripeCustomerId: string;
  /**
   * Must begin and end on the minute, or what it is grouped by: the hour, the UTC day. Stripe refuses it otherwise.
   */
  window: TimeWindow;
  granularity?: SummaryGranularity;
}

const ALIGNMENTS: Record<SummaryGranularity, { unitMs: number; unit: string }> = {
  whole: { unitMs: MINUTE_MS, unit: 'a minute' },
  hour: { unitMs: HOUR_MS, unit: 'an hour' },
  day: { unitMs: DAY_MS, unit: 'a UTC day' },
};

/** Rows of one page, which is one read of the rationed quota; Stripe gives no more. */
const SUMMARY_PAGE_SIZE = 100;

/**
 * Stripe's sums, by the hour unless asked otherwise, oldest first; hours without usage are absent. They lag
 * behind the events.
 * @throws ValidationError when the window is not aligned
 * @throws UpstreamError, also UPSTREAM_REJECTED when a sum is no safe integer (it travels as a JSON number)
 */
export async function readEventSummaries(
  stripe: Stripe,
  policy: RetryPolicy,
  query: EventSummaryQuery,
  signal?: AbortSignal,
): Promise<{ windowStart: Date; value: bigint }[]> {
  const startMs = query.window.start.getTime();
  const endMs = query.window.end.getTime();
  const { granularity = 'hour' } = query;
  const { unitMs, unit } = ALIGNMENTS[granularity];
  if (!(startMs % unitMs === 0 && endMs % unitMs === 0 && endMs > startMs)) {
    throw new ValidationError('window', `must begin and end on ${unit}, and end after it begins`);
  }
  const call = {
    action: 'read meter event summaries',
    writes: false,
    context: { meter: query.stripeMeterId },
  };
  const summaries = await withRetry(
    policy,
    call,
    async () => {
      const pages = stripe.billing.meters.listEventSummaries(query.stripeMeterId, {
        customer: query.stripeCustomerId,
        start_time: startMs / 1_000,
        end_time: endMs / 1_000,
        ...(granularity === 'whole' ? {} : { value_grouping_window: granularity }),
        limit: SUMMARY_PAGE_SIZE,
      });
      const found: Stripe.Billing.MeterEventSummary[] = [];
      for await (const summary of pages) found.push(summary);
      return found;
    },
    signal,
  );
  return summaries
    .map((summary) => ({
      windowStart: new Date(summary.start_time * 1_000),
      value: toInteger(summary.aggregated_value),
    }))
    .sort((one, other) => one.windowStart.getTime() - other.windowStart.getTime());
}

function toInteger(value: number): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value);
  throw new UpstreamError(`Stripe answered a meter sum that is no exact whole number: ${value}.`, {
    code: 'UPSTREAM_REJECTED',
    retry: false,
    system: 'stripe',
    fix: 'Another sender puts fractions or huge values into this meter; use a meter of its own for token counts.',
  });
}
