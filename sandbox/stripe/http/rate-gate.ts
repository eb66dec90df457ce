/** A token bucket in real time: what more than the allowed rate runs into. */
export class RateGate {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAtMs: number;

  /** Holds a tenth of a second's calls; `Infinity` lets everything through. */
  constructor(callsPerSecond: number, nowMs: number = performance.now()) {
    this.#perMs = callsPerSecond / 1_000;
    this.#capacity = Math.max(1, callsPerSecond / 10);
    this.#tokens = this.#capacity;
    this.#filledAtMs = nowMs;
  }

  admit(nowMs: number = performance.now()): boolean {
    if (this.#perMs === Number.POSITIVE_INFINITY) return true;
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
