import type { TrafficRow } from '../traffic/row.ts';
import type { Column, Scope } from './kql/scope.ts';
import { KqlError, TICKS_PER_MS } from './kql/value.ts';

/** A row as the store keeps it: its event time settled, both instants in ticks. */
export interface StoredRow {
  source: TrafficRow;
  eventTicks: bigint;
  ingestedTicks: bigint;
}

const DAY_MS = 86_400_000;

/**
 * What the ingestion pipeline does to times: a missing one, one more than two days before receipt, or more
 * than a day after it, is replaced by the receipt time (log-standard-columns, `TimeGenerated`).
 */
export function storeRow(source: TrafficRow): StoredRow {
  const ingestedTicks = BigInt(source.ingestedMs) * TICKS_PER_MS + BigInt(source.ingestedTicks);
  const { eventMs } = source;
  const acceptable =
    eventMs !== null &&
    Number.isSafeInteger(eventMs) &&
    eventMs >= source.ingestedMs - 2 * DAY_MS &&
    eventMs <= source.ingestedMs + DAY_MS;
  return { source, ingestedTicks, eventTicks: acceptable ? BigInt(eventMs) * TICKS_PER_MS : ingestedTicks };
}

/** The bounds that `storeRow` puts on an event time, for the planner. */
export const EVENT_TIME_LIMITS = { beforeIngestionMs: 2 * DAY_MS, afterIngestionMs: DAY_MS };

const WORKSPACE_COLUMNS: Column<StoredRow>[] = [
  { name: 'TimeGenerated', type: 'datetime', evaluate: (row) => row.eventTicks },
  { name: 'Name', type: 'string', evaluate: (row) => row.source.metricName },
  { name: 'ItemCount', type: 'int', evaluate: (row) => row.source.itemCount },
  { name: 'Sum', type: 'real', evaluate: (row) => row.source.sum },
  { name: 'Min', type: 'real', evaluate: (row) => row.source.min },
  { name: 'Max', type: 'real', evaluate: (row) => row.source.max },
  { name: 'Properties', type: 'dynamic', evaluate: (row) => row.source.properties },
  { name: 'Type', type: 'string', evaluate: () => 'AppMetrics' },
  { name: '_ItemId', type: 'string', hidden: true, evaluate: (row) => row.source.itemId },
  { name: '_TimeReceived', type: 'datetime', hidden: true, evaluate: (row) => row.ingestedTicks },
];

const CLASSIC_COLUMNS: Column<StoredRow>[] = [
  { name: 'timestamp', type: 'datetime', evaluate: (row) => row.eventTicks },
  { name: 'name', type: 'string', evaluate: (row) => row.source.metricName },
  { name: 'value', type: 'real', evaluate: (row) => row.source.sum },
  { name: 'valueCount', type: 'int', evaluate: (row) => row.source.itemCount },
  { name: 'valueSum', type: 'real', evaluate: (row) => row.source.sum },
  { name: 'valueMin', type: 'real', evaluate: (row) => row.source.min },
  { name: 'valueMax', type: 'real', evaluate: (row) => row.source.max },
  { name: 'customDimensions', type: 'dynamic', evaluate: (row) => row.source.properties },
  { name: 'itemType', type: 'string', evaluate: () => 'customMetric' },
  { name: 'itemId', type: 'string', evaluate: (row) => row.source.itemId },
];

const TABLES: Record<string, { timeColumn: string; columns: Column<StoredRow>[] }> = {
  AppMetrics: { timeColumn: 'TimeGenerated', columns: WORKSPACE_COLUMNS },
  customMetrics: { timeColumn: 'timestamp', columns: CLASSIC_COLUMNS },
};

/** Columns and time column of a table. @throws KqlError SemanticError when the scope has no such table */
export function openTable(
  name: string,
  allowed: readonly string[],
  nowTicks: bigint,
): Scope<StoredRow> & { timeColumn: string } {
  const table = allowed.includes(name) ? TABLES[name] : undefined;
  if (table === undefined) {
    throw new KqlError(
      'SemanticError',
      `'where' operator: Failed to resolve table or column expression named '${name}'`,
    );
  }
  return { ...table, ingestionTicks: (row) => row.ingestedTicks, nowTicks };
}
