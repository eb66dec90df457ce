import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';

/** Of the variables that choose where data comes from; Grafana 10.3 and later know Postgres by this name. */
export const REPORTING: DataSourceRef = { type: 'grafana-postgresql-datasource', uid: '${reporting}' };
export const PROMETHEUS: DataSourceRef = { type: 'prometheus', uid: '${prometheus}' };

interface SqlTarget {
  datasource: DataSourceRef;
  editorMode: 'code';
  format: 'table' | 'time_series';
  rawQuery: true;
  rawSql: string;
  refId: string;
}

/** A query of SQL, for which the SDK has no type of its own. */
function sqlTarget(rawSql: string, format: SqlTarget['format']): Builder<Dataquery> {
  const target: SqlTarget = {
    datasource: REPORTING,
    editorMode: 'code',
    format,
    rawQuery: true,
    rawSql,
    refId: 'A',
  };
  return { build: () => target as SqlTarget & Dataquery };
}

/** Rows as they come. */
export const rowsOf = (rawSql: string) => sqlTarget(rawSql, 'table');

/** Columns `time`, `metric` (the series' name) and a value; or `time` and one column a series. */
export const seriesOf = (rawSql: string) => sqlTarget(rawSql, 'time_series');

/** What Prometheus kept over the range. */
export const kept = (expr: string, legend: string, refId = 'A') =>
  new DataqueryBuilder().datasource(PROMETHEUS).refId(refId).expr(expr).legendFormat(legend).range();

/** What Prometheus saw last. */
export const last = (expr: string, legend: string, refId = 'A') =>
  new DataqueryBuilder()
    .datasource(PROMETHEUS)
    .refId(refId)
    .expr(expr)
    .legendFormat(legend)
    .format(PromQueryFormat.TimeSeries)
    .instant();
