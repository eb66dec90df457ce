import { compileComparison } from './compile-comparison.ts';
import { compileScalarCall } from './scalar-functions.ts';
import type { Compiled, Scope } from './scope.ts';
import type { Expression } from './syntax.ts';
import { KqlError, type KqlValue } from './value.ts';

/** Resolves names and types once, so that running over rows only calls closures. @throws KqlError */
export function compileExpression<Row>(expression: Expression, scope: Scope<Row>): Compiled<Row> {
  switch (expression.kind) {
    case 'literal': {
      const { value } = expression;
      return { type: expression.type, evaluate: () => value };
    }
    case 'column': {
      const column = scope.columns.find((candidate) => candidate.name === expression.name);
      if (column === undefined) {
        throw new KqlError(
          'SemanticError',
          `Failed to resolve column or scalar expression named '${expression.name}'`,
        );
      }
      return { type: column.type, evaluate: column.evaluate };
    }
    case 'member':
      return compileMember(compileExpression(expression.object, scope), expression.key);
    case 'call':
      return compileScalarCall(
        expression.name,
        expression.arguments.map((argument) => compileExpression(argument, scope)),
        scope,
      );
    case 'binary':
      return compileComparison(
        expression.operator,
        compileExpression(expression.left, scope),
        compileExpression(expression.right, scope),
      );
  }
}

function compileMember<Row>(object: Compiled<Row>, key: string): Compiled<Row> {
  if (object.type !== 'dynamic') {
    throw new KqlError('SemanticError', `A value of type ${object.type} has no member '${key}'`);
  }
  return {
    type: 'dynamic',
    evaluate: (row) => {
      const bag = object.evaluate(row);
      if (!isBag(bag)) return null;
      return Object.hasOwn(bag, key) ? (bag[key] ?? null) : null;
    },
  };
}

function isBag(value: KqlValue): value is Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
