import { ValidationError } from '../errors.ts';
import { quoteKql } from './kql-literal.ts';
import type { SourceQuery } from './source.ts';

/**
 * The one place where KQL is made. Only validated values enter a query: names as escaped string literals,
 * instants and counts printed by us.
 */

/** Where the metric rows are: `AppMetrics` of a workspace, or `customMetrics` of a classic resource. */
export type MetricsSchema = 'AppMetrics' | 'customMetrics';

/** Names of the custom dimensions, as the gateway policy writes them. */
export interface DimensionNames {
  subject: string;
  tenant: string;
  feature: string;
  model: string;
  deployment: string;
}

export interface KqlOptions {
  schema: MetricsSchema;
  dimensions: DimensionNames;
  /** Only rows emitted under this metric namespace; absent: all. */
  namespace?: string;
}

interface SchemaColumns {
  time: string;
  name: string;
  sum: string;
  count: string;
  properties: string;
  itemId: string;
}

const COLUMNS: Record<MetricsSchema, SchemaColumns> = {
  AppMetrics: {
    time: 'TimeGenerated',
    name: 'Name',
    sum: 'Sum',
    count: 'ItemCount',
    properties: 'Properties',
    itemId: '_ItemId',
  },
  customMetrics: {
    time: 'timestamp',
    name: 'name',
    sum: 'valueSum',
    count: 'valueCount',
    properties: 'customDimensions',
    itemId: 'itemId',
  },
};

/** The dimension in which Application Insights keeps a metric's namespace in its log tables. */
const NAMESPACE_DIMENSION = '_MS.MetricNamespace';

const DAY_MS = 86_400_000;

/**
 * How far event times can lie from the ingestion window. The store replaces an event time that is more than
 * 2 days before receipt, or more than 1 day after it, by the receipt time (log-standard-columns page); a day
 * is added for the way from receipt to ingestion.
 */
export const EVENT_LOOK_BACK_MS = 3 * DAY_MS;
export const EVENT_LOOK_AHEAD_MS = 2 * DAY_MS;

/** The service cuts answers at 500,000 rows, and the sentinel row needs one of them. */
export const MAXIMUM_ROW_LIMIT = 499_999;

/** Columns of a row query's answer, in order. */
export const ROW_COLUMNS = [
  'sourceItemId',
  'eventTime',
  'ingestedAt',
  'metricName',
  'tokenSum',
  'measurementCount',
  'subject',
  'tenantKey',
  'feature',
  'model',
  'deployment',
] as const;

/** Columns of a summary query's answer, in order. */
export const SUMMARY_COLUMNS = [
  'metricName',
  'rowCount',
  'lastEventTime',
  'rowCountWithSubject',
  'rowCountWithModel',
] as const;

/**
 * All rows of one slice and one more than the limit, so that an answer cut short is recognised.
 * Instants are projected as text: the client cuts datetimes to milliseconds and makes 1970 of a null.
 * Every metric that ends in "Tokens" is asked for, so that a new token metric is seen and not lost.
 * @throws ValidationError for an empty window, a partition or a limit out of range
 */
export function buildRowQuery(options: KqlOptions, query: SourceQuery): string {
  validateQuery(query);
  const columns = COLUMNS[options.schema];
  const { start, end } = eventBounds(query);
  const dimension = (name: string) => `tostring(${columns.properties}[${quoteKql('dimension', name)}])`;
  const { dimensions } = options;
  return [
    options.schema,
    `where ${halfOpen(columns.time, start, end)}`,
    ...(query.by === 'ingestion'
      ? [`where ${halfOpen('ingestion_time()', query.window.start, query.window.end)}`]
      : []),
    ...metricConditions(options, columns),
    ...(query.partition === undefined
      ? []
      : [`where hash(${columns.itemId}, ${query.partition.count}) == ${query.partition.index}`]),
    `project sourceItemId = ${columns.itemId}, eventTime = tostring(${columns.time}), ` +
      `ingestedAt = tostring(ingestion_time()), metricName = ${columns.name}, tokenSum = ${columns.sum}, ` +
      `measurementCount = ${columns.count}, subject = ${dimension(dimensions.subject)}, ` +
      `tenantKey = ${dimension(dimensions.tenant)}, feature = ${dimension(dimensions.feature)}, ` +
      `model = ${dimension(dimensions.model)}, deployment = ${dimension(dimensions.deployment)}`,
    'order by ingestedAt asc, sourceItemId asc',
    `take ${query.rowLimit + 1}`,
  ].join('\n| ');
}

/** Which token metrics arrived since an instant, and how many of their rows carry the dimensions we need. */
export function buildSummaryQuery(options: KqlOptions, since: Date): string {
  const columns = COLUMNS[options.schema];
  const present = (name: string) =>
    `countif(isnotempty(tostring(${columns.properties}[${quoteKql('dimension', name)}])))`;
  return [
    options.schema,
    `where ${columns.time} >= ${datetime(since)}`,
    ...metricConditions(options, columns),
    `summarize rowCount = count(), lastEventTime = tostring(max(${columns.time})), ` +
      `rowCountWithSubject = ${present(options.dimensions.subject)}, ` +
      `rowCountWithModel = ${present(options.dimensions.model)} by metricName = ${columns.name}`,
    `project ${SUMMARY_COLUMNS.join(', ')}`,
    'order by metricName asc',
  ].join('\n| ');
}

/** The event times a row query can touch; the timespan handed to the client is derived from it. */
export function eventBounds(query: SourceQuery): { start: Date; end: Date } {
  if (query.by === 'event') return query.window;
  return {
    start: new Date(query.window.start.getTime() - EVENT_LOOK_BACK_MS),
    end: new Date(query.window.end.getTime() + EVENT_LOOK_AHEAD_MS),
  };
}

function metricConditions(options: KqlOptions, columns: SchemaColumns): string[] {
  const conditions = [`where ${columns.name} endswith "Tokens"`];
  if (options.namespace !== undefined) {
    const namespace = quoteKql('namespace', options.namespace);
    conditions.push(`where tostring(${columns.properties}["${NAMESPACE_DIMENSION}"]) == ${namespace}`);
  }
  return conditions;
}

/** Never `between`, which includes both ends. */
function halfOpen(column: string, start: Date, end: Date): string {
  return `${column} >= ${datetime(start)} and ${column} < ${datetime(end)}`;
}

function datetime(instant: Date): string {
  if (Number.isNaN(instant.getTime())) throw new ValidationError('window', 'holds an invalid instant');
  return `datetime(${instant.toISOString()})`;
}

function validateQuery(query: SourceQuery): void {
  if (!(query.window.start.getTime() < query.window.end.getTime())) {
    throw new ValidationError('window', 'must end after it starts');
  }
  if (!Number.isInteger(query.rowLimit) || query.rowLimit < 1 || query.rowLimit > MAXIMUM_ROW_LIMIT) {
    throw new ValidationError('rowLimit', `must be a whole number from 1 to ${MAXIMUM_ROW_LIMIT}`);
  }
  if (query.partition === undefined) return;
  const { count, index } = query.partition;
  if (!Number.isInteger(count) || count < 2 || count > 65_536) {
    throw new ValidationError('partition.count', 'must be a whole number from 2 to 65536');
  }
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new ValidationError('partition.index', 'must be a whole number from 0 up to the count');
  }
}
