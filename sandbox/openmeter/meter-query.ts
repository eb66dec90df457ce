import type { EventStore, HourBucket } from './event-store.ts';
import type { WireMeter } from './resources.ts';

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;

type WindowSize = 'MINUTE' | 'HOUR' | 'DAY' | 'MONTH';

/** A query after all its checks. Times are epoch seconds; the interval is half-open. */
export interface MeterQuery {
  meter: WireMeter;
  fromSeconds: number | null;
  toSeconds: number | null;
  windowSize: WindowSize | null;
  /** Names as asked: group-bys of the meter, `subject`, `customer_id`. */
  groupBy: readonly string[];
  subjects: ReadonlySet<string> | null;
  /** Customer id of each subject that the customer filter lets through; null without that filter. */
  customerOfSubject: ReadonlyMap<string, string> | null;
  filters: readonly { path: string; test: (value: string) => boolean }[];
  /** Only what was stored by then counts; Infinity when reads are fresh. */
  storedByMs: number;
}

export interface QueryRow {
  windowStartSeconds: number;
  windowEndSeconds: number;
  /** Aligned with the query's `groupBy`. */
  labels: string[];
  value: number;
}

/** Running aggregate of one row: float64 throughout, as in ClickHouse without decimal precision. */
interface Accumulator {
  labels: string[];
  windowStart: number;
  windowEnd: number;
  eventCount: number;
  valueCount: number;
  sum: number;
  low: number;
  high: number;
  latestAt: number;
  latest: number;
  unique: Set<string> | null;
}

/** Aggregates stored events; rows come in order of window start only. Empty windows have no row. */
export function runMeterQuery(store: EventStore, query: MeterQuery): QueryRow[] {
  const rows = new Map<string, Accumulator>();
  for (const [hour, bucket] of store.buckets(query.meter.eventType, query.fromSeconds, query.toSeconds)) {
    addBucket(rows, query, hour * HOUR_SECONDS, bucket);
  }
  const finished: QueryRow[] = [];
  for (const row of rows.values()) {
    const value = aggregateOf(query.meter.aggregation, row);
    if (value === null) continue;
    finished.push({
      windowStartSeconds: row.windowStart,
      windowEndSeconds: row.windowEnd,
      labels: row.labels,
      value,
    });
  }
  return finished.sort((left, right) => left.windowStartSeconds - right.windowStartSeconds);
}

function addBucket(
  rows: Map<string, Accumulator>,
  query: MeterQuery,
  hourStart: number,
  bucket: HourBucket,
): void {
  const { meter, windowSize, groupBy, subjects, customerOfSubject } = query;
  const from = query.fromSeconds ?? -Infinity;
  const to = query.toSeconds ?? Infinity;
  const numbers = meter.valueProperty === undefined ? null : bucket.numbers(meter.valueProperty);
  const texts = meter.aggregation === 'UNIQUE_COUNT' ? bucket.texts(meter.valueProperty ?? '$') : null;
  const columns = groupBy.map((name) => {
    const path = meter.groupBy?.[name];
    return path === undefined ? null : bucket.texts(path);
  });
  const filters = query.filters.map(({ path, test }) => ({ column: bucket.texts(path), test }));
  const fixedWindow = windowSize === null || windowSize === 'MINUTE' ? null : windowOf(windowSize, hourStart);

  for (let index = 0; index < bucket.events.length; index += 1) {
    const event = bucket.events[index];
    if (event === undefined || event.timeSeconds < from || event.timeSeconds >= to) continue;
    if (event.storedAtMs > query.storedByMs) continue;
    if (subjects !== null && !subjects.has(event.subject)) continue;
    if (customerOfSubject !== null && !customerOfSubject.has(event.subject)) continue;
    if (!filters.every(({ column, test }) => test(column[index] ?? ''))) continue;
    const labels = columns.map((column, position) =>
      column !== null
        ? (column[index] ?? '')
        : groupBy[position] === 'subject'
          ? event.subject
          : (customerOfSubject?.get(event.subject) ?? ''),
    );
    const minute = windowOf('MINUTE', event.timeSeconds);
    const [windowStart, windowEnd] = fixedWindow ?? minute;
    const key = `${windowSize === null ? '' : windowStart}\u0001${labels.join('\u0001')}`;
    let row = rows.get(key);
    if (row === undefined) {
      row = newAccumulator(labels, windowStart, windowEnd);
      rows.set(key, row);
    }
    row.windowStart = Math.min(row.windowStart, windowStart);
    row.windowEnd = Math.max(row.windowEnd, windowEnd);
    row.eventCount += 1;
    if (texts !== null) row.unique = (row.unique ?? new Set()).add(texts[index] ?? '');
    const value = numbers?.[index] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    row.valueCount += 1;
    row.sum += value;
    row.low = Math.min(row.low, value);
    row.high = Math.max(row.high, value);
    if (event.timeSeconds >= row.latestAt) {
      row.latestAt = event.timeSeconds;
      row.latest = value;
    }
  }
}

function newAccumulator(labels: string[], windowStart: number, windowEnd: number): Accumulator {
  return {
    labels,
    windowStart,
    windowEnd,
    eventCount: 0,
    valueCount: 0,
    sum: 0,
    low: Infinity,
    high: -Infinity,
    latestAt: -Infinity,
    latest: Number.NaN,
    unique: null,
  };
}

function aggregateOf(aggregation: WireMeter['aggregation'], row: Accumulator): number | null {
  if (aggregation === 'COUNT') return row.eventCount;
  if (aggregation === 'UNIQUE_COUNT') return row.unique?.size ?? 0;
  if (row.valueCount === 0) return null;
  switch (aggregation) {
    case 'SUM':
      return row.sum;
    case 'AVG':
      return row.sum / row.valueCount;
    case 'MIN':
      return row.low;
    case 'MAX':
      return row.high;
    case 'LATEST':
      return row.latest;
  }
}

/** UTC window that holds an instant, as epoch seconds. */
function windowOf(size: WindowSize, seconds: number): [number, number] {
  if (size === 'MONTH') {
    const instant = new Date(seconds * 1000);
    const [year, month] = [instant.getUTCFullYear(), instant.getUTCMonth()];
    return [Date.UTC(year, month) / 1000, Date.UTC(year, month + 1) / 1000];
  }
  const length = size === 'MINUTE' ? MINUTE_SECONDS : size === 'HOUR' ? HOUR_SECONDS : DAY_SECONDS;
  const start = Math.floor(seconds / length) * length;
  return [start, start + length];
}
