import type { UpstreamError } from '../platform/errors.ts';
import { type RetryPolicy, type RetryTools, retryCall } from '../platform/retry.ts';

/**
 * Five attempts bridge the service's one-minute throttling windows; ten minutes is the longest a single
 * query may run there, so whoever waited that long is better served by a smaller window.
 */
export const DEFAULT_RETRY_POLICY: RetryPolicy & { deadlineMs: number } = {
  attemptCount: 5,
  baseDelayMs: 1_000,
  maxDelayMs: 30_000,
  deadlineMs: 600_000,
};

export type ReadAttempt<T> = { kind: 'done'; value: T } | { kind: 'failed'; error: UpstreamError };

/**
 * Repeats a read while its error allows it, and never sooner than the outside system asked.
 * @throws the last attempt's UpstreamError; the signal's reason when aborted
 */
export async function retryRead<T>(
  attempt: (remainingMs: number) => Promise<ReadAttempt<T>>,
  policy: RetryPolicy,
  tools: RetryTools,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await retryCall<T>(
      async ({ remainingMs }) => {
        const outcome = await attempt(remainingMs);
        if (outcome.kind === 'done') return outcome;
        const { error } = outcome;
        return {
          kind: 'failed',
          mayRepeat: error.retry,
          retryAfterMs: error.retryAfterMs,
          toError: () => error,
        };
      },
      policy,
      tools,
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
