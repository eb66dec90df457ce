import { addMs, DAY_MS, HOUR_MS } from '../platform/clock.ts';
import { quoteKql } from './kql-literal.ts';
import { datetime, eventBounds, halfOpen, validateQuery } from './kql-window.ts';
import type { SourceQuery } from './source.ts';

/** KQL over the gateway's request-level tables. See kql.ts for what may enter a query. */

/** Columns of a request query's answer, in order. */
export const REQUEST_COLUMNS = [
  'llmItemId',
  'correlationId',
  'startedAt',
  'loggedAt',
  'sequenceNumber',
  'deployment',
  'servedModel',
  'isStream',
  'promptTokens',
  'completionTokens',
  'totalTokens',
  'gatewayLoggedAt',
  'responseCode',
  'subscriptionId',
  'productId',
  'traceRecords',
] as const;

/** A gateway row that came more than this before its LLM row is found by a backfill only. */
const GATEWAY_LOOK_BACK_MS = DAY_MS;

/**
 * The log rows of every request that has one in the slice, each with its gateway rows beside it, and one row
 * more than the limit. A request comes whole, with rows from before the slice: its tokens are those of its
 * largest row, so no row can be judged alone.
 *
 * The two tables are ingested apart. With `holdBackMs` a slice by ingestion time means rows that were ingested
 * that much earlier, which gives the gateway row the time to arrive.
 * @throws ValidationError for an empty window, a partition or a limit out of range
 */
export function buildRequestQuery(query: SourceQuery, holdBackMs: number): string {
  validateQuery(query);
  const window = shiftWindow(query, holdBackMs).window;
  const { start, end, gatewayEnd } = requestBounds(query, holdBackMs);
  const byIngestion = query.by === 'ingestion';
  const eventTime = `where ${halfOpen('TimeGenerated', start, end)}`;
  const part =
    query.partition === undefined
      ? []
      : [`where hash(CorrelationId, ${query.partition.count}) == ${query.partition.index}`];
  const touched = [
    'ApiManagementGatewayLlmLog',
    eventTime,
    `where ${halfOpen(byIngestion ? 'ingestion_time()' : 'TimeGenerated', window.start, window.end)}`,
    ...part,
    'project CorrelationId',
  ];
  const gateway = [
    'ApiManagementGatewayLogs',
    `where ${halfOpen('TimeGenerated', byIngestion ? start : addMs(window.start, -HOUR_MS), gatewayEnd)}`,
    ...(byIngestion
      ? [`where ingestion_time() >= ${datetime(addMs(window.start, -GATEWAY_LOOK_BACK_MS))}`]
      : []),
    ...part,
    'project CorrelationId, gatewayAt = ingestion_time(), ResponseCode, ApimSubscriptionId, ProductId, TraceRecords',
  ];
  return [
    'ApiManagementGatewayLlmLog',
    eventTime,
    ...(byIngestion ? [`where ingestion_time() < ${datetime(window.end)}`] : []),
    ...part,
    'project llmItemId = _ItemId, CorrelationId, startedAt = TimeGenerated, llmAt = ingestion_time(), ' +
      'SequenceNumber, DeploymentName, ModelName, IsStreamCompletion, PromptTokens, CompletionTokens, TotalTokens',
    `join kind=leftsemi (${touched.join(' | ')}) on CorrelationId`,
    `join kind=leftouter (${gateway.join(' | ')}) on CorrelationId`,
    'project llmItemId, correlationId = CorrelationId, startedAt = tostring(startedAt), loggedAt = tostring(llmAt), ' +
      'sequenceNumber = SequenceNumber, deployment = DeploymentName, servedModel = ModelName, ' +
      'isStream = tostring(IsStreamCompletion), promptTokens = PromptTokens, completionTokens = CompletionTokens, ' +
      'totalTokens = TotalTokens, gatewayLoggedAt = tostring(gatewayAt), responseCode = ResponseCode, ' +
      'subscriptionId = ApimSubscriptionId, productId = ProductId, traceRecords = tostring(TraceRecords)',
    'order by loggedAt asc, correlationId asc',
    `take ${query.rowLimit + 1}`,
  ].join('\n| ');
}

/** What `doctor` asks: how many log rows arrived, and how many have a gateway row with the subject's metadata. */
export function buildRequestSummaryQuery(subjectDimension: string, since: Date): string {
  const recent = `where TimeGenerated >= ${datetime(since)}`;
  const named = `tostring(TraceRecords) contains ${quoteKql('DIMENSION_SUBJECT', subjectDimension)}`;
  return [
    'ApiManagementGatewayLlmLog',
    recent,
    'project CorrelationId, startedAt = TimeGenerated, ModelName',
    `join kind=leftouter (ApiManagementGatewayLogs | ${recent} | project CorrelationId, TraceRecords) on CorrelationId`,
    `summarize rowCount = count(), lastEventTime = tostring(max(startedAt)), rowCountWithSubject = countif(${named}), ` +
      'rowCountWithModel = countif(isnotempty(ModelName)) by metricName = "LLM gateway log"',
    'project metricName, rowCount, lastEventTime, rowCountWithSubject, rowCountWithModel',
  ].join('\n| ');
}

/**
 * The event times a request query can touch. The rows of a request have one event time, its start, but for
 * those that came so late that the store replaced it: these need the rows of days before them, in a backfill too.
 */
export function requestBounds(
  query: SourceQuery,
  holdBackMs: number,
): { start: Date; end: Date; gatewayEnd: Date } {
  const wide = eventBounds({ ...shiftWindow(query, holdBackMs), by: 'ingestion' });
  const end = query.by === 'ingestion' ? wide.end : addMs(query.window.end, HOUR_MS);
  return { start: wide.start, end, gatewayEnd: wide.end };
}

function shiftWindow(query: SourceQuery, holdBackMs: number): SourceQuery {
  if (query.by === 'event') return query;
  const { start, end } = query.window;
  return { ...query, window: { start: addMs(start, -holdBackMs), end: addMs(end, -holdBackMs) } };
}
