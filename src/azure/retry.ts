import { setTimeout as sleepFor } from 'node:timers/promises';
import type { UpstreamError } from '../platform/errors.ts';

export interface RetryPolicy {
  /** Calls in all, the first one included. */
  attemptLimit: number;
  /** Upper bound of the first pause; doubled for each further one. */
  baseDelayMs: number;
  maximumDelayMs: number;
  /** No new attempt starts later than this after the first. */
  deadlineMs: number;
}

/**
 * Five attempts bridge the service's one-minute throttling windows; ten minutes is the longest a single
 * query may run there, so whoever waited that long is better served by a smaller window.
 */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  attemptLimit: 5,
  baseDelayMs: 1_000,
  maximumDelayMs: 30_000,
  deadlineMs: 600_000,
};

/** What varies between production and a test. */
export interface RetryTools {
  random: () => number;
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** Milliseconds on a clock that only moves forward. */
  elapsedMs: () => number;
}

export const REAL_RETRY_TOOLS: RetryTools = {
  random: Math.random,
  sleep: (milliseconds, signal) =>
    sleepFor(milliseconds, undefined, signal === undefined ? undefined : { signal }),
  elapsedMs: () => performance.now(),
};

export type Attempt<T> = { kind: 'done'; value: T } | { kind: 'failed'; error: UpstreamError };

/**
 * Repeats a read while its error allows it, with full jitter, and never sooner than the outside system asked.
 * @throws the last attempt's UpstreamError; the signal's reason when aborted
 */
export async function retryRead<T>(
  attempt: (remainingMs: number) => Promise<Attempt<T>>,
  policy: RetryPolicy,
  tools: RetryTools,
  signal?: AbortSignal,
): Promise<T> {
  const startMs = tools.elapsedMs();
  for (let attemptNumber = 1; ; attemptNumber += 1) {
    signal?.throwIfAborted();
    const outcome = await attempt(policy.deadlineMs - (tools.elapsedMs() - startMs));
    if (outcome.kind === 'done') return outcome.value;
    const { error } = outcome;
    const ceilingMs = Math.min(policy.maximumDelayMs, policy.baseDelayMs * 2 ** (attemptNumber - 1));
    const pauseMs = (error.retryAfterMs ?? 0) + Math.floor(tools.random() * ceilingMs);
    const tooLate = tools.elapsedMs() - startMs + pauseMs >= policy.deadlineMs;
    if (!error.retry || attemptNumber >= policy.attemptLimit || tooLate) throw error;
    await tools.sleep(pauseMs, signal);
  }
}
