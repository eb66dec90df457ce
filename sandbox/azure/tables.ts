import type { GatewayLogRow, LlmLogRow, RequestLog } from '../traffic/log-row.ts';
import type { Traffic, TrafficRow } from '../traffic/row.ts';
import type { FaultPlan } from './faults.ts';
import type { Scope } from './kql/scope.ts';
import { KqlError, TICKS_PER_MS } from './kql/value.ts';

/** A row as the store keeps it: its event time settled, both instants in ticks. */
interface StoredRow<Source = unknown> {
  source: Source;
  eventTicks: bigint;
  ingestedTicks: bigint;
}

/** What fills the tables. */
export interface StoredData {
  traffic: Traffic;
  requestLog: RequestLog;
  faults: FaultPlan;
}

/** Columns of a table, and the rows of it whose ingestion instants lie in a range of Unix milliseconds. */
export interface Table<Source> extends Scope<StoredRow<Source>> {
  timeColumn: string;
  scan: (data: StoredData, startMs: number, endMs: number) => StoredRow<Source>[];
}

const DAY_MS = 86_400_000;

/**
 * What the ingestion pipeline does to times: a missing one, one more than two days before receipt, or more
 * than a day after it, is replaced by the receipt time (log-standard-columns, `TimeGenerated`).
 */
function storeRow<Source extends { eventMs: number | null; ingestedMs: number; ingestedTicks: number }>(
  source: Source,
): StoredRow<Source> {
  const ingestedTicks = BigInt(source.ingestedMs) * TICKS_PER_MS + BigInt(source.ingestedTicks);
  const { eventMs } = source;
  const acceptable =
    eventMs !== null &&
    Number.isSafeInteger(eventMs) &&
    eventMs >= source.ingestedMs - 2 * DAY_MS &&
    eventMs <= source.ingestedMs + DAY_MS;
  return { source, ingestedTicks, eventTicks: acceptable ? BigInt(eventMs) * TICKS_PER_MS : ingestedTicks };
}

/** The bounds that `storeRow` puts on an event time, for the planner. */
export const EVENT_TIME_LIMITS = { beforeIngestionMs: 2 * DAY_MS, afterIngestionMs: DAY_MS };

type Definition<Source> = Pick<Table<Source>, 'timeColumn' | 'columns' | 'scan'>;

/** A duplicated row is a stored row that stands twice, so it passes through every filter like any other. */
const scanMetrics: Table<TrafficRow>['scan'] = ({ traffic, faults }, startMs, endMs) =>
  faults
    .duplicate(
      faults.addPreviewMetric(
        faults.late.between(startMs, endMs, (start, end) => traffic.rowsIngestedBetween(start, end)),
      ),
    )
    .map(storeRow);

const APP_METRICS: Definition<TrafficRow> = {
  timeColumn: 'TimeGenerated',
  scan: scanMetrics,
  columns: [
    { name: 'TimeGenerated', type: 'datetime', evaluate: (row) => row.eventTicks },
    { name: 'Name', type: 'string', evaluate: (row) => row.source.metricName },
    { name: 'ItemCount', type: 'int', evaluate: (row) => row.source.itemCount },
    { name: 'Sum', type: 'real', evaluate: (row) => row.source.sum },
    { name: 'Min', type: 'real', evaluate: (row) => row.source.min },
    { name: 'Max', type: 'real', evaluate: (row) => row.source.max },
    { name: 'Properties', type: 'dynamic', evaluate: (row) => row.source.properties },
    { name: 'Type', type: 'string', evaluate: () => 'AppMetrics' },
    { name: '_ItemId', type: 'string', hidden: true, evaluate: (row) => row.source.itemId },
    { name: '_TimeReceived', type: 'datetime', hidden: true, evaluate: (row) => row.ingestedTicks },
  ],
};

const CUSTOM_METRICS: Definition<TrafficRow> = {
  timeColumn: 'timestamp',
  scan: scanMetrics,
  columns: [
    { name: 'timestamp', type: 'datetime', evaluate: (row) => row.eventTicks },
    { name: 'name', type: 'string', evaluate: (row) => row.source.metricName },
    { name: 'value', type: 'real', evaluate: (row) => row.source.sum },
    { name: 'valueCount', type: 'int', evaluate: (row) => row.source.itemCount },
    { name: 'valueSum', type: 'real', evaluate: (row) => row.source.sum },
    { name: 'valueMin', type: 'real', evaluate: (row) => row.source.min },
    { name: 'valueMax', type: 'real', evaluate: (row) => row.source.max },
    { name: 'customDimensions', type: 'dynamic', evaluate: (row) => row.source.properties },
    { name: 'itemType', type: 'string', evaluate: () => 'customMetric' },
    { name: 'itemId', type: 'string', evaluate: (row) => row.source.itemId },
  ],
};

