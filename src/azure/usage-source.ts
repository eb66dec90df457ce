import type { Config } from '../platform/config.ts';
import {
  BUSIEST_COLUMNS,
  buildBusiestMinuteQuery,
  buildSummaryQuery,
  buildSurveyQuery,
  type KqlOptions,
  type MetricsSchema,
  ROW_COLUMNS,
  SUMMARY_COLUMNS,
  SURVEY_COLUMNS,
} from './kql.ts';
import { eventBounds, widen } from './kql-window.ts';
import {
  chooseTarget,
  describeDimensions,
  type LogsSourceOptions,
  openEnded,
  openLogs,
  readSummary,
  readWhole,
} from './logs-source.ts';
import { buildQueryText, toRecipe } from './query-templates.ts';
import type { UsageSource } from './source.ts';
import { readSourceRow, readText } from './source-row.ts';

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
    async surveyMetrics(since, signal) {
      const ask = async (query: string, columns: readonly string[]) =>
        readWhole(await client.query({ query, columns, timespan: openEnded(since) }, signal));
      const metrics = await ask(buildSurveyQuery(kql, since), SURVEY_COLUMNS);
      const [busiest] = await ask(buildBusiestMinuteQuery(kql, since), BUSIEST_COLUMNS);
      return {
        metrics: metrics.map(([metricName, rowCount, inNamespace, tokenSum]) => ({
          metricName: readText(metricName),
          rowCount: Number(rowCount),
          rowCountInNamespace: Number(inNamespace),
          tokenSum: Number(tokenSum),
        })),
        busiestMinuteSubjectCount: busiest?.[0] == null ? null : Number(busiest[0]),
      };
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
