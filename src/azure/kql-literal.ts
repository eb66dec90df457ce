import { ValidationError } from '../platform/errors.ts';

/** Application Insights keeps names and values of dimensions up to this length (metrics-custom-overview). */
const MAXIMUM_LENGTH = 256;

/**
 * A text as a KQL string literal. Backslash, quotes and everything that could end a line or not be seen are
 * escaped, so that no name can leave its quotes.
 * @throws ValidationError naming `field` when the text is empty, too long, or not well-formed Unicode
 */
export function quoteKql(field: string, text: string): string {
  if (text === '' || text.length > MAXIMUM_LENGTH) {
    throw new ValidationError(field, `must have 1 to ${MAXIMUM_LENGTH} characters`);
  }
  if (!text.isWellFormed()) throw new ValidationError(field, 'must be well-formed Unicode');
  const escaped = text.replaceAll(/["'\\]|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '"' || character === "'" || character === '\\' ? `\\${character}` : escapeUnits(character),
  );
  return `"${escaped}"`;
}

function escapeUnits(character: string): string {
  let escaped = '';
  for (let index = 0; index < character.length; index += 1) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }
  return escaped;
}
