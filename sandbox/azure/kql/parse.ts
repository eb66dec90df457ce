import { parseExpression } from './parse-expression.ts';
import type { JoinKind, NamedExpression, Operator, Query } from './syntax.ts';
import { TokenReader } from './token-reader.ts';
import { KqlError } from './value.ts';

/**
 * Reads `Table | operator | ...` with the operators where, project, extend, summarize, order/sort by,
 * take/limit and join (leftouter or leftsemi, with one key column); anything else is refused, so that the sandbox never answers a query it does not understand.
 * @throws KqlError SyntaxError
 */
export function parseQuery(text: string): Query {
  const reader = new TokenReader(text);
  const query = parsePipeline(reader);
  reader.expectEnd();
  return query;
}

function parsePipeline(reader: TokenReader): Query {
  const table = reader.expectName();
  const operators: Operator[] = [];
  while (reader.accept('|')) operators.push(parseOperator(reader));
  return { table, operators };
}

function parseOperator(reader: TokenReader): Operator {
  const name = reader.expectName();
  switch (name) {
    case 'where':
      return { kind: 'where', condition: parseExpression(reader) };
    case 'project':
    case 'extend':
      return { kind: name, columns: parseNamedExpressions(reader) };
    case 'summarize':
      return parseSummarize(reader);
    case 'order':
    case 'sort':
      return parseOrder(reader);
    case 'take':
    case 'limit':
      return { kind: 'take', count: reader.expectWholeNumber() };
    case 'join':
      return parseJoin(reader);
    default:
      throw new KqlError('SyntaxError', `Query operator '${name}' is not understood here`);
  }
}

/** `join kind=leftouter (Table | ...) on Column`: the kind must be stated, as Kusto's own default surprises. */
function parseJoin(reader: TokenReader): Operator {
  reader.expect('kind');
  reader.expect('=');
  const how = reader.expectName();
  if (how !== 'leftouter' && how !== 'leftsemi') {
    throw new KqlError('SyntaxError', `Join kind '${how}' is not understood here`);
  }
  reader.expect('(');
  const right = parsePipeline(reader);
  reader.expect(')');
  reader.expect('on');
  return { kind: 'join', how: how satisfies JoinKind, right, key: reader.expectName() };
}

function parseSummarize(reader: TokenReader): Operator {
  const aggregates = reader.peekIs('by') ? [] : parseNamedExpressions(reader);
  const groups = reader.accept('by') ? parseNamedExpressions(reader) : [];
  return { kind: 'summarize', aggregates, groups };
}

function parseOrder(reader: TokenReader): Operator {
  reader.expect('by');
  const keys: { expression: NamedExpression['expression']; descending: boolean }[] = [];
  do {
    const expression = parseExpression(reader);
    // Kusto's own default is descending.
    const descending = !reader.accept('asc');
    if (descending) reader.accept('desc');
    keys.push({ expression, descending });
  } while (reader.accept(','));
  return { kind: 'order', keys };
}

function parseNamedExpressions(reader: TokenReader): NamedExpression[] {
  const named: NamedExpression[] = [];
  do {
    const name = reader.acceptAssignment();
    named.push({ name, expression: parseExpression(reader) });
  } while (reader.accept(','));
  return named;
}
