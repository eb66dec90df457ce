import type { BinaryOperator, Expression } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';
import { KqlError, parseDatetime, TICKS_PER_MS } from './value.ts';

/** Loosest first; operators of one row bind equally and to the left. */
const PRECEDENCE: BinaryOperator[][] = [
  ['or'],
  ['and'],
  ['==', '!=', '=~', '<', '<=', '>', '>=', 'endswith', 'startswith', 'contains'],
  ['+', '-'],
  ['*', '/'],
];

const TIMESPAN_MS: Record<string, bigint> = { ms: 1n, s: 1000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n };

/** @throws KqlError SyntaxError */
export function parseExpression(reader: TokenReader, level = 0): Expression {
  const operators = PRECEDENCE[level];
  if (operators === undefined) return parsePostfix(reader);
  let left = parseExpression(reader, level + 1);
  for (;;) {
    const operator = operators.find((candidate) => reader.peekIs(candidate));
    if (operator === undefined) return left;
    reader.next();
    left = { kind: 'binary', operator, left, right: parseExpression(reader, level + 1) };
  }
}

function parsePostfix(reader: TokenReader): Expression {
  let expression = parsePrimary(reader);
  for (;;) {
    if (reader.accept('[')) {
      const key = reader.next();
      if (key.kind !== 'string') {
        throw new KqlError('SyntaxError', `Expected a quoted key (position ${key.position})`);
      }
      reader.expect(']');
      expression = { kind: 'member', object: expression, key: key.text };
    } else if (reader.accept('.')) {
      expression = { kind: 'member', object: expression, key: reader.expectName() };
    } else {
      return expression;
    }
  }
}

function parsePrimary(reader: TokenReader): Expression {
  if (reader.accept('(')) {
    const inner = parseExpression(reader);
    reader.expect(')');
    return inner;
  }
  const token = reader.next();
  switch (token.kind) {
    case 'string':
      return { kind: 'literal', type: 'string', value: token.text };
    case 'number':
      return {
        kind: 'literal',
        type: token.text.includes('.') ? 'real' : 'long',
        value: Number(token.text),
      };
    case 'timespan':
      return { kind: 'literal', type: 'timespan', value: timespanTicks(token.text) };
    case 'datetime':
      return { kind: 'literal', type: 'datetime', value: parseDatetime(token.text) };
    case 'name':
      if (token.text === 'true' || token.text === 'false') {
        return { kind: 'literal', type: 'bool', value: token.text === 'true' };
      }
      return reader.accept('(')
        ? { kind: 'call', name: token.text, arguments: parseArguments(reader) }
        : { kind: 'column', name: token.text };
    default:
      throw new KqlError('SyntaxError', `Expected an expression (position ${token.position})`);
  }
}

function parseArguments(reader: TokenReader): Expression[] {
  const list: Expression[] = [];
  if (reader.accept(')')) return list;
  do list.push(parseExpression(reader));
  while (reader.accept(','));
  reader.expect(')');
  return list;
}

function timespanTicks(text: string): bigint {
  const match = /^(\d+)(ms|[smhd])$/.exec(text);
  const unit = TIMESPAN_MS[match?.[2] ?? ''];
  if (match === null || unit === undefined) throw new KqlError('SyntaxError', `'${text}' is not a timespan`);
  return BigInt(match[1] ?? '0') * unit * TICKS_PER_MS;
}
