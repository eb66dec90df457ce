import { compileExpression } from './kql/compile.ts';
import type { Expression, Query } from './kql/syntax.ts';
import { TICKS_PER_MS } from './kql/value.ts';
import { EVENT_TIME_LIMITS } from './tables.ts';

/** A half-open range of ingestion instants in Unix milliseconds. */
export interface IngestionRange {
  startMs: number;
  endMs: number;
}

interface Bounds {
  lowTicks: bigint | null;
  highTicks: bigint | null;
}

/**
 * Which ingestion instants can hold rows of the answer, read off the leading `where` operators. It only
 * narrows what is scanned; every condition is still evaluated on every row. Event times bound ingestion too,
 * because the store keeps the two within days of each other.
 */
export function planScan(
  query: Query,
  timeColumn: string,
  timespan: Bounds,
  nowTicks: bigint,
): IngestionRange {
  const ingestion: Bounds = { lowTicks: null, highTicks: null };
  const event: Bounds = { ...timespan };
  for (const operator of query.operators) {
    if (operator.kind !== 'where') break;
    for (const condition of conjuncts(operator.condition))
      narrow(condition, timeColumn, ingestion, event, nowTicks);
  }
  const lowTicks = latest([
    0n,
    ingestion.lowTicks,
    event.lowTicks === null
      ? null
      : event.lowTicks - BigInt(EVENT_TIME_LIMITS.afterIngestionMs) * TICKS_PER_MS,
  ]);
  const highTicks = earliest([
    // Rows ingested in the present instant or later are not visible yet.
    nowTicks - 1n,
    ingestion.highTicks,
    event.highTicks === null
      ? null
      : event.highTicks + BigInt(EVENT_TIME_LIMITS.beforeIngestionMs) * TICKS_PER_MS,
  ]);
  return { startMs: Number(lowTicks / TICKS_PER_MS), endMs: Number(highTicks / TICKS_PER_MS) + 1 };
}

type Instants = [bigint, ...(bigint | null)[]];

function latest([first, ...others]: Instants): bigint {
  let found = first;
  for (const ticks of others) if (ticks !== null && ticks > found) found = ticks;
  return found;
}

function earliest([first, ...others]: Instants): bigint {
  let found = first;
  for (const ticks of others) if (ticks !== null && ticks < found) found = ticks;
  return found;
}

function conjuncts(condition: Expression): Expression[] {
  if (condition.kind !== 'binary' || condition.operator !== 'and') return [condition];
  return [...conjuncts(condition.left), ...conjuncts(condition.right)];
}

function narrow(
  condition: Expression,
  timeColumn: string,
  ingestion: Bounds,
  event: Bounds,
  nowTicks: bigint,
): void {
  if (condition.kind !== 'binary') return;
  const { left, operator, right } = condition;
  const bounds =
    left.kind === 'call' && left.name === 'ingestion_time'
      ? ingestion
      : left.kind === 'column' && left.name === timeColumn
        ? event
        : null;
  if (bounds === null || containsColumn(right)) return;
  const ticks = compileExpression(right, { columns: [], ingestionTicks: null, nowTicks }).evaluate(null);
  if (typeof ticks !== 'bigint') return;
  if ((operator === '>' || operator === '>=') && (bounds.lowTicks === null || ticks > bounds.lowTicks)) {
    bounds.lowTicks = ticks;
  }
  if ((operator === '<' || operator === '<=') && (bounds.highTicks === null || ticks < bounds.highTicks)) {
    bounds.highTicks = ticks;
  }
}

function containsColumn(expression: Expression): boolean {
  switch (expression.kind) {
    case 'literal':
      return false;
    case 'column':
    case 'member':
      return true;
    case 'call':
      return expression.name === 'ingestion_time' || expression.arguments.some(containsColumn);
    case 'binary':
      return containsColumn(expression.left) || containsColumn(expression.right);
  }
}
