/**
 * Whether two texts name one thing is decided here, for models, deployments and features, wherever they meet: usage, price
 * book, bindings, plans, quotes, provisioned capacity. What is shown keeps the text as it was told; what is compared,
 * counted by or looked up goes by the key. `src/usage/name-keys.ts` says the same in SQL, for rows that were
 * written under the text as told; a property test holds the two equal.
 */

import { byDimension, DIMENSIONS, type DimensionName, type UsageKey } from './dimensions.ts';

/** White space that compatibility decomposition leaves: JavaScript's own, so that `trim` and SQL's `btrim` agree. */
export const NAME_SPACE = ' \t\n\v\f\r\u1680\u2028\u2029\ufeff';

/** Providers that price books and gateways write in front of a model's name. */
export const MODEL_PREFIXES = ['azure', 'openai'] as const;

const ASCII = /^[\0-\x7f]*$/;
const MODEL_PREFIX = new RegExp(`^(?:(?:${MODEL_PREFIXES.join('|')})/[${NAME_SPACE}]*)+`);

/**
 * The key of a name: its compatibility decomposition (full-width letters and no-break spaces are the plain ones), without
 * surrounding white space, ASCII letters in lower case, composed again. A key's key is itself.
 *
 * Case: Azure does not tell names of deployments apart by it, and names of models come from the client's request as it
 * spelled them. Only ASCII letters are lowered, with their accents or without: lower case of other scripts hangs on
 * version and locale of whoever computes it (`İ`, final sigma), and a key must be the same in every process and on every
 * database server. Decomposed first and composed last, for a lowered letter may compose where its capital does not
 * (`H̱`): composed first, the key of a key would be another.
 */
export function nameKey(text: string): string {
  if (ASCII.test(text)) return text.trim().toLowerCase();
  return text
    .normalize('NFKD')
    .trim()
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    .normalize('NFC');
}

/** The key of a model's name: without the provider in front (`azure/gpt-4o`) beside. */
export function modelKey(text: string): string {
  const key = nameKey(text);
  return key.includes('/') ? key.replace(MODEL_PREFIX, '') : key;
}

/** The text that a dimension is counted by, of the one that the source told. */
export function countedText(name: DimensionName, told: string): string {
  const dimension = DIMENSIONS[name];
  if (!('names' in dimension)) return told;
  return dimension.names === 'model' ? modelKey(told) : nameKey(told);
}

/** The key that usage is counted by, of one as the source told it: a model in five spellings is one model. */
export function countedKey(told: UsageKey): UsageKey {
  return byDimension((name) => countedText(name, told[name]));
}
