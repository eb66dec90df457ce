import type { FaultPlan } from './faults.ts';
import { parseQuery } from './kql/parse.ts';
import { runOperators } from './kql/run.ts';
import type { Query } from './kql/syntax.ts';
import { KqlError, parseDatetime, type ResultTable, TICKS_PER_MS } from './kql/value.ts';
import { planScan } from './plan.ts';
import { openTable, type StoredData } from './tables.ts';
import { describeQueryError, describeTable, partialError } from './wire.ts';

export interface QueryRequest {
  /** The request body as it came. */
  body: string;
  /** Tables that the scope of the request has. */
  tables: readonly string[];
  data: StoredData;
  /** Rows ingested before this instant are visible. */
  nowMs: number;
  faults: FaultPlan;
  /** Drop half of the rows and say so, as a query that failed on some nodes does. */
  halve: boolean;
}

/** Status and body for one query; mistakes of the caller are 400, never thrown. */
export function answerQuery(request: QueryRequest): { status: 200 | 400; body: unknown } {
  try {
    const { query, timespan } = readBody(request.body);
    const result = runQuery(request, parseQuery(query), readTimespan(timespan));
    if (request.halve) {
      const kept = { ...result, rows: result.rows.slice(0, result.rows.length >> 1) };
      return { status: 200, body: describeTable(kept, partialError('A node did not answer in time')) };
    }
    if (result.rows.length > request.faults.rowCeiling) {
      const kept = { ...result, rows: result.rows.slice(0, request.faults.rowCeiling) };
      const reason = `The results of this query exceed the set limit of ${request.faults.rowCeiling} records`;
      return { status: 200, body: describeTable(kept, partialError(reason)) };
    }
    return { status: 200, body: describeTable(result) };
  } catch (error) {
    if (error instanceof KqlError) return { status: 400, body: { error: describeQueryError(error) } };
    throw error;
  }
}

interface Timespan {
  lowTicks: bigint | null;
  highTicks: bigint | null;
}

/** The timespan bounds every table that the query names, those inside a join too. */
function runQuery(request: QueryRequest, query: Query, timespan: Timespan): ResultTable {
  const nowTicks = BigInt(request.nowMs) * TICKS_PER_MS;
  const table = openTable(query.table, request.tables, nowTicks);
  const { startMs, endMs } = planScan(query, table.timeColumn, timespan, nowTicks);
  const scanned = endMs <= startMs ? [] : table.scan(request.data, startMs, endMs);
  const { lowTicks, highTicks } = timespan;
  const rows = scanned.filter(
    (row) =>
      (lowTicks === null || row.eventTicks >= lowTicks) &&
      (highTicks === null || row.eventTicks <= highTicks),
  );
  return runOperators(query.operators, table, rows, (inner) => runQuery(request, inner, timespan));
}

function readBody(text: string): { query: string; timespan: string } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new KqlError('SemanticError', 'The body is not JSON');
  }
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  if (typeof fields.query !== 'string' || fields.query.trim() === '') {
    throw new KqlError('SemanticError', 'The request has no query');
  }
  return { query: fields.query, timespan: typeof fields.timespan === 'string' ? fields.timespan : '' };
}

/** `start/end` only, the form our client sends; both ends included. @throws KqlError for other forms */
function readTimespan(timespan: string): Timespan {
  if (timespan === '') return { lowTicks: null, highTicks: null };
  const [start, end, ...more] = timespan.split('/');
  if (start === undefined || end === undefined || more.length > 0) {
    throw new KqlError('SemanticError', 'Only timespans of the form start/end are understood here');
  }
  return { lowTicks: parseDatetime(start), highTicks: parseDatetime(end) };
}
