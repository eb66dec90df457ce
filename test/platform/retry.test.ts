import { expect, test } from 'vitest';
import {
  type FailedAttempt,
  type RetryPolicy,
  type RetryTools,
  retryCall,
} from '../../src/platform/retry.ts';

const POLICY: RetryPolicy = { attemptCount: 4, baseDelayMs: 100, maxDelayMs: 300 };

/** A clock of its own; jitter at its highest. */
function createTools() {
  const pauses: number[] = [];
  let nowMs = 0;
  const tools: RetryTools = {
    random: () => 0.999,
    sleep: async (milliseconds) => {
      pauses.push(milliseconds);
      nowMs += milliseconds;
    },
    elapsedMs: () => nowMs,
  };
  return { tools, pauses };
}

const failed = (given: Partial<FailedAttempt> = {}): FailedAttempt => ({
  kind: 'failed',
  mayRepeat: true,
  toError: (outcomeUnknown) => new Error(outcomeUnknown ? 'unknown' : 'refused'),
  ...given,
});

test('pauses double up to their cap, and the last error is thrown', async () => {
  const { tools, pauses } = createTools();
  await expect(retryCall(async () => failed(), POLICY, tools)).rejects.toThrow('refused');
  expect(pauses).toEqual([99, 199, 299]);
});

test('what the outside system asks for is waited for, and jitter added to it, unless it is too long', async () => {
  const { tools, pauses } = createTools();
  const waiting = async () => failed({ retryAfterMs: 1_000 });
  const policy = { ...POLICY, attemptCount: 2 };
  await expect(retryCall(waiting, policy, tools)).rejects.toThrow();
  expect(pauses).toEqual([1_099]);
  await expect(retryCall(waiting, { ...policy, maxRetryAfterMs: 999 }, tools)).rejects.toThrow();
  expect(pauses).toHaveLength(1);
});

test('no attempt starts after the deadline', async () => {
  const { tools, pauses } = createTools();
  const remaining: number[] = [];
  const attempt = async ({ remainingMs }: { remainingMs: number }) => {
    remaining.push(remainingMs);
    return failed();
  };
  await expect(retryCall(attempt, { ...POLICY, deadlineMs: 250 }, tools)).rejects.toThrow();
  expect([remaining, pauses]).toEqual([[250, 151], [99]]);
});

test('once an attempt may have taken effect, a later refusal does not take that back', async () => {
  const { tools } = createTools();
  const attempt = async ({ number }: { number: number }) =>
    failed(number === 1 ? { mayHaveTakenEffect: true } : { mayRepeat: false });
  await expect(retryCall(attempt, POLICY, tools)).rejects.toThrow('unknown');
});

test('an abort ends the pause, and no attempt follows', async () => {
  const stop = new AbortController();
  let attemptCount = 0;
  const attempt = async () => {
    attemptCount += 1;
    return failed();
  };
  const { tools } = createTools();
  const sleep = async () => stop.abort();
  await expect(retryCall(attempt, POLICY, { ...tools, sleep }, stop.signal)).rejects.toThrow('refused');
  expect(attemptCount).toBe(1);
});
