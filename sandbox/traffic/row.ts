/** One row of the metrics table: the measurements of one gateway unit in one minute for one series. */
export interface TrafficRow {
  /** The row's own id (`_ItemId`, `itemId`): a GUID. */
  itemId: string;
  /** Start of the aggregated minute (`TimeGenerated`); null stands for a row without a time. */
  eventMs: number | null;
  /** When the row became visible to queries (`ingestion_time()`), Unix milliseconds. */
  ingestedMs: number;
  /** 100-nanosecond ticks beyond the millisecond, 0 to 9999, which clients in JavaScript cut off. */
  ingestedTicks: number;
  metricName: string;
  /** Sum of the measurements. Text and null only in injected rows, the way a broken emitter would send them. */
  sum: number | string | null;
  itemCount: number | string | null;
  min: number;
  max: number;
  /** Dimensions (`Properties`, `customDimensions`); shared between rows, so treat it as frozen. */
  properties: Readonly<Record<string, string>>;
}

/** What passes through the gateway in one scenario; a pure function of it, whatever order it is asked in. */
export interface Traffic {
  /** Rows whose ingestion instant lies in `[startMs, endMs)`, oldest first. */
  rowsIngestedBetween(startMs: number, endMs: number): TrafficRow[];
  /** Prompt plus completion tokens of everything, including injected rows that hold sound counts. */
  tokenTotal(): bigint;
  /** The same, by the value of the tenant dimension. */
  tokenTotalByTenant(): Map<string, bigint>;
  /** Ingestion instant of the last row. */
  readonly lastIngestionMs: number;
  /** Adds rows of any shape, sound or broken; they appear at their own ingestion instants. */
  inject(rows: TrafficRow[]): void;
}

export const METRIC_NAMES = {
  prompt: 'Prompt Tokens',
  completion: 'Completion Tokens',
  total: 'Total Tokens',
  cachedPrompt: 'Prompt Cached Tokens',
  reasoning: 'Completion Reasoning Tokens',
  audioPrompt: 'Prompt Audio Tokens',
  audioCompletion: 'Completion Audio Tokens',
  acceptedPrediction: 'Completion Accepted Prediction Tokens',
  rejectedPrediction: 'Completion Rejected Prediction Tokens',
} as const;

/** A category of the preview, which Tallystick does not know. */
export const PREVIEW_METRIC_NAME = 'Completion Thinking Tokens';
