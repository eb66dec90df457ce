import type { HttpClient } from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import { byDimension, DIMENSIONS } from '../../pricing/usage/shape.ts';
import { DAY_MS } from '../platform/clock.ts';
import type { Config } from '../platform/config.ts';
import { TallystickError } from '../platform/errors.ts';
import type { RetryPolicy, RetryTools } from '../platform/retry.ts';
import type { DimensionNames, MetricsSchema } from './kql.ts';
import { widen } from './kql-window.ts';
import { createLogsClient, type LogsAnswer, type LogsClient, type LogsTarget } from './logs-client.ts';
import type { MetricSummary } from './source.ts';
import { readMetricSummary } from './source-row.ts';

/** What the two adapters of the port share: the way to the logs, and the summary that doctor asks for. */

export interface LogsSourceOptions {
  /** Instead of DefaultAzureCredential, or of the constant token that loopback endpoints get. */
  credential?: TokenCredential;
  retryPolicy?: Partial<RetryPolicy>;
  retryTools?: Partial<RetryTools>;
  /** What really sends; the SDK's own client by default. */
  httpClient?: HttpClient;
}

/** The query client that the configuration describes. */
export function openLogs(config: Config, target: LogsTarget, options: LogsSourceOptions): LogsClient {
  return createLogsClient({
    target,
    endpoint: config.AZURE_LOGS_ENDPOINT,
    ...(config.AZURE_LOGS_AUDIENCE === undefined ? {} : { audience: config.AZURE_LOGS_AUDIENCE }),
    ...options,
  });
}

/** Open to the future as far as the service accepts event times. */
export function openEnded(since: Date): { startTime: Date; endTime: Date } {
  return widen(since, new Date(Math.max(since.getTime(), Date.now()) + 366 * DAY_MS));
}

/** @throws TallystickError PARTIAL_RESULT when the answer is not whole */
export function readSummary(answer: LogsAnswer): MetricSummary[] {
  return readWhole(answer).map(readMetricSummary);
}

/** The rows of an answer that nobody splits. @throws TallystickError PARTIAL_RESULT when it is cut */
export function readWhole(answer: LogsAnswer): unknown[][] {
  if (answer.kind === 'complete') return answer.rows;
  throw new TallystickError(`The summary of metrics came back incomplete (${answer.reason})`, {
    code: 'PARTIAL_RESULT',
    retry: true,
    fix: 'Ask for a shorter time.',
  });
}

/** Where the logs are, by the configuration. @throws TallystickError CONFIG when it does not say */
export function chooseTarget(config: Config): { target: LogsTarget; schema: MetricsSchema } {
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

/** Names of the dimensions; metadata of the trace policy has the same. */
export function describeDimensions(config: Config): DimensionNames {
  return {
    tenant: config.DIMENSION_CUSTOMER,
    ...byDimension((name) => config[DIMENSIONS[name].variable]),
  };
}
