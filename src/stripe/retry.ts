import { type TallystickError, UpstreamError } from '../platform/errors.ts';
import {
  REAL_RETRY_TOOLS,
  type RetryTools,
  retryCall,
  type RetryPolicy as SharedPolicy,
} from '../platform/retry.ts';
import { type StripeCall, toUpstreamError } from './errors.ts';

/** A `Retry-After` longer than `maxDelayMs` is the caller's business: the error is thrown with it instead. */
export type RetryPolicy = Pick<SharedPolicy, 'attemptCount' | 'baseDelayMs' | 'maxDelayMs'> &
  Pick<RetryTools, 'random' | 'sleep'>;

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  attemptCount: 5,
  baseDelayMs: 400,
  maxDelayMs: 8_000,
  random: REAL_RETRY_TOOLS.random,
  sleep: REAL_RETRY_TOOLS.sleep,
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
 * Calls Stripe, and again while it is throttled or unavailable. The SDK's own retries are off, because they do not
 * cover 429.
 * @throws UpstreamError of the last attempt: its own outcome counts, because all go under one idempotency key
 */
export async function withRetry<Result>(
  policy: RetryPolicy,
  call: StripeCall,
  run: (attempt: Attempt) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  let previousError: TallystickError | null = null;
  return await retryCall<Result>(
    async ({ number }) => {
      try {
        return { kind: 'done', value: await abortable(run({ number, previousError }), call, signal) };
      } catch (thrown) {
        const error = toUpstreamError(thrown, call);
        previousError = error;
        return {
          kind: 'failed',
          mayRepeat: mayRepeat(error),
          retryAfterMs: error instanceof UpstreamError ? error.retryAfterMs : undefined,
          toError: () => error,
        };
      }
    },
    { ...policy, maxRetryAfterMs: policy.maxDelayMs },
    { ...REAL_RETRY_TOOLS, random: policy.random, sleep: policy.sleep },
    signal,
  );
}

/** A refused key stays refused within seconds. */
function mayRepeat(error: TallystickError): boolean {
  return (
    error instanceof UpstreamError && error.retry && error.statusCode !== 401 && error.statusCode !== 403
  );
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
