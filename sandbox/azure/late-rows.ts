import { MINUTE_MS } from '../../src/platform/clock.ts';
import { createRandom, deriveSeed } from '../random.ts';

/** The longest delay that can be asked for: fifty hours. */
export const LATEST_MINUTES = 50 * 60;

export interface LateRowSettings {
  /** Share of rows that come later than the traffic says. */
  percent: number;
  /** Delays lie between a minute and this. */
  maxMinutes: number;
}

interface Ingested {
  itemId: string;
  ingestedMs: number;
}

/**
 * Rows that are ingested late: a share of those not yet ingested when it is switched on, each by a delay of its own
 * that its id and the seed decide, so that every query finds it at the same instant.
 */
export class LateRows {
  readonly #seed: number;
  #settings: LateRowSettings | null = null;
  #sinceMs = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** From `nowMs` on; null switches it off, and what is under way is there at once. */
  set(settings: LateRowSettings | null, nowMs: number): void {
    this.#settings = settings;
    this.#sinceMs = nowMs;
  }

  /** The rows whose ingestion falls into a range, lateness included; `read` gives them as the traffic has them. */
  between<Row extends Ingested>(
    startMs: number,
    endMs: number,
    read: (startMs: number, endMs: number) => Row[],
  ): Row[] {
    const settings = this.#settings;
    if (settings === null) return read(startMs, endMs);
    return read(startMs - settings.maxMinutes * MINUTE_MS, endMs)
      .map((row) => {
        const delayMs = this.#delayOf(row, settings);
        return delayMs === 0 ? row : { ...row, ingestedMs: row.ingestedMs + delayMs };
      })
      .filter((row) => row.ingestedMs >= startMs && row.ingestedMs < endMs)
      .sort((one, other) => one.ingestedMs - other.ingestedMs);
  }

  #delayOf(row: Ingested, { percent, maxMinutes }: LateRowSettings): number {
    if (row.ingestedMs < this.#sinceMs) return 0;
    const random = createRandom(deriveSeed(this.#seed, 'late', row.itemId));
    if (random() * 100 >= percent) return 0;
    return MINUTE_MS + Math.floor(random() * (maxMinutes - 1) * MINUTE_MS);
  }
}
