import Stripe from 'stripe';
import { TallystickError, UpstreamError } from '../platform/errors.ts';

/** Failures before a byte of the request left: nothing can have taken effect. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH']);

const CREDENTIALS_FIX =
  'Check STRIPE_API_KEY: it must be a live or test key of the right account with write access to billing meter events.';

export interface StripeCall {
  /** What was being done, for the message: `send a meter event`. */
  action: string;
  /** True when the call changes something at Stripe, so that a lost answer leaves its outcome unknown. */
  writes: boolean;
  context?: Record<string, unknown>;
}

/**
 * Turns what the SDK threw into our one error type. Stripe's own message stays in `cause`.
 *
 * A refused key (401, 403) is UPSTREAM_UNAVAILABLE and not UPSTREAM_REJECTED: it says nothing about the
 * usage that was being sent, which must wait for the right key instead of being set aside for good.
 */
export function toUpstreamError(error: unknown, call: StripeCall): TallystickError {
  if (error instanceof TallystickError) return error;
  if (!(error instanceof Stripe.errors.StripeError)) {
    return new TallystickError(`Could not ${call.action}: ${messageOf(error)}`, {
      code: 'INTERNAL',
      retry: false,
      cause: error,
    });
  }
  const context = {
    ...call.context,
    stripeCode: error.code,
    stripeType: error.rawType,
    stripeParam: error.param,
    requestId: error.requestId,
  };
  const base = { system: 'stripe', statusCode: error.statusCode, context, cause: error } as const;
  const status = error.statusCode;

  if (error instanceof Stripe.errors.StripeConnectionError) {
    return new UpstreamError(`Stripe did not answer when we tried to ${call.action}.`, {
      ...base,
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
      outcomeUnknown: call.writes && !NEVER_SENT.has(connectionCode(error)),
      fix: 'Check STRIPE_API_BASE and that the network lets this machine reach it.',
    });
  }
  if (status === 401 || status === 403) {
    return new UpstreamError(`Stripe refused our key when we tried to ${call.action}.`, {
      ...base,
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
      fix: CREDENTIALS_FIX,
    });
  }
  if (error instanceof Stripe.errors.StripeRateLimitError || status === 429) {
    return new UpstreamError(`Stripe asked us to slow down when we tried to ${call.action}.`, {
      ...base,
      code: 'UPSTREAM_THROTTLED',
      retry: true,
      retryAfterMs: retryAfterMs(error),
    });
  }
  // 409: another request with our idempotency key is still at work. No status: an answer that is not JSON.
  if (status === undefined || status === 409 || status >= 500) {
    return new UpstreamError(
      `Stripe failed (${status ?? 'unreadable answer'}) when we tried to ${call.action}.`,
      {
        ...base,
        code: 'UPSTREAM_UNAVAILABLE',
        retry: true,
        retryAfterMs: retryAfterMs(error),
        outcomeUnknown: call.writes,
      },
    );
  }
  return new UpstreamError(`Stripe refused to ${call.action}: ${error.message}`, {
    ...base,
    code: 'UPSTREAM_REJECTED',
    retry: false,
  });
}

/**
 * A second event with a known identifier is refused with 400 instead of being ignored, and only for the
 * 24 hours (or longer) in which Stripe remembers identifiers. Code and wording have both been seen alone.
 */
export function isDuplicateMeterEvent(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeError) || error.statusCode !== 400) return false;
  return (
    error.code === 'duplicate_meter_event' || /already exists with (this )?identifier/i.test(error.message)
  );
}

/** The account sends too much; a lock on one object (`lock_timeout`) is a 429 too, and says nothing of the pace. */
export function isRateLimit(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeError) || error.statusCode !== 429) return false;
  return error.code !== 'lock_timeout';
}

/** `Retry-After` in milliseconds; Stripe sends seconds. */
function retryAfterMs(error: InstanceType<typeof Stripe.errors.StripeError>): number | undefined {
  const header = error.headers?.['retry-after'];
  if (header === undefined || !/^\d+(\.\d+)?$/.test(header)) return undefined;
  return Math.ceil(Number(header) * 1_000);
}

function connectionCode(error: InstanceType<typeof Stripe.errors.StripeError>): string {
  const detail: unknown = error.detail;
  if (typeof detail === 'object' && detail !== null && 'code' in detail) return String(detail.code);
  return '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
