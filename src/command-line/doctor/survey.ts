import { KNOWN_METRIC_NAMES } from '../../../pricing/usage/shape.ts';
import type { MetricSurvey } from '../../azure/source.ts';
import type { Config } from '../../platform/config.ts';
import type { Finding } from './finding.ts';

/**
 * The SDK's own limits of one metric by default, values of a dimension and series; whether API Management inherits them is
 * not documented. Beyond them it drops what does not fit, so that a minute with just about so many users is suspicious.
 */
const SDK_VALUE_LIMIT = 100;
const SUSPICIOUS_DISTANCE = 5;

/** What the names of the source's metrics say: which of them are held, and whether a filter hides them. */
export function checkSurvey(survey: MetricSurvey, config: Config): Finding[] {
  return [...checkNamespace(survey, config), ...checkNames(survey), ...checkCrowd(survey)];
}

function checkNamespace({ metrics }: MetricSurvey, { METRIC_NAMESPACE }: Config): Finding[] {
  const sum = (pick: (metric: (typeof metrics)[number]) => number) =>
    metrics.reduce((total, metric) => total + pick(metric), 0);
  const rowCount = sum((metric) => metric.rowCount);
  const hiddenCount = rowCount - sum((metric) => metric.rowCountInNamespace);
  if (METRIC_NAMESPACE === undefined || hiddenCount === 0) return [];
  return [
    {
      system: 'azure',
      verdict: hiddenCount === rowCount ? 'bad' : 'look',
      what: `METRIC_NAMESPACE "${METRIC_NAMESPACE}" hides ${hiddenCount === rowCount ? 'all' : hiddenCount} of ${rowCount} rows of the last 7 days`,
      fix: 'Set it to the namespace of the policy, or leave it out: some components keep no namespace in their rows.',
    },
  ];
}

function checkNames({ metrics }: MetricSurvey): Finding[] {
  return metrics
    .filter(
      ({ metricName, rowCountInNamespace }) =>
        rowCountInNamespace > 0 && !KNOWN_METRIC_NAMES.includes(metricName),
    )
    .map(({ metricName, rowCount, tokenSum }): Finding => {
      const what = `${metricName}: no metric that this version knows; ${rowCount} rows in 7 days`;
      return tokenSum === 0
        ? { system: 'azure', verdict: 'good', what: `${what}, all of them 0: noted, and nothing is held` }
        : {
            system: 'azure',
            verdict: 'look',
            what: `${what} count ${tokenSum} tokens: the collector holds them as unknown_metric`,
            fix: 'Look for a version that knows it, or say what its tokens are part of: docs/extending.md.',
          };
    });
}

function checkCrowd({ busiestMinuteSubjectCount: count }: MetricSurvey): Finding[] {
  if (count === null || Math.abs(count - SDK_VALUE_LIMIT) > SUSPICIOUS_DISTANCE) return [];
  return [
    {
      system: 'azure',
      verdict: 'look',
      what: `the busiest minute of 7 days has ${count} users: just about what a metrics SDK lets through (${SDK_VALUE_LIMIT} values of a dimension)`,
      fix: 'Count the distinct users of that minute in the gateway’s own log and compare; where some are missing, bill by the LLM log (USAGE_SOURCE=llm-log).',
    },
  ];
}
