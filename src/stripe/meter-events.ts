import type Stripe from 'stripe';
import { UpstreamError, ValidationError } from '../platform/errors.ts';
import { isDuplicateMeterEvent, toUpstreamError } from './errors.ts';
import type { BillingMeterEvent } from './port.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

/** Stripe cuts nothing: longer values are refused (changelog of 2026-04). */
const MAX_VALUE_DIGITS = 15;
const MAX_IDENTIFIER_LENGTH = 100;

export interface MeterEventSender {
  stripe: Stripe;
  policy: RetryPolicy;
  limiter: RateLimiter | undefined;
}

/**
 * Sends one meter event; every attempt first takes a turn from the limiter, if there is one.
 *
 * The event's identifier is what makes a resend harmless. The Idempotency-Key equals it, so that the answer
 * to a request whose own was lost is replayed; only after an answered 5xx, which Stripe would replay too,
 * does the next attempt carry another key.
 *
 * @throws ValidationError when the event could never be accepted
 * @throws UpstreamError UPSTREAM_REJECTED, UPSTREAM_THROTTLED, UPSTREAM_UNAVAILABLE
 */
export async function sendMeterEvent(
  sender: MeterEventSender,
  event: BillingMeterEvent,
  signal?: AbortSignal,
): Promise<'delivered' | 'duplicate'> {
  validate(event);
  const parameters: Stripe.Billing.MeterEventCreateParams = {
    event_name: event.eventName,
    payload: { stripe_customer_id: event.stripeCustomerId, value: event.value.toString() },
    identifier: event.identifier,
    timestamp: Math.floor(event.timestamp.getTime() / 1_000),
  };
  const call = { action: 'send a meter event', writes: true, context: { identifier: event.identifier } };
  let idempotencyKey = event.identifier;
  return withRetry(
    sender.policy,
    call,
    async ({ number, previousError }) => {
      const previousStatus = previousError?.context.statusCode;
      if (typeof previousStatus === 'number' && previousStatus >= 500) {
        idempotencyKey = `${event.identifier}.${number}.${crypto.randomUUID()}`;
      }
      await sender.limiter?.take(signal);
      try {
        await sender.stripe.billing.meterEvents.create(parameters, { idempotencyKey });
        return 'delivered';
      } catch (error) {
        if (isDuplicateMeterEvent(error)) return 'duplicate';
        const upstream = toUpstreamError(error, call);
        // Told when to come back, the others need not find out one by one.
        if (upstream instanceof UpstreamError && upstream.retryAfterMs !== undefined) {
          sender.limiter?.pauseFor(upstream.retryAfterMs);
        }
        throw upstream;
      }
    },
    signal,
  );
}

function validate(event: BillingMeterEvent): void {
  const digits = event.value.toString().replace('-', '');
  if (digits.length > MAX_VALUE_DIGITS) {
    throw new ValidationError(
      'value',
      `has ${digits.length} digits; Stripe takes at most ${MAX_VALUE_DIGITS}`,
    );
  }
  if (event.identifier === '' || event.identifier.length > MAX_IDENTIFIER_LENGTH) {
    throw new ValidationError('identifier', `must have 1 to ${MAX_IDENTIFIER_LENGTH} characters`);
  }
  if (Number.isNaN(event.timestamp.getTime())) throw new ValidationError('timestamp', 'is not an instant');
}
