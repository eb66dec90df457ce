import { setTimeout as delay } from 'node:timers/promises';

/** Paces calls. One limiter per Stripe account and process. */
export interface RateLimiter {
  /** Resolves when the caller may make one call. Turns are given in the order they were asked for. */
  take(signal?: AbortSignal): Promise<void>;
  /** No turn is given for so long: what a 429 with Retry-After asks for. */
  pauseFor(milliseconds: number): void;
}

export interface RateLimiterOptions {
  /** Calls per second over any longer time; `Infinity` does not pace. */
  callsPerSecond: number;
  /**
   * Calls that may leave at once after a lull. It is what lets late timers catch up; the outside limit must
   * have at least as much room. Default: what 40 ms bring, at least 1.
   */
  burst?: number;
  /** Monotonic milliseconds; default `performance.now`. */
  nowMs?: () => number;
  /** Default: a timer. */
  sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

const DEFAULT_BURST_SECONDS = 0.04;

/**
 * A token bucket kept as one number, the instant at which the next call would be exactly on pace (GCRA).
 * Each turn has a fixed instant from the moment it is asked for, so a timer that fires late delays its own
 * call and no other: the rate does not sag under timer jitter.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { callsPerSecond } = options;
  if (!(callsPerSecond > 0)) throw new RangeError('callsPerSecond must be above 0');
  const nowMs = options.nowMs ?? (() => performance.now());
  const sleep = options.sleep ?? timer;
  const intervalMs = 1_000 / callsPerSecond;
  const burst = options.burst ?? Math.max(1, Math.floor(callsPerSecond * DEFAULT_BURST_SECONDS));
  const toleranceMs = Number.isFinite(callsPerSecond) ? (burst - 1) * intervalMs : 0;
  let onPaceAtMs = Number.NEGATIVE_INFINITY;
  let pausedUntilMs = Number.NEGATIVE_INFINITY;

  return {
    async take(signal) {
      signal?.throwIfAborted();
      const now = nowMs();
      const onPace = Math.max(onPaceAtMs, now, pausedUntilMs);
      onPaceAtMs = onPace + intervalMs;
      let turnAt = Math.max(onPace - toleranceMs, pausedUntilMs);
      for (let waitMs = turnAt - nowMs(); waitMs > 0; waitMs = turnAt - nowMs()) {
        await sleep(waitMs, signal);
        // A pause may have begun while this turn was waiting.
        turnAt = Math.max(turnAt, pausedUntilMs);
      }
    },
    pauseFor(milliseconds) {
      pausedUntilMs = Math.max(pausedUntilMs, nowMs() + milliseconds);
    },
  };
}

async function timer(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await delay(Math.ceil(milliseconds), undefined, signal === undefined ? {} : { signal });
}
