import { DIMENSION_NAMES, type DimensionName } from '../../pricing/usage/shape.ts';
import { quoteKql } from './kql-literal.ts';
import { datetime, eventBounds, halfOpen, validateQuery } from './kql-window.ts';
import type { SourceQuery, SourceRow } from './source.ts';

/**
 * KQL is made here for the metrics tables and in kql-llm-log.ts for the request-level ones, and nowhere else.
 * Only validated values enter a query: names as escaped string literals, instants and counts printed by us.
 */

/** Where the metric rows are: `AppMetrics` of a workspace, or `customMetrics` of a classic resource. */
export type MetricsSchema = 'AppMetrics' | 'customMetrics';

/** Names of the custom dimensions, as the gateway policy writes them; the tenant says whose a subject is. */
export type DimensionNames = Record<DimensionName | 'tenant', string>;

/** The dimensions of a row by its fields; the tenant's stands beside the subject's. */
const ROW_DIMENSIONS = DIMENSION_NAMES.flatMap((name): [keyof SourceRow, keyof DimensionNames][] =>
  name === 'subject'
    ? [
        [name, name],
        ['tenantKey', 'tenant'],
      ]
    : [[name, name]],
);

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
export const NAMESPACE_DIMENSION = '_MS.MetricNamespace';

/** Columns of a row query's answer, in order. */
export const ROW_COLUMNS: readonly string[] = [
  'sourceItemId',
  'eventTime',
  'ingestedAt',
  'metricName',
  'tokenSum',
  'measurementCount',
  ...ROW_DIMENSIONS.map(([field]) => field),
];

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
      `measurementCount = ${columns.count}, ` +
      // Windows of before a dimension was added were asked without it, and their texts are rebuilt.
      ROW_DIMENSIONS.filter(([, name]) => dimensions[name] !== undefined)
        .map(([field, name]) => `${field} = ${dimension(dimensions[name])}`)
        .join(', '),
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

/** Columns of a survey's answer, in order; and of the busiest minute's. */
export const SURVEY_COLUMNS = ['metricName', 'rowCount', 'rowCountInNamespace', 'tokenSum'] as const;
export const BUSIEST_COLUMNS = ['subjectCount'] as const;

/** Which token metrics arrived since an instant in any namespace, how many of their rows are in ours, and what they counted. */
export function buildSurveyQuery(options: KqlOptions, since: Date): string {
  const columns = COLUMNS[options.schema];
  return [
    options.schema,
    `where ${columns.time} >= ${datetime(since)}`,
    nameCondition(columns),
    `summarize rowCount = count(), rowCountInNamespace = ${
      options.namespace === undefined
        ? 'count()'
        : `countif(${namespaceCondition(options.namespace, columns)})`
    }, tokenSum = sum(${columns.sum}) by metricName = ${columns.name}`,
    `project ${SURVEY_COLUMNS.join(', ')}`,
    'order by metricName asc',
  ].join('\n| ');
}

/** How many users the busiest minute since an instant had, as far as rows tell. */
export function buildBusiestMinuteQuery(options: KqlOptions, since: Date): string {
  const columns = COLUMNS[options.schema];
  const subject = `tostring(${columns.properties}[${quoteKql('dimension', options.dimensions.subject)}])`;
  return [
    options.schema,
    `where ${columns.time} >= ${datetime(since)}`,
    ...metricConditions(options, columns),
    `summarize subjects = dcount(${subject}) by minute = bin(${columns.time}, 1m)`,
    'summarize subjectCount = max(subjects)',
    `project ${BUSIEST_COLUMNS.join(', ')}`,
  ].join('\n| ');
}

function metricConditions(options: KqlOptions, columns: SchemaColumns): string[] {
  const conditions = [nameCondition(columns)];
  if (options.namespace !== undefined) {
    conditions.push(`where ${namespaceCondition(options.namespace, columns)}`);
  }
  return conditions;
}

export function nameCondition(columns: Pick<SchemaColumns, 'name'>): string {
  return `where ${columns.name} endswith "Tokens"`;
}

function namespaceCondition(name: string, columns: SchemaColumns): string {
  return `tostring(${columns.properties}["${NAMESPACE_DIMENSION}"]) == ${quoteKql('namespace', name)}`;
}
