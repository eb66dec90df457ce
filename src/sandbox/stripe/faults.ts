import { createRandom, deriveSeed, type Random } from '../random.ts';

/**
 * `refuse` 403, `throttle` 429, `fail` 500, `reset_before` and `hang` act before the call takes effect;
 * `fail_after` (500), `reset_after` and `truncate` after it: the caller cannot know that it did.
 */
export type StripeFaultKind =
  | 'refuse'
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
}

/** What goes wrong, switchable while the stand-in runs. */
export class StripeFaults {
  readonly #random: Random;
  #rules: { rule: StripeFaultRule; left: number }[] = [];
  #dropCount = 0;

  constructor(seed: number) {
    this.#random = createRandom(deriveSeed(seed, 'stripe-faults'));
  }

  add(rule: StripeFaultRule): void {
    this.#rules.push({ rule, left: rule.count ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#rules = [];
    this.#dropCount = 0;
  }

  /** The next meter events are answered 200 and lost: a check that totals agree must notice. */
  dropNextMeterEvents(count: number): void {
    this.#dropCount += count;
  }

  takeDrop(): boolean {
    if (this.#dropCount === 0) return false;
    this.#dropCount -= 1;
    return true;
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
