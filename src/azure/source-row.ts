import { byDimension } from '../../pricing/usage/shape.ts';
import { UpstreamError } from '../platform/errors.ts';
import { ROW_COLUMNS } from './kql.ts';
import type { MetricSummary, SourceRow } from './source.ts';

const PLACES = new Map(ROW_COLUMNS.map((column, place) => [column, place]));

/**
 * One answer row of a row query (columns ROW_COLUMNS) as a SourceRow. Only what the collector could not work
 * without is insisted on: an id to know the row by, and the ingestion instant. The rest is for it to judge.
 * @throws UpstreamError when either is missing: going on would count rows twice, or lose them
 */
export function readSourceRow(cells: unknown[]): SourceRow {
  const cell = (column: string) => cells[PLACES.get(column) ?? -1];
  const ingested = readInstant(cell('ingestedAt'));
  const sourceItemId = readText(cell('sourceItemId'));
  if (sourceItemId === '' || ingested === null) {
    throw new UpstreamError(
      `A metric row came without ${sourceItemId === '' ? 'its item id' : 'its ingestion time'}`,
      {
        system: 'azure',
        code: 'UPSTREAM_REJECTED',
        retry: false,
        context: { metricName: readText(cell('metricName')), eventTime: readText(cell('eventTime')) },
        fix: 'Run the row query of docs/azure.md in the portal: sourceItemId and ingestedAt must be filled.',
      },
    );
  }
  return {
    sourceItemId,
    eventTime: readInstant(cell('eventTime')),
    ingestedAt: ingested,
    metricName: readText(cell('metricName')),
    sum: readCount(cell('tokenSum')),
    itemCount: readCount(cell('measurementCount')),
    tenantKey: readText(cell('tenantKey')),
    ...byDimension((name) => readText(cell(name))),
  };
}

/** One answer row of a summary query (columns SUMMARY_COLUMNS). */
export function readMetricSummary(cells: unknown[]): MetricSummary {
  const [metricName, rowCount, lastEventTime, withSubject, withModel] = cells;
  return {
    metricName: readText(metricName),
    rowCount: Number(rowCount),
    lastEventTime: readInstant(lastEventTime),
    rowCountWithSubject: Number(withSubject),
    rowCountWithModel: Number(withModel),
  };
}

/** Text stays text, however much it looks like a date or a number. */
export function readText(cell: unknown): string {
  return typeof cell === 'string' ? cell : '';
}

export function readCount(cell: unknown): number | string | null {
  return typeof cell === 'number' || typeof cell === 'string' ? cell : null;
}

/** Kusto's text of a datetime, `2026-11-21T10:00:00.1234567Z`, cut to the millisecond; null for anything else. */
export function readInstant(cell: unknown): Date | null {
  const match = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,7})?Z$/.exec(readText(cell));
  if (match === null) return null;
  const instant = new Date(`${match[1]}${(match[2] ?? '.').padEnd(4, '0').slice(0, 4)}Z`);
  return Number.isNaN(instant.getTime()) ? null : instant;
}
