import { setTimeout as delay } from 'node:timers/promises';
import { type TallystickError, UpstreamError } from '../platform/errors.ts';
import { type StripeCall, toUpstreamError } from './errors.ts';

export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  attemptCount: number;
  baseDelayMs: number;
  /** A wait longer than this is the caller's business: the error is thrown with `retryAfterMs` instead. */
  maxDelayMs: number;
  /** Jitter, 0 to 1. */
  random: () => number;
  /** How a wait passes; rejects when the signal aborts. */
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  attemptCount: 5,
  baseDelayMs: 200,
  maxDelayMs: 8_000,
  random: Math.random,
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, signal === undefined ? {} : { signal }),
};

/** What one attempt must know about those before it. */
export interface Attempt {
  number: number;
  /**
   * The error of the attempt before. Stripe stores an answered 5xx under the idempotency key and repeats it,
   * so an attempt after one needs another key.
   */
  previousError: TallystickError | null;
}

/**
 * Calls Stripe, and again with growing, jittered waits while it is throttled or unavailable. The SDK's own
 * retries are off, because they do not cover 429.
 * @throws UpstreamError of the last attempt
 */
export async function withRetry<Result>(
  policy: RetryPolicy,
  call: StripeCall,
  run: (attempt: Attempt) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  let previousError: TallystickError | null = null;
  for (let number = 1; ; number += 1) {
    try {
      return await abortable(run({ number, previousError }), call, signal);
    } catch (thrown) {
      const error = toUpstreamError(thrown, call);
      const waitMs = waitBefore(policy, number, error);
      if (waitMs === null || signal?.aborted === true) throw error;
      previousError = error;
      await policy.sleep(waitMs, signal).catch(() => {
        throw error;
      });
    }
  }
}

function waitBefore(policy: RetryPolicy, number: number, error: TallystickError): number | null {
  if (!(error instanceof UpstreamError) || !error.retry || number >= policy.attemptCount) return null;
  // A refused key stays refused within seconds.
  if (error.statusCode === 401 || error.statusCode === 403) return null;
  if (error.retryAfterMs !== undefined && error.retryAfterMs > policy.maxDelayMs) return null;
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (number - 1));
  return Math.max(error.retryAfterMs ?? 0, ceiling * (0.5 + policy.random() / 2));
}

/** The SDK knows no AbortSignal: an abort stops the waiting, not the request, whose outcome is then unknown. */
function abortable<Result>(work: Promise<Result>, call: StripeCall, signal?: AbortSignal): Promise<Result> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () =>
      reject(
        new UpstreamError(`Stopped waiting for Stripe to ${call.action}.`, {
          code: 'UPSTREAM_UNAVAILABLE',
          retry: true,
          system: 'stripe',
          outcomeUnknown: call.writes,
          cause: signal.reason,
        }),
      );
    if (signal.aborted) {
      work.catch(() => {});
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
