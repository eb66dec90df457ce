import { DAY_MS } from '../../../src/platform/clock.ts';
import { StripeRefusal } from './refusal.ts';

interface StoredAnswer {
  fingerprint: string;
  status: number;
  text: string;
  storedAtMs: number;
}

/** "At least 24 hours": the least that is promised. */
const WINDOW_MS = DAY_MS;
const SWEEP_EVERY = 10_000;

/** Stripe repeats the stored answer, be it a success, a refusal or a 500, to a second call with the same Idempotency-Key. */
export class IdempotencyStore {
  readonly #answers = new Map<string, StoredAnswer>();
  #untilSweep = SWEEP_EVERY;

  /** @throws StripeRefusal idempotency_error when the key came with another request before */
  find(key: string, fingerprint: string, nowMs: number): { status: number; text: string } | null {
    const known = this.#answers.get(key);
    if (known === undefined || nowMs - known.storedAtMs >= WINDOW_MS) return null;
    if (known.fingerprint !== fingerprint) {
      throw new StripeRefusal(400, {
        type: 'idempotency_error',
        message: `Keys for idempotent requests can only be used with the same parameters they were first used with.`,
      });
    }
    return known;
  }

  store(key: string, fingerprint: string, answer: { status: number; text: string }, nowMs: number): void {
    this.#answers.set(key, { fingerprint, status: answer.status, text: answer.text, storedAtMs: nowMs });
    this.#untilSweep -= 1;
    if (this.#untilSweep > 0) return;
    this.#untilSweep = SWEEP_EVERY;
    for (const [known, stored] of this.#answers) {
      if (nowMs - stored.storedAtMs >= WINDOW_MS) this.#answers.delete(known);
    }
  }
}
