import type Stripe from 'stripe';
import { HOUR_MS, type TimeWindow } from '../clock.ts';
import { UpstreamError, ValidationError } from '../errors.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

export interface EventSummaryQuery {
  stripeMeterId: string;
  stripeCustomerId: string;
  /** Must begin and end on the hour: Stripe refuses hourly grouping otherwise. */
  window: TimeWindow;
}

/**
 * Stripe's hourly sums, oldest first; hours without usage are absent. They lag behind the events.
 * @throws ValidationError when the window is not aligned to hours
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
  if (startMs % HOUR_MS !== 0 || endMs % HOUR_MS !== 0 || endMs <= startMs) {
    throw new ValidationError('window', 'must begin and end on an hour, and end after it begins');
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
        value_grouping_window: 'hour',
        limit: 100,
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
