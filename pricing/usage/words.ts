import { TOKEN_TYPES, type TokenType } from './shape.ts';

/** What the token types are called; `prompt` excludes what the others of its kind count. */
export const TOKEN_WORDS: Record<TokenType, { product: string; customer: string }> = {
  prompt: { product: 'prompt tokens', customer: 'input tokens' },
  prompt_cached: { product: 'cached prompt tokens', customer: 'cached input tokens' },
  prompt_audio: { product: 'audio prompt tokens', customer: 'audio input tokens' },
  prompt_image: { product: 'image prompt tokens', customer: 'image input tokens' },
  prompt_cached_audio: { product: 'cached audio prompt tokens', customer: 'cached audio input tokens' },
  prompt_cache_write_5m: { product: '5-minute cache write tokens', customer: '5-minute cache write tokens' },
  prompt_cache_write_1h: { product: '1-hour cache write tokens', customer: '1-hour cache write tokens' },
  completion: { product: 'completion tokens', customer: 'output tokens' },
  completion_audio: { product: 'audio completion tokens', customer: 'audio output tokens' },
  completion_image: { product: 'image completion tokens', customer: 'image output tokens' },
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
