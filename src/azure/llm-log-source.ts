import { type Config, readConfiguredProviders } from '../platform/config.ts';
import { TallystickError } from '../platform/errors.ts';
import { SUMMARY_COLUMNS } from './kql.ts';
import { buildRequestSummaryQuery, REQUEST_COLUMNS, requestBounds } from './kql-llm-log.ts';
import { widen } from './kql-window.ts';
import { describeRequest } from './llm-log-rows.ts';
import { readRequests } from './log-request.ts';
import {
  chooseTarget,
  describeDimensions,
  type LogsSourceOptions,
  openEnded,
  openLogs,
  readSummary,
} from './logs-source.ts';
import { buildQueryText, toRecipe } from './query-templates.ts';
import type { UsageSource } from './source.ts';

/**
 * The request-level source: `ApiManagementGatewayLlmLog` joined with `ApiManagementGatewayLogs`, from whose
 * trace records user and tenant come. It gives the same rows as the metrics do, a request at a time.
 * @throws TallystickError CONFIG when no workspace is configured: Application Insights lacks these tables
 */
export function createLlmLogSource(
  config: Config,
  options: LogsSourceOptions & { keepFailed?: boolean } = {},
): UsageSource {
  const { keepFailed = false, ...logsOptions } = options;
  const { target, schema } = chooseTarget(config);
  if (schema !== 'AppMetrics') {
    throw new TallystickError(
      'The LLM gateway log lies in a workspace, not in an Application Insights component',
      {
        code: 'CONFIG',
        retry: false,
        fix: 'Set AZURE_LOGS_WORKSPACE_ID, or AZURE_LOGS_RESOURCE_ID to the ARM id of the workspace.',
      },
    );
  }
  const client = openLogs(config, target, logsOptions);
  const rowOptions = {
    dimensions: describeDimensions(config),
    keepFailed,
    providers: readConfiguredProviders(config),
  };
  const holdBackMs = config.LLM_LOG_HOLD_BACK_MINUTES;
  return {
    name: 'llm-log',
    async queryRows(query, signal) {
      const recipe = toRecipe('requests/1', { holdBackMs }, query);
      const { start, gatewayEnd } = requestBounds(query, holdBackMs);
      const answer = await client.query(
        {
          query: buildQueryText(recipe, query),
          columns: REQUEST_COLUMNS,
          timespan: widen(start, gatewayEnd),
        },
        signal,
      );
      if (answer.kind === 'split') return answer;
      if (answer.rows.length > query.rowLimit) return { kind: 'split', reason: 'row_limit' };
      const requests = readRequests(answer.rows, config.LLM_LOG_TRACE_SOURCE);
      return {
        kind: 'complete',
        rows: requests.flatMap((request) => describeRequest(request, rowOptions)),
        recipe,
      };
    },
    async summarizeMetrics(since, signal) {
      const query = buildRequestSummaryQuery(config.DIMENSION_SUBJECT, since);
      return readSummary(
        await client.query({ query, columns: SUMMARY_COLUMNS, timespan: openEnded(since) }, signal),
      );
    },
  };
}
