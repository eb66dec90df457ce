import type { Config } from '../platform/config.ts';
import {
  buildSummaryQuery,
  type KqlOptions,
  type MetricsSchema,
  ROW_COLUMNS,
  SUMMARY_COLUMNS,
} from './kql.ts';
import { eventBounds, widen } from './kql-window.ts';
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
import { readSourceRow } from './source-row.ts';

/**
 * The token metrics of API Management in Application Insights, over `@azure/monitor-query`.
 * With AZURE_LOGS_WORKSPACE_ID it reads AppMetrics; with AZURE_LOGS_RESOURCE_ID the table of that resource:
 * customMetrics for an Application Insights component, else AppMetrics.
 * @throws TallystickError CONFIG when neither is set
 */
export function createAppMetricsSource(config: Config, options: LogsSourceOptions = {}): UsageSource {
  const { target, schema } = chooseTarget(config);
  const client = openLogs(config, target, options);
  const kql = describeKql(config, schema);
  return {
    name: schema === 'AppMetrics' ? 'app-metrics' : 'custom-metrics',
    async queryRows(query, signal) {
      const recipe = toRecipe('metrics/1', kql, query);
      const { start, end } = eventBounds(query);
      const answer = await client.query(
        { query: buildQueryText(recipe, query), columns: ROW_COLUMNS, timespan: widen(start, end) },
        signal,
      );
      if (answer.kind === 'split') return answer;
      if (answer.rows.length > query.rowLimit) return { kind: 'split', reason: 'row_limit' };
      return { kind: 'complete', rows: answer.rows.map(readSourceRow), recipe };
    },
    async summarizeMetrics(since, signal) {
      const answer = await client.query(
        {
          query: buildSummaryQuery(kql, since),
          columns: SUMMARY_COLUMNS,
          timespan: openEnded(since),
        },
        signal,
      );
      return readSummary(answer);
    },
  };
}

function describeKql(config: Config, schema: MetricsSchema): KqlOptions {
  return {
    schema,
    dimensions: describeDimensions(config),
    ...(config.METRIC_NAMESPACE === undefined ? {} : { namespace: config.METRIC_NAMESPACE }),
  };
}