const LLM_LOG: Definition<LlmLogRow> = {
  timeColumn: 'TimeGenerated',
  scan: ({ requestLog, faults }, startMs, endMs) =>
    faults
      .duplicate(
        faults.late.between(startMs, endMs, (start, end) => requestLog.llmRowsIngestedBetween(start, end)),
      )
      .map(storeRow),
  columns: [
    { name: 'TimeGenerated', type: 'datetime', evaluate: (row) => row.eventTicks },
    { name: 'CorrelationId', type: 'string', evaluate: (row) => row.source.correlationId },
    { name: 'DeploymentName', type: 'string', evaluate: (row) => row.source.deploymentName },
    { name: 'ModelName', type: 'string', evaluate: (row) => row.source.modelName },
    { name: 'IsStreamCompletion', type: 'bool', evaluate: (row) => row.source.isStream },
    { name: 'PromptTokens', type: 'int', evaluate: (row) => row.source.promptTokens },
    { name: 'CompletionTokens', type: 'int', evaluate: (row) => row.source.completionTokens },
    { name: 'TotalTokens', type: 'int', evaluate: (row) => row.source.totalTokens },
    { name: 'SequenceNumber', type: 'int', evaluate: (row) => row.source.sequenceNumber },
    { name: 'Type', type: 'string', evaluate: () => 'ApiManagementGatewayLlmLog' },
    { name: '_ItemId', type: 'string', hidden: true, evaluate: (row) => row.source.itemId },
  ],
};

const GATEWAY_LOG: Definition<GatewayLogRow> = {
  timeColumn: 'TimeGenerated',
  scan: ({ requestLog }, startMs, endMs) =>
    requestLog.gatewayRowsIngestedBetween(startMs, endMs).map(storeRow),
  columns: [
    { name: 'TimeGenerated', type: 'datetime', evaluate: (row) => row.eventTicks },
    { name: 'CorrelationId', type: 'string', evaluate: (row) => row.source.correlationId },
    { name: 'ResponseCode', type: 'int', evaluate: (row) => row.source.responseCode },
    { name: 'IsRequestSuccess', type: 'bool', evaluate: (row) => row.source.responseCode < 400 },
    { name: 'ApimSubscriptionId', type: 'string', evaluate: (row) => row.source.subscriptionId },
    { name: 'ProductId', type: 'string', evaluate: (row) => row.source.productId },
    { name: 'TraceRecords', type: 'dynamic', evaluate: (row) => row.source.traceRecords },
    { name: 'Type', type: 'string', evaluate: () => 'ApiManagementGatewayLogs' },
  ],
};

/** A table's rows reach only its own columns, so what they are made of is nobody else's business. */
const sealed = <Source>(table: Definition<Source>) => table as unknown as Definition<unknown>;

const TABLES: Record<string, Definition<unknown>> = {
  AppMetrics: sealed(APP_METRICS),
  customMetrics: sealed(CUSTOM_METRICS),
  ApiManagementGatewayLlmLog: sealed(LLM_LOG),
  ApiManagementGatewayLogs: sealed(GATEWAY_LOG),
};

/** The tables of a workspace, and those of an Application Insights component. */
export const WORKSPACE_TABLES = ['AppMetrics', 'ApiManagementGatewayLlmLog', 'ApiManagementGatewayLogs'];
export const COMPONENT_TABLES = ['customMetrics'];

/** Columns and rows of a table. @throws KqlError SemanticError when the scope has no such table */
export function openTable(name: string, allowed: readonly string[], nowTicks: bigint): Table<unknown> {
  const table = allowed.includes(name) ? TABLES[name] : undefined;
  if (table === undefined) {
    throw new KqlError(
      'SemanticError',
      `'where' operator: Failed to resolve table or column expression named '${name}'`,
    );
  }
  return { ...table, ingestionTicks: (row) => row.ingestedTicks, nowTicks };
}
