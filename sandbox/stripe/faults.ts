import { createRandom, deriveSeed, type Random } from '../random.ts';
import type { LateRefusal, MeterEventLoss } from './meter-events.ts';

/**
 * `refuse` 403, `reject` 400 with a code of choice (both kept under the idempotency key), `throttle` 429, `fail` 500, `reset_before` and `hang` act before the call takes effect;
 * `fail_after` (500), `reset_after` and `truncate` after it: the caller cannot know that it did.
 */
export type StripeFaultKind =
  | 'refuse'
  | 'reject'
  | 'throttle'
  | 'fail'
  | 'reset_before'
  | 'hang'
  | 'fail_after'
  | 'reset_after'
  | 'truncate';

export interface StripeFaultRule {
  kind: StripeFaultKind;
  /** Only calls whose path begins so; default all. */
  path?: string;
  /** Fires so many times, then is gone; default until cleared. */
  count?: number;
  /** Share of matching calls, 0 to 1; default 1. Drawn from the stand-in's seed. */
  rate?: number;
  /** Sent with `throttle` as `Retry-After`. */
  retryAfterSeconds?: number;
  /** Stripe's code, of `reject`. */
  code?: string;
}

/** What goes wrong, switchable while the stand-in runs. */
export class StripeFaults {
  readonly #random: Random;
  #rules: { rule: StripeFaultRule; left: number }[] = [];
  #losses: { loss: MeterEventLoss; left: number; rate: number }[] = [];

  constructor(seed: number) {
    this.#random = createRandom(deriveSeed(seed, 'stripe-faults'));
  }

  add(rule: StripeFaultRule): void {
    this.#rules.push({ rule, left: rule.count ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#rules = [];
    this.#losses = [];
  }

  /** The next meter events are answered 200 and lost: a check that totals agree must notice. */
  dropNextMeterEvents(count: number): void {
    this.loseMeterEvents({ loss: 'dropped', count });
  }

  /** The next meter events are answered 200, not counted, and told of later by a report of errors. */
  refuseLater(count: number, refusal: LateRefusal = 'meter_event_invalid_value'): void {
    this.loseMeterEvents({ loss: refusal, count });
  }

  /** So many of the accepted meter events, or this share of them (drawn from the seed), are not counted. */
  loseMeterEvents(rule: { loss: MeterEventLoss; count?: number; rate?: number }): void {
    const left = rule.count ?? Number.POSITIVE_INFINITY;
    if (left > 0) this.#losses.push({ loss: rule.loss, left, rate: rule.rate ?? 1 });
  }

  /** What becomes of the meter event at hand, other than being counted. */
  drawLoss(): MeterEventLoss | null {
    for (const entry of this.#losses) {
      if (entry.rate < 1 && this.#random() >= entry.rate) continue;
      entry.left -= 1;
      if (entry.left <= 0) this.#losses = this.#losses.filter((other) => other !== entry);
      return entry.loss;
    }
    return null;
  }

  take(path: string): StripeFaultRule | null {
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.path !== undefined && !path.startsWith(rule.path)) continue;
      if (rule.rate !== undefined && this.#random() >= rule.rate) continue;
      entry.left -= 1;
      if (entry.left <= 0) this.#rules = this.#rules.filter((other) => other !== entry);
      return rule;
    }
    return null;
  }
}
