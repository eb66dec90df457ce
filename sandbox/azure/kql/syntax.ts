import type { KqlType, KqlValue } from './value.ts';

export type BinaryOperator =
  | 'or'
  | 'and'
  | '=='
  | '!='
  | '=~'
  | '<'
  | '<='
  | '>'
  | '>='
  | 'endswith'
  | 'startswith'
  | 'contains'
  | '+'
  | '-'
  | '*'
  | '/';

export type Expression =
  | { kind: 'literal'; type: KqlType; value: KqlValue }
  | { kind: 'column'; name: string }
  | { kind: 'call'; name: string; arguments: Expression[] }
  | { kind: 'member'; object: Expression; key: string }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression };

export interface NamedExpression {
  /** The given name; null when the query gave none. */
  name: string | null;
  expression: Expression;
}

export type Operator =
  | { kind: 'where'; condition: Expression }
  | { kind: 'project' | 'extend'; columns: NamedExpression[] }
  | { kind: 'summarize'; aggregates: NamedExpression[]; groups: NamedExpression[] }
  | { kind: 'order'; keys: { expression: Expression; descending: boolean }[] }
  | { kind: 'take'; count: number }
  | { kind: 'join'; how: JoinKind; right: Query; key: string };

/** `leftsemi` keeps left rows that have a match, `leftouter` all of them with nulls where none is. */
export type JoinKind = 'leftouter' | 'leftsemi';

export interface Query {
  table: string;
  operators: Operator[];
}
