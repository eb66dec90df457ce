import { setTimeout as sleepFor } from 'node:timers/promises';

/** How patiently a call to an outside system is repeated. */
export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  attemptCount: number;
  /** Upper bound of the first pause of our own; doubled for each further one. */
  baseDelayMs: number;
  /** Upper bound of every pause of our own. */
  maxDelayMs: number;
  /** A longer `Retry-After` ends the call; the caller finds it in the error. Absent: any is waited for. */
  maxRetryAfterMs?: number;
  /** No new attempt starts later than this after the first. Absent: the number of attempts bounds them alone. */
  deadlineMs?: number;
}

/** What varies between production and a test. */
export interface RetryTools {
  /** Jitter source in [0, 1). */
  random: () => number;
  /** Rejects when the signal aborts. */
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;
  /** Milliseconds on a clock that only moves forward. */
  elapsedMs: () => number;
}

export const REAL_RETRY_TOOLS: RetryTools = {
  random: Math.random,
  sleep: (milliseconds, signal) =>
    sleepFor(milliseconds, undefined, signal === undefined ? undefined : { signal }),
  elapsedMs: () => performance.now(),
};

/** What one attempt may know. */
export interface Attempt {
  /** From 1. */
  number: number;
  /** Until the deadline; infinite without one. */
  remainingMs: number;
}

export type AttemptOutcome<Result> = { kind: 'done'; value: Result } | FailedAttempt;

export interface FailedAttempt {
  kind: 'failed';
  /** Whether it may pass by itself, and repeating the call is harmless. */
  mayRepeat: boolean;
  retryAfterMs?: number | undefined;
  /** Whether it may have changed something there, though no answer says so. */
  mayHaveTakenEffect?: boolean;
  /** What the caller is told; `outcomeUnknown`: this attempt or one before it may have taken effect. */
  toError(outcomeUnknown: boolean): Error;
}

/**
 * Calls, and again with growing pauses of full jitter, which are added to what the outside system asked for: those it
 * sent away together do not come back together. Once one attempt may have taken effect, no later refusal takes that back.
 * @throws the last attempt's error
 */
export async function retryCall<Result>(
  attempt: (given: Attempt) => Promise<AttemptOutcome<Result>>,
  policy: RetryPolicy,
  tools: RetryTools,
  signal?: AbortSignal,
): Promise<Result> {
  const startMs = tools.elapsedMs();
  const { deadlineMs = Number.POSITIVE_INFINITY } = policy;
  let outcomeUnknown = false;
  for (let number = 1; ; number += 1) {
    const outcome = await attempt({ number, remainingMs: deadlineMs - (tools.elapsedMs() - startMs) });
    if (outcome.kind === 'done') return outcome.value;
    outcomeUnknown ||= outcome.mayHaveTakenEffect === true;
    const pauseMs = pauseAfter(outcome, number, policy, tools);
    const isTooLate = pauseMs === null || tools.elapsedMs() - startMs + pauseMs >= deadlineMs;
    if (isTooLate || signal?.aborted === true) throw outcome.toError(outcomeUnknown);
    const isOver = await tools.sleep(pauseMs, signal).then(
      () => signal?.aborted === true,
      () => true,
    );
    if (isOver) throw outcome.toError(outcomeUnknown);
  }
}

/** Null: not again. */
function pauseAfter(
  { mayRepeat, retryAfterMs = 0 }: FailedAttempt,
  number: number,
  policy: RetryPolicy,
  tools: RetryTools,
): number | null {
  if (!mayRepeat || number >= policy.attemptCount) return null;
  if (retryAfterMs > (policy.maxRetryAfterMs ?? Number.POSITIVE_INFINITY)) return null;
  const ceilingMs = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (number - 1));
  return retryAfterMs + Math.floor(tools.random() * ceilingMs);
}
