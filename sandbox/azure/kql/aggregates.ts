import { compileExpression } from './compile.ts';
import { compareValues } from './compile-comparison.ts';
import type { Compiled, Scope } from './scope.ts';
import type { Expression } from './syntax.ts';
import { KqlError, type KqlType, type KqlValue } from './value.ts';

/** An aggregate over the rows of one group. */
export interface CompiledAggregate<Row> {
  type: KqlType;
  evaluate: (rows: Row[]) => KqlValue;
}

/**
 * `count()`, `countif()`, `sum()`, `min()`, `max()`, `dcount()` (exact here), or `tostring()` around one.
 * @throws KqlError SemanticError for anything else
 */
export function compileAggregate<Row>(expression: Expression, scope: Scope<Row>): CompiledAggregate<Row> {
  if (expression.kind !== 'call') {
    throw new KqlError('SemanticError', 'summarize takes aggregation functions only');
  }
  const { name, arguments: parameters } = expression;
  const [first] = parameters;
  if (name === 'count' && parameters.length === 0) return { type: 'long', evaluate: (rows) => rows.length };
  if (first === undefined || parameters.length !== 1) throw unknownAggregate(name);
  if (name === 'tostring') return wrapToString(compileAggregate(first, scope), scope);
  const parameter = compileExpression(first, scope);
  switch (name) {
    case 'countif':
      return {
        type: 'long',
        evaluate: (rows) => rows.filter((row) => parameter.evaluate(row) === true).length,
      };
    case 'dcount':
      return {
        type: 'long',
        evaluate: (rows) => new Set(rows.map((row) => parameter.evaluate(row))).size,
      };
    case 'sum':
      return { type: parameter.type === 'real' ? 'real' : 'long', evaluate: (rows) => sum(parameter, rows) };
    case 'min':
      return { type: parameter.type, evaluate: (rows) => extreme(parameter, rows, -1) };
    case 'max':
      return { type: parameter.type, evaluate: (rows) => extreme(parameter, rows, 1) };
    default:
      throw unknownAggregate(name);
  }
}

function wrapToString<Row>(inner: CompiledAggregate<Row>, scope: Scope<Row>): CompiledAggregate<Row> {
  const column = { name: 'value', type: inner.type, evaluate: (value: KqlValue) => value };
  const text = compileExpression<KqlValue>(
    { kind: 'call', name: 'tostring', arguments: [{ kind: 'column', name: 'value' }] },
    { columns: [column], ingestionTicks: null, nowTicks: scope.nowTicks },
  );
  return { type: 'string', evaluate: (rows) => text.evaluate(inner.evaluate(rows)) };
}

function sum<Row>(parameter: Compiled<Row>, rows: Row[]): number {
  let total = 0;
  for (const row of rows) {
    const value = parameter.evaluate(row);
    if (value !== null) total += Number(value);
  }
  return total;
}

function extreme<Row>(parameter: Compiled<Row>, rows: Row[], sign: 1 | -1): KqlValue {
  let best: KqlValue = null;
  for (const row of rows) {
    const value = parameter.evaluate(row);
    if (value !== null && (best === null || compareValues(value, best) * sign > 0)) best = value;
  }
  return best;
}

function unknownAggregate(name: string): KqlError {
  return new KqlError('SemanticError', `Unknown aggregation function or wrong arguments: '${name}'`);
}
