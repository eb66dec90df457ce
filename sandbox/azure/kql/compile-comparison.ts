import type { Compiled } from './scope.ts';
import type { BinaryOperator } from './syntax.ts';
import { KqlError, type KqlType, type KqlValue } from './value.ts';

const NUMERIC: readonly KqlType[] = ['long', 'int', 'real'];

/** Binary operators. A comparison with null is false, as a filter in Kusto treats it. @throws KqlError */
export function compileComparison<Row>(
  operator: BinaryOperator,
  left: Compiled<Row>,
  right: Compiled<Row>,
): Compiled<Row> {
  if (operator === 'and' || operator === 'or') return compileLogic(operator, left, right);
  if (operator === '+' || operator === '-' || operator === '*' || operator === '/') {
    return compileArithmetic(operator, left, right);
  }
  if (operator in TEXT_TESTS) return compileTextTest(operator as keyof typeof TEXT_TESTS, left, right);
  if (left.type === 'dynamic' || right.type === 'dynamic' || !comparable(left.type, right.type)) {
    throw new KqlError('SemanticError', `Cannot compare values of types ${left.type} and ${right.type}`);
  }
  const test = ORDER_TESTS[operator as keyof typeof ORDER_TESTS];
  return {
    type: 'bool',
    evaluate: (row) => {
      const leftValue = left.evaluate(row);
      const rightValue = right.evaluate(row);
      return leftValue !== null && rightValue !== null && test(leftValue, rightValue);
    },
  };
}

const ORDER_TESTS = {
  '==': (left: KqlValue, right: KqlValue) => left === right,
  '!=': (left: KqlValue, right: KqlValue) => left !== right,
  '<': (left: KqlValue, right: KqlValue) => compareValues(left, right) < 0,
  '<=': (left: KqlValue, right: KqlValue) => compareValues(left, right) <= 0,
  '>': (left: KqlValue, right: KqlValue) => compareValues(left, right) > 0,
  '>=': (left: KqlValue, right: KqlValue) => compareValues(left, right) >= 0,
};

/** The string operators of Kusto without `_cs` ignore case. */
const TEXT_TESTS = {
  endswith: (left: string, right: string) => left.toLowerCase().endsWith(right.toLowerCase()),
  startswith: (left: string, right: string) => left.toLowerCase().startsWith(right.toLowerCase()),
  contains: (left: string, right: string) => left.toLowerCase().includes(right.toLowerCase()),
  '=~': (left: string, right: string) => left.toLowerCase() === right.toLowerCase(),
};

/** Orders two values of one type; null sorts first. Strings by code unit, as ordinal comparison does. */
export function compareValues(left: KqlValue, right: KqlValue): number {
  if (left === right) return 0;
  if (left === null) return -1;
  if (right === null) return 1;
  return left < right ? -1 : 1;
}

function comparable(left: KqlType, right: KqlType): boolean {
  return left === right || (NUMERIC.includes(left) && NUMERIC.includes(right));
}

function compileLogic<Row>(operator: 'and' | 'or', left: Compiled<Row>, right: Compiled<Row>): Compiled<Row> {
  if (left.type !== 'bool' || right.type !== 'bool') {
    throw new KqlError('SemanticError', `'${operator}' needs two bool values`);
  }
  return {
    type: 'bool',
    evaluate:
      operator === 'and'
        ? (row) => left.evaluate(row) === true && right.evaluate(row) === true
        : (row) => left.evaluate(row) === true || right.evaluate(row) === true,
  };
}

function compileTextTest<Row>(
  operator: keyof typeof TEXT_TESTS,
  left: Compiled<Row>,
  right: Compiled<Row>,
): Compiled<Row> {
  if (left.type !== 'string' || right.type !== 'string') {
    throw new KqlError('SemanticError', `'${operator}' needs two string values`);
  }
  const test = TEXT_TESTS[operator];
  return {
    type: 'bool',
    evaluate: (row) => test(String(left.evaluate(row) ?? ''), String(right.evaluate(row) ?? '')),
  };
}

/** Numbers with numbers; a timespan added to or taken from a datetime. */
function compileArithmetic<Row>(
  operator: '+' | '-' | '*' | '/',
  left: Compiled<Row>,
  right: Compiled<Row>,
): Compiled<Row> {
  if (left.type === 'datetime' && right.type === 'timespan' && (operator === '+' || operator === '-')) {
    return {
      type: 'datetime',
      evaluate: (row) => {
        const instant = left.evaluate(row);
        const span = right.evaluate(row);
        if (typeof instant !== 'bigint' || typeof span !== 'bigint') return null;
        return operator === '+' ? instant + span : instant - span;
      },
    };
  }
  if (!NUMERIC.includes(left.type) || !NUMERIC.includes(right.type)) {
    throw new KqlError('SemanticError', `'${operator}' is not defined for ${left.type} and ${right.type}`);
  }
  const real = left.type === 'real' || right.type === 'real';
  return {
    type: real ? 'real' : 'long',
    evaluate: (row) => {
      const leftValue = left.evaluate(row);
      const rightValue = right.evaluate(row);
      if (leftValue === null || rightValue === null) return null;
      const result = calculate(operator, Number(leftValue), Number(rightValue));
      return real ? result : Math.trunc(result);
    },
  };
}

function calculate(operator: '+' | '-' | '*' | '/', left: number, right: number): number {
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  return operator === '*' ? left * right : left / right;
}
