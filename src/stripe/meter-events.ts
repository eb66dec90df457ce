import type Stripe from 'stripe';
import { ValidationError } from '../platform/errors.ts';
import { isDuplicateMeterEvent } from './errors.ts';
import { type KeyedClient, writeKeyed } from './keyed-writes.ts';
import type { BillingMeterEvent } from './port.ts';

/** Stripe cuts nothing: longer values are refused (changelog of 2026-04). */
const MAX_VALUE_DIGITS = 15;
const MAX_IDENTIFIER_LENGTH = 100;

export interface MeterEventSender extends KeyedClient {
  stripe: Stripe;
}

/**
 * Sends one meter event; every attempt first takes a turn from the limiter, if there is one.
 *
 * The event's identifier is what makes a resend harmless, under whichever idempotency key. The key begins with it, up to
 * a dot, so that an answer that was lost is repeated and reports of errors name the event.
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
  return await writeKeyed(
    sender,
    {
      action: 'send a meter event',
      context: { identifier: event.identifier },
      intent: event.identifier,
      content: parameters,
      ...(event.spentKeyCount === undefined ? {} : { spentCount: event.spentKeyCount }),
      run: async (request) => {
        try {
          await sender.stripe.billing.meterEvents.create(parameters, request);
          return { outcome: 'delivered' as const };
        } catch (error) {
          if (isDuplicateMeterEvent(error)) return { outcome: 'duplicate' as const };
          throw error;
        }
      },
    },
    signal,
  ).then(({ outcome }) => outcome);
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
