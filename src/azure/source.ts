import type { UsageKey } from '../../pricing/usage/shape.ts';
import type { TimeWindow } from '../platform/clock.ts';

/**
 * The port through which token counts enter. The metrics tables (`AppMetrics` of a workspace, `customMetrics`
 * of a classic resource) are one adapter; the gateway's request-level LLM log is the other.
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
  /** The same of metrics in any namespace, and how crowded a minute gets. Absent where rows are requests. */
  surveyMetrics?(since: Date, signal?: AbortSignal): Promise<MetricSurvey>;
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

/** A query without its window: the version of its template, and the parameters as canonical JSON. */
export interface QueryRecipe {
  template: string;
  parameters: string;
}

type SourceQueryResult =
  | { kind: 'complete'; rows: SourceRow[]; recipe: QueryRecipe }
  | { kind: 'split'; reason: 'row_limit' | 'partial' | 'timeout' | 'too_large' };

/** One metric row as the source gave it; cells are not judged here. Absent dimensions are empty strings. */
export interface SourceRow extends UsageKey {
  sourceItemId: string;
  /** TimeGenerated; null when the source had none. */
  eventTime: Date | null;
  ingestedAt: Date;
  metricName: string;
  /** Sum of the measurements: a token count, if all is well. Text when the source sent text, e.g. "NaN". */
  sum: number | string | null;
  /** Number of measurements in the row, i.e. of requests. */
  itemCount: number | string | null;
  tenantKey: string;
  /** What the adapter itself found wrong with the row, as a quarantine reason; the judgement begins with it. */
  fault?: string;
  /** Of rows that stand for a single request: what its log says beside the counts. */
  request?: RequestFacts;
}

/** What the logs say of one request. */
export interface RequestFacts {
  isStream: boolean;
  /** Whether the model reported any tokens. */
  hasTokens: boolean;
  /** Whether the gateway log of the request had arrived, and held a trace with our metadata. */
  hasGatewayLog: boolean;
  hasTrace: boolean;
  /** Of the gateway log; null and empty while it has not arrived. */
  responseCode: number | null;
  subscriptionId: string;
  productId: string;
  /** The model that answered, with its version. */
  servedModel: string;
  /** By how many tokens the sum over the request's log rows exceeds the largest row, which is what counts. */
  repeatedTokenCount: number;
}

export interface MetricSurvey {
  metrics: {
    metricName: string;
    rowCount: number;
    /** Of these, those that METRIC_NAMESPACE lets through. */
    rowCountInNamespace: number;
    tokenSum: number;
  }[];
  /** Users of the busiest minute; an estimate where there are many. Null without a row. */
  busiestMinuteSubjectCount: number | null;
}

export interface MetricSummary {
  metricName: string;
  rowCount: number;
  lastEventTime: Date | null;
  /** Rows that carry each dimension, to find the one nobody sends. */
  rowCountWithSubject: number;
  rowCountWithModel: number;
}
