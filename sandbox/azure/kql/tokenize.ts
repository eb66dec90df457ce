import { KqlError } from './value.ts';

type TokenKind = 'name' | 'number' | 'timespan' | 'string' | 'punctuation' | 'datetime' | 'end';

export interface Token {
  kind: TokenKind;
  /** The name, the decoded string, the digits, or the sign itself. */
  text: string;
  position: number;
}

const PATTERNS: [TokenKind | 'space', RegExp][] = [
  ['space', /\s+|\/\/[^\n]*/y],
  ['datetime', /datetime\(\s*[^()"']*\)/y],
  ['timespan', /\d+(?:ms|[smhd])\b/y],
  ['number', /\d+(?:\.\d+)?/y],
  ['name', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['punctuation', /==|!=|=~|<=|>=|[|,()[\]<>=+\-*/.]/y],
];

/** Cuts a query into tokens, the last of kind `end`. @throws KqlError SyntaxError */
export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < query.length) {
    const quote = query[position];
    if (quote === '"' || quote === "'") {
      const { text, end } = readString(query, position, quote);
      tokens.push({ kind: 'string', text, position });
      position = end;
      continue;
    }
    const [kind, text] = matchAt(query, position);
    if (kind === 'datetime') {
      tokens.push({ kind, text: text.slice('datetime('.length, -1).trim(), position });
    } else if (kind !== 'space') {
      tokens.push({ kind, text, position });
    }
    position += text.length;
  }
  tokens.push({ kind: 'end', text: '', position });
  return tokens;
}

function matchAt(query: string, position: number): [TokenKind | 'space', string] {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = position;
    const match = pattern.exec(query);
    if (match !== null) return [kind, match[0]];
  }
  throw new KqlError(
    'SyntaxError',
    `Query could not be parsed at '${query[position]}' (position ${position})`,
  );
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\u0007',
  '0': '\0',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

function readString(query: string, start: number, quote: string): { text: string; end: number } {
  let text = '';
  let position = start + 1;
  while (position < query.length) {
    const character = query[position] ?? '';
    if (character === quote) return { text, end: position + 1 };
    if (character === '\n' || character === '\r') break;
    if (character !== '\\') {
      text += character;
      position += 1;
      continue;
    }
    const escaped = query[position + 1] ?? '';
    if (escaped === 'u' && /^[0-9a-fA-F]{4}$/.test(query.slice(position + 2, position + 6))) {
      text += String.fromCharCode(Number.parseInt(query.slice(position + 2, position + 6), 16));
      position += 6;
    } else if (escaped in ESCAPES) {
      text += ESCAPES[escaped];
      position += 2;
    } else {
      throw new KqlError('SyntaxError', `Unknown escape '\\${escaped}' (position ${position})`);
    }
  }
  throw new KqlError('SyntaxError', `Unterminated string literal (position ${start})`);
}
