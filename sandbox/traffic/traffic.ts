import type { Scenario } from '../scenario.ts';
import { MAXIMUM_INGESTION_DELAY_MS, playDay } from './day.ts';
import type { Traffic, TrafficRow } from './row.ts';
import { byIngestion, countTokens } from './row-store.ts';
import { type Caller, createCallers } from './stories.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** A six-hour window looks at two or three event days; a few more make overlapping readers cheap. */
const DAYS_KEPT = 5;

export interface TrafficOptions {
  /**
   * Multiplies calls and gateway units, and so rows and tokens, of every minute; default 1. More subjects or
   * more days (see ScenarioOptions) multiply the distinct series as well.
   */
  rowMultiplier?: number;
}

/** Rows of one event day by the hour of their ingestion (Unix hours). */
type DayBuckets = Map<number, TrafficRow[]>;

/** Creates the traffic of a scenario. Days are played when first needed and only a few are kept. */
export function createTraffic(scenario: Scenario, options: TrafficOptions = {}): Traffic {
  const rowMultiplier = options.rowMultiplier ?? 1;
  if (!Number.isSafeInteger(rowMultiplier) || rowMultiplier < 1) {
    throw new RangeError('rowMultiplier must be a whole number of at least 1');
  }
  return new SeededTraffic(scenario, rowMultiplier);
}

class SeededTraffic implements Traffic {
  readonly #scenario: Scenario;
  readonly #rowMultiplier: number;
  readonly #callers: Caller[];
  /** Insertion order is order of last use. */
  readonly #days = new Map<number, DayBuckets>();
  #injected: TrafficRow[] = [];
  #totals: Map<string, bigint> | null = null;
  #lastIngestionMs: number | null = null;

  constructor(scenario: Scenario, rowMultiplier: number) {
    this.#scenario = scenario;
    this.#rowMultiplier = rowMultiplier;
    this.#callers = createCallers(scenario);
  }

  rowsIngestedBetween(startMs: number, endMs: number): TrafficRow[] {
    const { startMs: originMs, dayCount } = this.#scenario.options;
    const firstDay = Math.max(0, Math.floor((startMs - MAXIMUM_INGESTION_DELAY_MS - originMs) / DAY_MS));
    const lastDay = Math.min(dayCount - 1, Math.floor((endMs - 1 - originMs) / DAY_MS));
    const rows: TrafficRow[] = [];
    for (let dayIndex = firstDay; dayIndex <= lastDay; dayIndex += 1) {
      const buckets = this.#day(dayIndex);
      for (const [hour, bucket] of buckets) {
        if (hour * HOUR_MS >= endMs || (hour + 1) * HOUR_MS <= startMs) continue;
        for (const row of bucket) if (row.ingestedMs >= startMs && row.ingestedMs < endMs) rows.push(row);
      }
    }
    for (const row of this.#injected) if (row.ingestedMs >= startMs && row.ingestedMs < endMs) rows.push(row);
    return rows.sort(byIngestion);
  }

  tokenTotal(): bigint {
    let total = 0n;
    for (const tokens of this.tokenTotalByTenant().values()) total += tokens;
    return total;
  }

  tokenTotalByTenant(): Map<string, bigint> {
    this.#totals ??= this.#countCalls();
    const totals = new Map(this.#totals);
    for (const [tenantKey, tokens] of countTokens(this.#injected)) {
      totals.set(tenantKey, (totals.get(tenantKey) ?? 0n) + tokens);
    }
    return totals;
  }

  get lastIngestionMs(): number {
    this.#lastIngestionMs ??= this.#findLastIngestion();
    return this.#injected.reduce((last, row) => Math.max(last, row.ingestedMs), this.#lastIngestionMs);
  }

  inject(rows: TrafficRow[]): void {
    this.#injected = [...this.#injected, ...rows];
  }

  #day(dayIndex: number): DayBuckets {
    let buckets = this.#days.get(dayIndex);
    if (buckets === undefined) {
      const fresh: DayBuckets = new Map();
      this.#play(dayIndex, (row) => {
        const hour = Math.floor(row.ingestedMs / HOUR_MS);
        const bucket = fresh.get(hour);
        if (bucket === undefined) fresh.set(hour, [row]);
        else bucket.push(row);
      });
      buckets = fresh;
    }
    this.#days.delete(dayIndex);
    this.#days.set(dayIndex, buckets);
    for (const oldest of this.#days.keys()) {
      if (this.#days.size <= DAYS_KEPT) break;
      this.#days.delete(oldest);
    }
    return buckets;
  }

  #play(dayIndex: number, onRow: (row: TrafficRow) => void): void {
    playDay({
      scenario: this.#scenario,
      callers: this.#callers,
      dayIndex,
      rowMultiplier: this.#rowMultiplier,
      onRow,
    });
  }

  /** Counts the calls themselves, not the rows made of them, and keeps nothing but the sums. */
  #countCalls(): Map<string, bigint> {
    const totals = new Map<string, bigint>();
    for (let dayIndex = 0; dayIndex < this.#scenario.options.dayCount; dayIndex += 1) {
      const ofDay = new Map<string, number>();
      playDay({
        scenario: this.#scenario,
        callers: this.#callers,
        dayIndex,
        rowMultiplier: this.#rowMultiplier,
        onCall: (tenantKey, tokens) => ofDay.set(tenantKey, (ofDay.get(tenantKey) ?? 0) + tokens),
      });
      for (const [tenantKey, tokens] of ofDay) {
        totals.set(tenantKey, (totals.get(tenantKey) ?? 0n) + BigInt(tokens));
      }
    }
    return totals;
  }

  #findLastIngestion(): number {
    const { startMs, dayCount } = this.#scenario.options;
    let last = startMs;
    // Nothing from before the last two days can still be under way after the last day has ended; a quiet
    // end of the traffic is searched further back.
    for (let dayIndex = dayCount - 1; dayIndex >= 0; dayIndex -= 1) {
      if (startMs + (dayIndex + 1) * DAY_MS + MAXIMUM_INGESTION_DELAY_MS <= last) break;
      this.#play(dayIndex, (row) => {
        if (row.ingestedMs > last) last = row.ingestedMs;
      });
    }
    return last;
  }
}
