import { type Token, tokenize } from './tokenize.ts';
import { KqlError } from './value.ts';

/** Walks over the tokens of one query. */
export class TokenReader {
  readonly #tokens: Token[];
  #index = 0;

  /** @throws KqlError SyntaxError when the text cannot be cut into tokens */
  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  peek(ahead = 0): Token {
    const token = this.#tokens[Math.min(this.#index + ahead, this.#tokens.length - 1)];
    if (token === undefined) throw new KqlError('SyntaxError', 'The query is empty');
    return token;
  }

  next(): Token {
    const token = this.peek();
    this.#index += 1;
    return token;
  }

  peekIs(text: string): boolean {
    const token = this.peek();
    return (token.kind === 'punctuation' || token.kind === 'name') && token.text === text;
  }

  /** Moves past `text` if it comes next. */
  accept(text: string): boolean {
    const found = this.peekIs(text);
    if (found) this.#index += 1;
    return found;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.#unexpected(`'${text}'`);
  }

  expectName(): string {
    if (this.peek().kind !== 'name') throw this.#unexpected('a name');
    return this.next().text;
  }

  expectWholeNumber(): number {
    const token = this.peek();
    if (token.kind !== 'number' || token.text.includes('.')) throw this.#unexpected('a whole number');
    return Number(this.next().text);
  }

  expectEnd(): void {
    if (this.peek().kind !== 'end') throw this.#unexpected('the end of the query');
  }

  /** The name before a single `=`, moving past both; null when no assignment comes next. */
  acceptAssignment(): string | null {
    const sign = this.peek(1);
    if (this.peek().kind !== 'name' || sign.kind !== 'punctuation' || sign.text !== '=') return null;
    const name = this.next().text;
    this.#index += 1;
    return name;
  }

  #unexpected(wanted: string): KqlError {
    const token = this.peek();
    const found = token.kind === 'end' ? 'the end of the query' : `'${token.text}'`;
    return new KqlError('SyntaxError', `Expected ${wanted}, found ${found} (position ${token.position})`);
  }
}
