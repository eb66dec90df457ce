/** A row of `ApiManagementGatewayLlmLog`: what the gateway knows of one request to a model. */
export interface LlmLogRow {
  /** The row's own id (`_ItemId`): a GUID. */
  itemId: string;
  correlationId: string;
  /** When the request's processing started (`TimeGenerated`). */
  eventMs: number;
  ingestedMs: number;
  /** 100-nanosecond ticks beyond the millisecond. */
  ingestedTicks: number;
  /** 0 holds the counts; further numbers hold pieces of messages, or repeat the counts. */
  sequenceNumber: number;
  deploymentName: string;
  /** The model that answered, with its version. */
  modelName: string;
  isStream: boolean;
  promptTokens: number | null;
  completionTokens: number | null;
  totalTokens: number | null;
}

/** A row of `ApiManagementGatewayLogs`: what the gateway knows of the HTTP request, our trace included. */
export interface GatewayLogRow {
  correlationId: string;
  eventMs: number;
  ingestedMs: number;
  ingestedTicks: number;
  responseCode: number;
  subscriptionId: string;
  productId: string;
  /** Records of `<trace>` policies, ours and other people's. */
  traceRecords: readonly TraceRecord[];
}

interface TraceRecord {
  source: string;
  message: string;
  metadata: Readonly<Record<string, string>>;
}

/** The request-level logs of a scenario; a pure function of it, like the metric rows they are the parts of. */
export interface RequestLog {
  /** Rows whose ingestion instant lies in `[startMs, endMs)`, in no particular order. */
  llmRowsIngestedBetween(startMs: number, endMs: number): LlmLogRow[];
  gatewayRowsIngestedBetween(startMs: number, endMs: number): GatewayLogRow[];
  /** Prompt plus completion tokens of the LLM log, each request's largest row, by tenant ('' for unknown ones). */
  tokenTotalByTenant(): Map<string, bigint>;
  /** Ingestion instant of the last row of either table. */
  readonly lastIngestionMs: number;
  /** Adds rows of any shape; they appear at their own ingestion instants. */
  inject(rows: { llm?: LlmLogRow[]; gateway?: GatewayLogRow[] }): void;
}
