import type { Clock } from '../src/platform/clock.ts';

type AdvanceListener = (nowMs: number) => void;

/**
 * The one clock that all stand-ins share. It moves only when told to (`advanceTo`), or, once `runFrom` was
 * called, along with real time. Listeners hear of every explicit advance, in the order they subscribed.
 */
export class VirtualClock implements Clock {
  #currentMs: number;
  #runningSinceMs: number | null = null;
  readonly #listeners: AdvanceListener[] = [];

  constructor(startMs: number) {
    this.#currentMs = startMs;
  }

  nowMs(): number {
    if (this.#runningSinceMs === null) return this.#currentMs;
    return this.#currentMs + Math.floor(performance.now() - this.#runningSinceMs);
  }

  now(): Date {
    return new Date(this.nowMs());
  }

  /** Moves time forward; a moment already passed is ignored, because time never runs back. */
  advanceTo(nowMs: number): void {
    if (nowMs <= this.nowMs()) return;
    this.#currentMs = nowMs;
    if (this.#runningSinceMs !== null) this.#runningSinceMs = performance.now();
    for (const listener of this.#listeners) listener(nowMs);
  }

  /** From now on virtual time passes as fast as real time does. */
  runWithRealTime(): void {
    this.#runningSinceMs ??= performance.now();
  }

  onAdvance(listener: AdvanceListener): void {
    this.#listeners.push(listener);
  }
}
