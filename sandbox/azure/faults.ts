import { createRandom, deriveSeed, type Random } from '../random.ts';
import { METRIC_NAMES, PREVIEW_METRIC_NAME, type TrafficRow } from '../traffic/row.ts';
import { type LateRowSettings, LateRows } from './late-rows.ts';

/** What can go wrong with one query, apart from the query itself. */
export const AZURE_FAULTS = [
  /** 200 with half of the rows and `error.code` PartialError. */
  'partial',
  /** 504 GatewayTimeout. */
  'timeout',
  /** 429 without, and with, a Retry-After header of one second. */
  'throttled',
  'throttled_with_retry_after',
  /** 503 ServiceUnavailable. */
  'unavailable',
  /** 200 without a body; 204. */
  'empty',
  'no_content',
  /** 400 whose inner error says that the result set is too large. */
  'too_large',
  /** 400 for the query itself, as for a workspace that never had the table. */
  'bad_query',
  'unauthenticated',
  'forbidden',
  'not_found',
  /** The connection is cut before an answer. */
  'reset',
] as const;

export type AzureFault = (typeof AZURE_FAULTS)[number];

/** Faults to play; a field left out keeps its present value. */
export interface AzureFaultSettings {
  /** Played once each, one for every query, in this order; null lets one query pass. */
  next?: (AzureFault | null)[];
  /** Played for every query once `next` is used up. */
  always?: AzureFault | null;
  /** Chance in percent of each fault for a query that nothing above spoils. */
  percent?: Partial<Record<AzureFault, number>>;
  /** Chance in percent that a row stands in the answer twice. */
  duplicatePercent?: number;
  /** Share of completion rows beside which the gateway tells tokens of a category that Tallystick does not know. */
  previewMetricPercent?: number;
  /** More rows than this and the answer is cut there, with PartialError. The service's own limit is 500,000. */
  rowCeiling?: number;
  /** Rows that come later than the traffic says; null: none. Told when it is switched on, see LateRows. */
  lateRows?: LateRowSettings | null;
  /** Queries see only what was ingested so many virtual milliseconds ago or earlier. */
  staleReadMs?: number;
}

export class FaultPlan {
  readonly #random: Random;
  #settings: Required<AzureFaultSettings> = {
    next: [],
    always: null,
    percent: {},
    duplicatePercent: 0,
    previewMetricPercent: 0,
    rowCeiling: 500_000,
    lateRows: null,
    staleReadMs: 0,
  };
  readonly late: LateRows;

  readonly #seed: number;

  constructor(random: Random, seed = 0) {
    this.#random = random;
    this.#seed = seed;
    this.late = new LateRows(seed);
  }

  set(settings: AzureFaultSettings, nowMs = 0): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#settings.next = [...this.#settings.next];
    if (settings.lateRows !== undefined) this.late.set(settings.lateRows, nowMs);
  }

  get staleReadMs(): number {
    return this.#settings.staleReadMs;
  }

  get rowCeiling(): number {
    return this.#settings.rowCeiling;
  }

  /** The fault of the query at hand; null for none. */
  draw(): AzureFault | null {
    const queued = this.#settings.next.shift();
    if (queued !== undefined) return queued;
    if (this.#settings.always !== null) return this.#settings.always;
    for (const fault of AZURE_FAULTS) {
      const chance = this.#settings.percent[fault] ?? 0;
      if (chance > 0 && this.#random() * 100 < chance) return fault;
    }
    return null;
  }

  /** Puts rows of the unknown category after some rows of completion; which ones, their ids and the seed decide. */
  addPreviewMetric(rows: TrafficRow[]): TrafficRow[] {
    const percent = this.#settings.previewMetricPercent;
    if (percent === 0) return rows;
    return rows.flatMap((row) => {
      const isChosen =
        row.metricName === METRIC_NAMES.completion &&
        createRandom(deriveSeed(this.#seed, 'preview-metric', row.itemId))() * 100 < percent;
      return isChosen ? [row, { ...row, metricName: PREVIEW_METRIC_NAME }] : [row];
    });
  }

  /** Repeats some rows right after themselves. */
  duplicate<Row>(rows: Row[]): Row[] {
    const percent = this.#settings.duplicatePercent;
    if (percent === 0) return rows;
    return rows.flatMap((row) => (this.#random() * 100 < percent ? [row, row] : [row]));
  }
}
