import { AsyncLocalStorage } from 'node:async_hooks';

interface Timer<Owner> {
  id: number;
  owner: Owner;
  dueMs: number;
  everyMs: number | null;
  run: () => void;
}

/**
 * Timers of simulated processes run on virtual time: `setTimeout` called inside `within` belongs to its
 * owner and fires when the scheduler says so. Everybody else (drivers, the test runner) keeps the real ones.
 */
export class VirtualTimers<Owner> {
  readonly #owner = new AsyncLocalStorage<Owner>();
  readonly #timers = new Map<number, Timer<Owner>>();
  readonly #nowMs: () => number;
  #lastId = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  within<Result>(owner: Owner, work: () => Result): Result {
    return this.#owner.run(owner, work);
  }

  /** Replaces the global timer functions. @returns the way back */
  install(): () => void {
    const real = { setTimeout, clearTimeout, setInterval, clearInterval };
    const start = (kind: 'setTimeout' | 'setInterval') =>
      Object.assign(
        (run: (...values: unknown[]) => void, delayMs = 0, ...values: unknown[]) => {
          const owner = this.#owner.getStore();
          if (owner === undefined) return real[kind](run, delayMs, ...values);
          const waitMs = Math.max(1, Math.ceil(delayMs));
          return this.#start(owner, waitMs, kind === 'setInterval' ? waitMs : null, () => run(...values));
        },
        { __promisify__: real.setTimeout.__promisify__ },
      );
    const stop = (kind: 'clearTimeout' | 'clearInterval') => (handle: unknown) => {
      if (handle instanceof TimerHandle) this.#timers.delete(handle.id);
      else real[kind](handle as NodeJS.Timeout);
    };
    Object.assign(globalThis, {
      setTimeout: start('setTimeout'),
      setInterval: start('setInterval'),
      clearTimeout: stop('clearTimeout'),
      clearInterval: stop('clearInterval'),
    });
    return () => Object.assign(globalThis, real);
  }

  /** The timer that is due first among those of eligible owners. */
  next(isEligible: (owner: Owner) => boolean): { dueMs: number; fire: () => void } | null {
    let first: Timer<Owner> | null = null;
    for (const timer of this.#timers.values()) {
      if (!isEligible(timer.owner)) continue;
      if (first === null || timer.dueMs < first.dueMs) first = timer;
    }
    if (first === null) return null;
    const timer = first;
    return { dueMs: timer.dueMs, fire: () => this.#fire(timer) };
  }

  drop(owner: Owner): void {
    for (const [id, timer] of this.#timers) if (timer.owner === owner) this.#timers.delete(id);
  }

  #start(owner: Owner, waitMs: number, everyMs: number | null, run: () => void): TimerHandle {
    this.#lastId += 1;
    this.#timers.set(this.#lastId, {
      id: this.#lastId,
      owner,
      dueMs: this.#nowMs() + waitMs,
      everyMs,
      run,
    });
    return new TimerHandle(this.#lastId);
  }

  #fire(timer: Timer<Owner>): void {
    if (timer.everyMs === null) this.#timers.delete(timer.id);
    else timer.dueMs = this.#nowMs() + timer.everyMs;
    this.#owner.run(timer.owner, timer.run);
  }
}

/** What callers do with a timer of Node's, and no more. */
class TimerHandle {
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}
