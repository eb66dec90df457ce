import { type RawBuilder, sql } from 'kysely';
import { MODEL_PREFIXES, NAME_SPACE } from '../../pricing/usage/names.ts';
import {
  COUNTED_FIGURES,
  DIMENSION_NAMES,
  DIMENSIONS,
  FIGURE_NAMES,
  FIGURES,
  type FigureName,
  TYPED_FIGURES,
  type TypedFigure,
  typedPartsOf,
  type UsageFigures,
  type UsageKey,
} from '../../pricing/usage/shape.ts';
import { bigintField, type RowFields, textField } from '../platform/database/unnest-rows.ts';

/**
 * How statements name the key of usage and its figures. Aliases are words of ours, never input. Each text is made once for
 * each alias that is asked for.
 */
type Fragment = RawBuilder<unknown>;

function once(make: (alias: string) => string): (alias?: string) => Fragment {
  const made = new Map<string, Fragment>();
  return (alias = '') => {
    let fragment = made.get(alias);
    if (fragment === undefined) {
      fragment = sql.raw(make(alias === '' ? '' : `${alias}.`));
      made.set(alias, fragment);
    }
    return fragment;
  };
}

const KEY_COLUMNS = DIMENSION_NAMES.map((name) => DIMENSIONS[name].column);
const columnOf = (name: FigureName) => FIGURES[name].column;
const renamed = (column: string, name: string) =>
  column.endsWith(`.${name}`) || column === name ? column : `${column} as "${name}"`;

/** `usage.subject, usage.feature, ...`: to select under the columns' names, group and order by. */
export const keyColumns = once((prefix) => KEY_COLUMNS.map((column) => `${prefix}${column}`).join(', '));

/** The key as a UsageKey. */
export const selectKey = once((prefix) =>
  DIMENSION_NAMES.map((name) => renamed(`${prefix}${DIMENSIONS[name].column}`, name)).join(', '),
);

/** `one.subject = other.subject and ...`: rows of one key. */
export function sameKey(one: string, other: string): Fragment {
  return sql.raw(KEY_COLUMNS.map((column) => `${one}.${column} = ${other}.${column}`).join(' and '));
}

/** The key's columns, of rows that hold it. */
export function keyFields<Row>(pick: (row: Row) => UsageKey): RowFields<Row> {
  return Object.fromEntries(
    DIMENSION_NAMES.map((name) => [DIMENSIONS[name].column, textField<Row>((row) => pick(row)[name])]),
  );
}

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

/** All figures as UsageFigures. */
export const selectFigures = once((prefix) =>
  FIGURE_NAMES.map((name) => renamed(`${prefix}${columnOf(name)}`, FIGURES[name].property)).join(', '),
);

/** Sums of all figures of grouped events, under the figures' names. */
export const sumFigures = once((prefix) =>
  FIGURE_NAMES.map((name) => `sum(${prefix}${columnOf(name)})::bigint as "${name}"`).join(', '),
);

/** Columns of these figures, of rows that hold them side by side. */
export function figureFields<Name extends FigureName>(
  names: readonly Name[],
): RowFields<Pick<UsageFigures, (typeof FIGURES)[Name]['property']>> {
  return Object.fromEntries(
    names.map((name) => {
      const property = FIGURES[name].property as (typeof FIGURES)[Name]['property'];
      return [columnOf(name), bigintField<Pick<UsageFigures, typeof property>>((row) => row[property])];
    }),
  );
}

const isOneOf = (names: readonly TypedFigure[]) =>
  sql.raw(`token_kind in (${names.map((name) => `'${FIGURES[name].tokenKind}'`).join(', ')})`);
const added = (names: readonly TypedFigure[]) =>
  once((prefix) => `(${names.map((name) => `${prefix}${columnOf(name)}`).join(' + ')})`);
const PARTS = TYPED_FIGURES.filter((name) => !COUNTED_FIGURES.includes(name));

/** Of source items: those that count a billed token, each once. */
export const IS_COUNTED_ITEM = isOneOf(COUNTED_FIGURES);
/** Of source items: those that say what the counted ones are made of. */
export const IS_PART_ITEM = isOneOf(PARTS);

/** All billed tokens of an event, or of sums of dropped items; and those of its parts that have a token type. */
export const countedTokens = added(COUNTED_FIGURES);
export const partTokens = added(PARTS);

/** Columns of the figures that feed token types: what `tokenParts` divides. */
export const typedColumns = once((prefix) =>
  TYPED_FIGURES.map((name) => `${prefix}${columnOf(name)}`).join(', '),
);

/** The same of grouped usage events, as sums. */
export const sumTypedFigures = once((prefix) =>
  TYPED_FIGURES.map((name) => `sum(${prefix}${columnOf(name)}) as ${columnOf(name)}`).join(', '),
);

/** The same of grouped source items, as sums by their kind. */
export const sumItemTokens = once((prefix) =>
  TYPED_FIGURES.map(
    (name) =>
      `coalesce(sum(${prefix}token_count) filter (where ${prefix}token_kind = '${FIGURES[name].tokenKind}'), 0) as ${columnOf(name)}`,
  ).join(', '),
);

/** How many of grouped source items feed each token type; `tokenParts` of `rows: true` reads them. */
export const countItemRows = once((prefix) =>
  TYPED_FIGURES.map(
    (name) =>
      `count(*) filter (where ${prefix}token_kind = '${FIGURES[name].tokenKind}') as ${columnOf(name)}_rows`,
  ).join(', '),
);

/** What each figure leaves for its own token type, once its parts are kept within it as `toDisjointBuckets` keeps them. */
function restOf(name: TypedFigure, tokens: string, prefix: string): { name: TypedFigure; tokens: string }[] {
  const rows: { name: TypedFigure; tokens: string }[] = [];
  let rest = tokens;
  for (const part of typedPartsOf(name)) {
    const kept = `least(${prefix}${columnOf(part)}, ${rest})`;
    rows.push(...restOf(part, kept, prefix));
    rest = `(${rest} - ${kept})`;
  }
  return [{ name, tokens: rest }, ...rows];
}

const partsUnder = (prefix: string, withRows: boolean) => {
  const rows = COUNTED_FIGURES.flatMap((name) => restOf(name, `${prefix}${columnOf(name)}`, prefix));
  const values = rows.map(
    ({ name, tokens }) =>
      `('${FIGURES[name].tokenType}', ${tokens}${withRows ? `, ${prefix}${columnOf(name)}_rows` : ''})`,
  );
  return `lateral (values ${values.join(', ')}) as part(token_type, tokens${withRows ? ', row_count' : ''})`;
};

/** Joins `part(token_type, tokens)` to a row of `typedColumns`: its disjoint token types. None of the columns is negative. */
export const tokenParts = once((prefix) => partsUnder(prefix, false));

/** The same of a row that has `countItemRows` too: `part(token_type, tokens, row_count)`. */
export const tokenPartsWithRows = once((prefix) => partsUnder(prefix, true));

/** Of an event, the tokens of the type in `column`. No part is kept within its whole: sums of events are exact. */
export function tokensOfType(event: string, column: string): Fragment {
  const cases = TYPED_FIGURES.map((name) => {
    const parts = typedPartsOf(name).map((part) => ` - ${event}.${columnOf(part)}`);
    return `when '${FIGURES[name].tokenType}' then ${event}.${columnOf(name)}${parts.join('')}`;
  });
  return sql.raw(`case ${column} ${cases.join(' ')} end`);
}
