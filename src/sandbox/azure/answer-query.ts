import type { Traffic } from '../traffic/row.ts';
import type { FaultPlan } from './faults.ts';
import { parseQuery } from './kql/parse.ts';
import { runOperators } from './kql/run.ts';
import { KqlError, parseDatetime, TICKS_PER_MS } from './kql/value.ts';
import { planScan } from './plan.ts';
import { openTable, type StoredRow, storeRow } from './tables.ts';
import { describeQueryError, describeTable, partialError } from './wire.ts';

export interface QueryRequest {
  /** The request body as it came. */
  body: string;
  /** Tables that the scope of the request has. */
  tables: string[];
  traffic: Traffic;
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
    const parsed = parseQuery(query);
    const nowTicks = BigInt(request.nowMs) * TICKS_PER_MS;
    const table = openTable(parsed.table, request.tables, nowTicks);
    const bounds = readTimespan(timespan);
    const range = planScan(parsed, table.timeColumn, bounds, nowTicks);
    const rows = scan(request, range.startMs, range.endMs).filter(
      (row) =>
        (bounds.lowTicks === null || row.eventTicks >= bounds.lowTicks) &&
        (bounds.highTicks === null || row.eventTicks <= bounds.highTicks),
    );
    const result = runOperators(parsed.operators, table, rows);
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

/** A duplicated row is a stored row that stands twice, so it passes through every filter like any other. */
function scan(request: QueryRequest, startMs: number, endMs: number): StoredRow[] {
  if (endMs <= startMs) return [];
  return request.faults.duplicate(request.traffic.rowsIngestedBetween(startMs, endMs)).map(storeRow);
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
function readTimespan(timespan: string): { lowTicks: bigint | null; highTicks: bigint | null } {
  if (timespan === '') return { lowTicks: null, highTicks: null };
  const [start, end, ...more] = timespan.split('/');
  if (start === undefined || end === undefined || more.length > 0) {
    throw new KqlError('SemanticError', 'Only timespans of the form start/end are understood here');
  }
  return { lowTicks: parseDatetime(start), highTicks: parseDatetime(end) };
}
