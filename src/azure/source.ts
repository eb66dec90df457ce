import type { TimeWindow } from '../clock.ts';

/**
 * The port through which token metrics enter. `AppMetrics` (workspace) and `customMetrics` (classic
 * resource) are one adapter; a request-level log can be another.
 */
export interface UsageSource {
  /** Stable name, the key of its watermark: e.g. `app-metrics`. */
  readonly name: string;
  /**
   * All rows of one slice, or the word that the slice is too large and must be split.
   * Nothing partial is ever returned.
   * @throws UpstreamError (throttled, unavailable, rejected)
   */
  queryRows(query: SourceQuery, signal?: AbortSignal): Promise<SourceQueryResult>;
  /** What `doctor` asks: which metric names arrived lately, and when the last one did. */
  summarizeMetrics(since: Date, signal?: AbortSignal): Promise<MetricSummary[]>;
}

export interface SourceQuery {
  window: TimeWindow;
  /** `ingestion`: the window is on ingestion time (the collector). `event`: on TimeGenerated (a backfill). */
  by: 'ingestion' | 'event';
  /** Only rows with `hash(_ItemId, count) == index`: the way to split a window that time can no longer split. */
  partition?: { count: number; index: number };
  /** More rows than this and the answer is `split`. */
  rowLimit: number;
}

export type SourceQueryResult =
  | { kind: 'complete'; rows: SourceRow[]; queryText: string }
  | { kind: 'split'; reason: 'row_limit' | 'partial' | 'timeout' | 'too_large' };

/** One metric row as the source gave it; cells are not judged here. Absent dimensions are empty strings. */
export interface SourceRow {
  sourceItemId: string;
  /** TimeGenerated; null when the source had none. */
  eventTime: Date | null;
  ingestedAt: Date;
  metricName: string;
  /** Sum of the measurements: a token count, if all is well. Text when the source sent text, e.g. "NaN". */
  sum: number | string | null;
  /** Number of measurements in the row, i.e. of requests. */
  itemCount: number | string | null;
  subject: string;
  tenantKey: string;
  feature: string;
  model: string;
  deployment: string;
}

export interface MetricSummary {
  metricName: string;
  rowCount: number;
  lastEventTime: Date | null;
  /** Rows that carry each dimension, to find the one nobody sends. */
  rowCountWithSubject: number;
  rowCountWithModel: number;
}
