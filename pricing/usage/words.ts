import { TOKEN_TYPES, type TokenType } from './shape.ts';

/** What the token types are called; `prompt` excludes what was read from the cache. */
export const TOKEN_WORDS: Record<TokenType, { product: string; customer: string }> = {
  prompt: { product: 'prompt tokens', customer: 'input tokens' },
  prompt_cached: { product: 'cached prompt tokens', customer: 'cached input tokens' },
  completion: { product: 'completion tokens', customer: 'output tokens' },
};

/** By what names of products say; a name that holds another's is looked for first. */
const SPOKEN = TOKEN_TYPES.map((tokenType) => {
  const { product, customer } = TOKEN_WORDS[tokenType];
  const names = [tokenType.replaceAll('_', '[ _-]'), product.replace(/ tokens$/, '')];
  return { pattern: new RegExp(`\\b(?:${names.join('|')}) tokens?\\b`, 'i'), product, customer };
}).sort((one, other) => other.product.length - one.product.length);

/** `GPT-4o prompt tokens` is `GPT-4o input tokens` to people; other names stay as they are. */
export function speakProduct(productName: string): string {
  for (const { pattern, customer } of SPOKEN) {
    if (pattern.test(productName)) return productName.replace(pattern, customer);
  }
  return productName;
}
