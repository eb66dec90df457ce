import { setTimeout as delay } from 'node:timers/promises';

/** Paces calls. One limiter per Stripe account and process. */
export interface RateLimiter {
  /** Resolves when the caller may make one call. Turns are given in the order they were asked for. */
  take(signal?: AbortSignal): Promise<void>;
  /** No turn is given for so long: what a 429 with Retry-After asks for. */
  pauseFor(milliseconds: number): void;
  /** Stripe has told that the account's rate is exceeded: the pace falls, and comes back by and by. */
  slowDown(): void;
}

export interface RateLimiterOptions {
  /** Most calls per second over any longer time; `Infinity` does not pace until a 429 teaches otherwise. */
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

/** What is left of the pace after a 429, and what it regains in a second without one. */
const SLOWED_SHARE = 0.7;
const REGAINED_PER_SECOND = 1.03;
/** Answers to calls that had left before we heard of the limit teach nothing new. */
const LESSON_MS = 1_000;
const SLOWEST_PER_SECOND = 1;

/**
 * A token bucket kept as one number, the instant at which the next call would be exactly on pace (GCRA). Turns are given
 * one after the other, so that a pause or a slower pace holds for those who wait already; a timer that fires late is
 * caught up with by the burst.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { callsPerSecond } = options;
  if (!(callsPerSecond > 0)) throw new RangeError('callsPerSecond must be above 0');
  const nowMs = options.nowMs ?? (() => performance.now());
  const sleep = options.sleep ?? timer;
  const burst = options.burst ?? Math.max(1, Math.floor(callsPerSecond * DEFAULT_BURST_SECONDS));
  const toleranceMs = Number.isFinite(callsPerSecond) ? ((burst - 1) * 1_000) / callsPerSecond : 0;
  const pace = new AdaptivePace(callsPerSecond);
  let onPaceAtMs = Number.NEGATIVE_INFINITY;
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  let lastTurn: Promise<void> = Promise.resolve();

  async function waitForTurn(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const waitMs = Math.max(onPaceAtMs - toleranceMs, pausedUntilMs) - nowMs();
      if (waitMs <= 0) break;
      await sleep(waitMs, signal);
    }
    onPaceAtMs = Math.max(onPaceAtMs, nowMs()) + pace.takeInterval(nowMs());
  }

  return {
    async take(signal) {
      signal?.throwIfAborted();
      const before = lastTurn;
      const turn = before.then(() => waitForTurn(signal));
      lastTurn = turn.catch(() => {});
      await (signal === undefined ? turn : Promise.race([turn, rejectOnAbort(signal)]));
    },
    pauseFor(milliseconds) {
      pausedUntilMs = Math.max(pausedUntilMs, nowMs() + milliseconds);
    },
    slowDown() {
      pace.slowDown(nowMs());
    },
  };
}

/** The pace as the account lets it be: below the given one after a 429, and slowly back to it. */
class AdaptivePace {
  readonly #mostPerSecond: number;
  #perSecond: number;
  #regainedAtMs = Number.NEGATIVE_INFINITY;
  #slowedAtMs = Number.NEGATIVE_INFINITY;
  /** Turns of the second that runs, and of the one before. */
  #second = 0;
  #turnCount = 0;
  #turnCountBefore = 0;

  constructor(mostPerSecond: number) {
    this.#mostPerSecond = mostPerSecond;
    this.#perSecond = mostPerSecond;
  }

  /** Counts a turn. @returns milliseconds until the next one is due */
  takeInterval(nowMs: number): number {
    this.#count(nowMs, 1);
    if (this.#perSecond < this.#mostPerSecond) {
      const seconds = (nowMs - this.#regainedAtMs) / 1_000;
      this.#perSecond = Math.min(this.#mostPerSecond, this.#perSecond * REGAINED_PER_SECOND ** seconds);
      this.#regainedAtMs = nowMs;
    }
    return 1_000 / this.#perSecond;
  }

  slowDown(nowMs: number): void {
    if (nowMs - this.#slowedAtMs < LESSON_MS) return;
    this.#count(nowMs, 0);
    // What was too much is what really left, which may be less than what was allowed.
    const leftPerSecond = Math.max(this.#turnCount, this.#turnCountBefore);
    this.#perSecond = Math.max(SLOWEST_PER_SECOND, Math.min(this.#perSecond, leftPerSecond) * SLOWED_SHARE);
    this.#slowedAtMs = nowMs;
    this.#regainedAtMs = nowMs;
  }

  #count(nowMs: number, turnCount: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) {
      this.#turnCountBefore = second === this.#second + 1 ? this.#turnCount : 0;
      this.#turnCount = 0;
      this.#second = second;
    }
    this.#turnCount += turnCount;
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function timer(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await delay(Math.ceil(milliseconds), undefined, signal === undefined ? {} : { signal });
}
