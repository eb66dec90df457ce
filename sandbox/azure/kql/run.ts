import { compileAggregate } from './aggregates.ts';
import { compileExpression } from './compile.ts';
import { compareValues } from './compile-comparison.ts';
import { joinTables } from './join.ts';
import type { Column, Scope } from './scope.ts';
import type { NamedExpression, Operator, Query } from './syntax.ts';
import { KqlError, type KqlType, type KqlValue, type ResultTable } from './value.ts';

/** Rows after an operator that made new ones: plain tuples. */
type Tuple = KqlValue[];

/** Answers the query in the brackets of a join. */
export type RunQuery = (query: Query) => ResultTable;

/**
 * Compiles the whole pipeline before it touches a row, so that a query with a mistake in its last operator
 * fails even on an empty table. @throws KqlError
 */
export function runOperators<Row>(
  operators: Operator[],
  scope: Scope<Row>,
  rows: Row[],
  runQuery: RunQuery,
): ResultTable {
  const [operator, ...rest] = operators;
  if (operator === undefined) return toResult(scope, rows);
  switch (operator.kind) {
    case 'where': {
      const condition = compileExpression(operator.condition, scope);
      if (condition.type !== 'bool') throw new KqlError('SemanticError', 'where needs a bool expression');
      return runOperators(
        rest,
        scope,
        rows.filter((row) => condition.evaluate(row) === true),
        runQuery,
      );
    }
    case 'order': {
      const keys = operator.keys.map(({ expression, descending }) => ({
        compiled: compileExpression(expression, scope),
        sign: descending ? -1 : 1,
      }));
      const sorted = rows.toSorted((left, right) => {
        for (const { compiled, sign } of keys) {
          const order = compareValues(compiled.evaluate(left), compiled.evaluate(right));
          if (order !== 0) return order * sign;
        }
        return 0;
      });
      return runOperators(rest, scope, sorted, runQuery);
    }
    case 'take':
      return runOperators(rest, scope, rows.slice(0, operator.count), runQuery);
    case 'project':
    case 'extend':
      return reshape(operator.kind, operator.columns, rest, scope, rows, runQuery);
    case 'summarize':
      return summarize(operator, rest, scope, rows, runQuery);
    case 'join': {
      const joined = joinTables(toResult(scope, rows), runQuery(operator.right), operator.how, operator.key);
      return runOperators(rest, tupleScope(joined.columns, scope.nowTicks), joined.rows, runQuery);
    }
  }
}

function reshape<Row>(
  kind: 'project' | 'extend',
  named: NamedExpression[],
  rest: Operator[],
  scope: Scope<Row>,
  rows: Row[],
  runQuery: RunQuery,
): ResultTable {
  const kept = kind === 'extend' ? scope.columns.filter((column) => column.hidden !== true) : [];
  const made = named.map((item, index) => ({
    name: item.name ?? defaultName(item, index),
    ...compileExpression(item.expression, scope),
  }));
  const columns = [...kept.filter((column) => !made.some(({ name }) => name === column.name)), ...made];
  const tuples = rows.map((row) => columns.map((column) => column.evaluate(row)));
  return runOperators(rest, tupleScope(columns, scope.nowTicks), tuples, runQuery);
}

function summarize<Row>(
  operator: Extract<Operator, { kind: 'summarize' }>,
  rest: Operator[],
  scope: Scope<Row>,
  rows: Row[],
  runQuery: RunQuery,
): ResultTable {
  const keys = operator.groups.map((item, index) => ({
    name: item.name ?? defaultName(item, index),
    ...compileExpression(item.expression, scope),
  }));
  const aggregates = operator.aggregates.map((item, index) => ({
    name: item.name ?? defaultName(item, index),
    ...compileAggregate(item.expression, scope),
  }));
  const groups = new Map<string, { key: KqlValue[]; rows: Row[] }>();
  for (const row of rows) {
    const key = keys.map((column) => column.evaluate(row));
    const identity = key.map((value) => `${typeof value}:${value}`).join('\u0000');
    const group = groups.get(identity);
    if (group === undefined) groups.set(identity, { key, rows: [row] });
    else group.rows.push(row);
  }
  // Without `by` there is one group, even over no rows.
  if (keys.length === 0 && groups.size === 0) groups.set('', { key: [], rows: [] });
  const tuples = Array.from(groups.values(), (group) => [
    ...group.key,
    ...aggregates.map((aggregate) => aggregate.evaluate(group.rows)),
  ]);
  return runOperators(rest, tupleScope([...keys, ...aggregates], scope.nowTicks), tuples, runQuery);
}

function tupleScope(columns: { name: string; type: KqlType }[], nowTicks: bigint): Scope<Tuple> {
  return {
    columns: columns.map(
      ({ name, type }, index): Column<Tuple> => ({ name, type, evaluate: (tuple) => tuple[index] ?? null }),
    ),
    ingestionTicks: null,
    nowTicks,
  };
}

function toResult<Row>(scope: Scope<Row>, rows: Row[]): ResultTable {
  const columns = scope.columns.filter((column) => column.hidden !== true);
  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    rows: rows.map((row) => columns.map((column) => column.evaluate(row))),
  };
}

/** Kusto's naming of unnamed columns, near enough: the column's own name, `sum_Sum`, else `Column1`. */
function defaultName(item: NamedExpression, index: number): string {
  const { expression } = item;
  if (expression.kind === 'column') return expression.name;
  if (expression.kind === 'call') {
    const [first] = expression.arguments;
    return `${expression.name}_${first?.kind === 'column' ? first.name : ''}`;
  }
  return `Column${index + 1}`;
}
