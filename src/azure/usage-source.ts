import type { HttpClient } from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import { DAY_MS, HOUR_MS } from '../clock.ts';
import type { Config } from '../config.ts';
import { TallystickError } from '../errors.ts';
import {
  buildRowQuery,
  buildSummaryQuery,
  eventBounds,
  type KqlOptions,
  type MetricsSchema,
  ROW_COLUMNS,
  SUMMARY_COLUMNS,
} from './kql.ts';
import { createLogsClient, type LogsTarget } from './logs-client.ts';
import type { RetryPolicy, RetryTools } from './retry.ts';
import type { UsageSource } from './source.ts';
import { readMetricSummary, readSourceRow } from './source-row.ts';

export interface AppMetricsSourceOptions {
  /** Instead of DefaultAzureCredential, or of the constant token that loopback endpoints get. */
  credential?: TokenCredential;
  retryPolicy?: Partial<RetryPolicy>;
  retryTools?: Partial<RetryTools>;
  /** What really sends; the SDK's own client by default. */
  httpClient?: HttpClient;
}

/** The client's timespan is wider than the query's bounds, so that whether its ends count cannot matter. */
const TIMESPAN_MARGIN_MS = HOUR_MS;

/**
 * The token metrics of API Management in Application Insights, over `@azure/monitor-query`.
 * With AZURE_LOGS_WORKSPACE_ID it reads AppMetrics; with AZURE_LOGS_RESOURCE_ID the table of that resource:
 * customMetrics for an Application Insights component, else AppMetrics.
 * @throws TallystickError CONFIG when neither is set
 */
export function createAppMetricsSource(config: Config, options: AppMetricsSourceOptions = {}): UsageSource {
  const { target, schema } = chooseTarget(config);
  const client = createLogsClient({
    target,
    endpoint: config.AZURE_LOGS_ENDPOINT,
    ...(config.AZURE_LOGS_AUDIENCE === undefined ? {} : { audience: config.AZURE_LOGS_AUDIENCE }),
    ...options,
  });
  const kql = describeKql(config, schema);
  return {
    name: schema === 'AppMetrics' ? 'app-metrics' : 'custom-metrics',
    async queryRows(query, signal) {
      const queryText = buildRowQuery(kql, query);
      const { start, end } = eventBounds(query);
      const answer = await client.query(
        { query: queryText, columns: ROW_COLUMNS, timespan: widen(start, end) },
        signal,
      );
      if (answer.kind === 'split') return answer;
      if (answer.rows.length > query.rowLimit) return { kind: 'split', reason: 'row_limit' };
      return { kind: 'complete', rows: answer.rows.map(readSourceRow), queryText };
    },
    async summarizeMetrics(since, signal) {
      const answer = await client.query(
        {
          query: buildSummaryQuery(kql, since),
          columns: SUMMARY_COLUMNS,
          // Open to the future as far as the service accepts event times.
          timespan: widen(since, new Date(Math.max(since.getTime(), Date.now()) + 366 * DAY_MS)),
        },
        signal,
      );
      if (answer.kind === 'split') {
        throw new TallystickError(`The summary of metrics came back incomplete (${answer.reason})`, {
          code: 'PARTIAL_RESULT',
          retry: true,
          fix: 'Ask for a shorter time.',
        });
      }
      return answer.rows.map(readMetricSummary);
    },
  };
}

function chooseTarget(config: Config): { target: LogsTarget; schema: MetricsSchema } {
  if (config.AZURE_LOGS_WORKSPACE_ID !== undefined) {
    return { target: { workspaceId: config.AZURE_LOGS_WORKSPACE_ID }, schema: 'AppMetrics' };
  }
  const resourceId = config.AZURE_LOGS_RESOURCE_ID;
  if (resourceId === undefined) {
    throw new TallystickError('AZURE_LOGS_WORKSPACE_ID: is missing', {
      code: 'CONFIG',
      retry: false,
      fix: 'Set AZURE_LOGS_WORKSPACE_ID, or AZURE_LOGS_RESOURCE_ID for one Application Insights resource.',
    });
  }
  const component = /\/providers\/microsoft\.insights\/components\//i.test(resourceId);
  return { target: { resourceId }, schema: component ? 'customMetrics' : 'AppMetrics' };
}

function describeKql(config: Config, schema: MetricsSchema): KqlOptions {
  return {
    schema,
    dimensions: {
      subject: config.DIMENSION_SUBJECT,
      tenant: config.DIMENSION_CUSTOMER,
      feature: config.DIMENSION_FEATURE,
      model: config.DIMENSION_MODEL,
      deployment: config.DIMENSION_DEPLOYMENT,
    },
    ...(config.METRIC_NAMESPACE === undefined ? {} : { namespace: config.METRIC_NAMESPACE }),
  };
}

function widen(start: Date, end: Date): { startTime: Date; endTime: Date } {
  return {
    startTime: new Date(start.getTime() - TIMESPAN_MARGIN_MS),
    endTime: new Date(end.getTime() + TIMESPAN_MARGIN_MS),
  };
}
