import { type RawBuilder, sql } from 'kysely';
import { MODEL_PREFIXES, NAME_SPACE } from '../../pricing/usage/names.ts';
import { DIMENSION_NAMES, DIMENSIONS, type DimensionName } from '../../pricing/usage/shape.ts';
import { once } from './columns.ts';

/**
 * `pricing/usage/names.ts` in SQL: for source items, which keep their names as told, and for usage that was counted under
 * them before names had a key. Whoever compares or sums such rows by name does it by the key on both sides.
 */

/**
 * `nameKey` of a column or another expression, for what was written as it was told. A text of as many bytes as characters
 * is ASCII, and needs no Unicode. Collation "C" lowers ASCII letters alone, on every server; the result is compared and
 * sorted as any other text is.
 */
export function nameKeySql(text: string): string {
  return `(case when ${isAscii(text)} then ${asciiKey(text)} else ${unicodeKey(text)} end)`;
}

/** `modelKey` of the same. */
export function modelKeySql(text: string): string {
  const prefix = `E'^((${MODEL_PREFIXES.join('|')})/[${SPACE}]*)+'`;
  return `(case when ${isAscii(text)} and strpos(${text}, '/') = 0 then ${asciiKey(text)}
    else regexp_replace(${nameKeySql(text)}, ${prefix}, '') end)`;
}

const SPACE = [...NAME_SPACE]
  .map((symbol) => `\\u${symbol.charCodeAt(0).toString(16).padStart(4, '0')}`)
  .join('');
const isAscii = (text: string) => `octet_length(${text}) = char_length(${text})`;
const asciiKey = (text: string) => `(lower(btrim(${text}, E'${SPACE}') collate "C") collate "default")`;
const unicodeKey = (text: string) => `normalize(${asciiKey(`normalize(${text}, NFKD)`)}, NFC)`;

const COUNTED: Record<'model' | 'deployment', (text: string) => string> = {
  model: modelKeySql,
  deployment: nameKeySql,
};

/** The value that a dimension is counted by, of a row that may hold it as told. */
export function countedColumn(name: DimensionName, alias = ''): RawBuilder<string> {
  return sql.raw(countedText(name, alias === '' ? '' : `${alias}.`));
}

function countedText(name: DimensionName, prefix: string): string {
  const dimension = DIMENSIONS[name];
  const column = `${prefix}${dimension.column}`;
  return 'names' in dimension ? COUNTED[dimension.names](column) : column;
}

/** `keyColumns` of rows that may hold names as told: to be selected, */
export const countedKeyColumns = once((prefix) =>
  DIMENSION_NAMES.map((name) => `${countedText(name, prefix)} as ${DIMENSIONS[name].column}`).join(', '),
);

/** and to be grouped and ordered by. */
export const countedKeyValues = once((prefix) =>
  DIMENSION_NAMES.map((name) => countedText(name, prefix)).join(', '),
);
