import { type RawBuilder, sql } from 'kysely';
import {
  COUNTED_FIGURES,
  DIMENSION_NAMES,
  DIMENSIONS,
  FIGURE_NAMES,
  FIGURES,
  type FigureName,
  isPartOf,
  SOURCE_FIGURES,
  TOKEN_TYPES,
  TYPED_FIGURES,
  type TypedFigure,
  type UsageFigures,
  type UsageKey,
} from '../../pricing/usage/shape.ts';
import { BUCKET_TERMS, type FormerCounts } from '../../pricing/usage/tokens.ts';
import { bigintField, type RowFields, textField } from '../platform/database/unnest-rows.ts';

/**
 * How statements name the key of usage and its figures. Aliases are words of ours, never input. Each text is made once for
 * each alias that is asked for.
 */
type Fragment = RawBuilder<unknown>;

/** One fragment for each alias. */
export function once(make: (alias: string) => string): (alias?: string) => Fragment {
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

/** All figures as UsageFigures. */
export const selectFigures = once((prefix) =>
  FIGURE_NAMES.map((name) => renamed(`${prefix}${columnOf(name)}`, FIGURES[name].property)).join(', '),
);

/** Sums of all figures of grouped events, under the figures' names. */
export const sumFigures = once((prefix) =>
  FIGURE_NAMES.map((name) => `sum(${prefix}${columnOf(name)})::bigint as "${name}"`).join(', '),
);

/** Of the same events, `FormerCounts` under names of their own: `readFormerCounts` takes them from the row. */
export const sumFormerCounts = once((prefix) =>
  (['prompt', 'cachedPrompt'] as const)
    .map(
      (name) =>
        `coalesce(sum(${prefix}${columnOf(name)}) filter (where ${prefix}counted_formerly), 0)::bigint as "former_${name}"`,
    )
    .join(', '),
);
export type FormerCountsRow = { [Name in keyof FormerCounts as `former_${Name}`]: bigint };

export function readFormerCounts(row: FormerCountsRow): FormerCounts {
  return { prompt: row.former_prompt, cachedPrompt: row.former_cachedPrompt };
}

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

const kindsOf = (names: readonly FigureName[]) =>
  names.map((name) => `'${FIGURES[name].tokenKind}'`).join(', ');
const added = (names: readonly TypedFigure[]) =>
  once((prefix) => `(${names.map((name) => `${prefix}${columnOf(name)}`).join(' + ')})`);
const PARTS = TYPED_FIGURES.filter((name) => !COUNTED_FIGURES.includes(name));

/** Of source items: those that count a billed token, each once. A part told apart is in no other item. */
export const IS_COUNTED_ITEM = sql.raw(`(token_kind in (${kindsOf(COUNTED_FIGURES)}) or counts_apart)`);
/** Of source items: those that say what the counted tokens are made of. */
export const IS_PART_ITEM = sql.raw(`token_kind in (${kindsOf(PARTS)})`);

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

/** Items that add to a figure: those of its kind, and to one that counts everything also the parts told apart from it. */
function isItemOf(name: TypedFigure, prefix: string): string {
  const own = `${prefix}token_kind = '${FIGURES[name].tokenKind}'`;
  const parts = COUNTED_FIGURES.includes(name)
    ? SOURCE_FIGURES.filter((part) => part !== name && isPartOf(part, name))
    : [];
  return parts.length === 0
    ? own
    : `${own} or ${prefix}counts_apart and ${prefix}token_kind in (${kindsOf(parts)})`;
}

/** The same of grouped source items, as sums by what they add to. */
export const sumItemTokens = once((prefix) =>
  TYPED_FIGURES.map(
    (name) =>
      `coalesce(sum(${prefix}token_count) filter (where ${isItemOf(name, prefix)}), 0) as ${columnOf(name)}`,
  ).join(', '),
);

/** How many of grouped source items feed each token type; `tokenParts` of `rows: true` reads them. */
export const countItemRows = once((prefix) =>
  TYPED_FIGURES.map(
    (name) =>
      `count(*) filter (where ${prefix}token_kind = '${FIGURES[name].tokenKind}') as ${columnOf(name)}_rows`,
  ).join(', '),
);

/** What a figure leaves for its own token type, as `bucketsOf` divides. */
function bucketText(name: TypedFigure, tokensOf: (name: TypedFigure) => string): string {
  const terms = BUCKET_TERMS.get(name) ?? [];
  const texts = terms.map(({ figure, times }) => {
    const tokens = Math.abs(times) === 1 ? tokensOf(figure) : `${Math.abs(times)} * ${tokensOf(figure)}`;
    return `${times < 0 ? '-' : '+'} ${tokens}`;
  });
  return texts.join(' ').replace(/^\+ /, '');
}

/** A figure as it is divided: of rows that were counted formerly without cached tokens beyond the prompt, as `countFormerly`. */
const divided = (name: TypedFigure, prefix: string) => {
  const own = `${prefix}${columnOf(name)}`;
  return name === 'cachedPrompt'
    ? `case when ${prefix}counted_formerly then least(${own}, ${prefix}${columnOf('prompt')}) else ${own} end`
    : own;
};

const partsUnder = (prefix: string, withRows: boolean) => {
  const buckets = TYPED_FIGURES.map(
    (name) => `${bucketText(name, (part) => divided(part, prefix))} as ${FIGURES[name].tokenType}`,
  );
  const isOdd = `${prefix}may_disagree and least(${TOKEN_TYPES.map((tokenType) => `bucket.${tokenType}`).join(', ')}) < 0`;
  const values = TYPED_FIGURES.map((name) => {
    const { tokenType } = FIGURES[name];
    const tokens = `case when ${isOdd} then ${prefix}${columnOf(name)} else bucket.${tokenType} end`;
    return `('${tokenType}', ${tokens}${withRows ? `, ${prefix}${columnOf(name)}_rows` : ''})`;
  });
  return `lateral (select ${buckets.join(', ')}) as bucket,
    lateral (values ${values.join(', ')}) as part(token_type, tokens${withRows ? ', row_count' : ''})`;
};

/**
 * Joins `part(token_type, tokens)` to a row of `typedColumns`: its disjoint token types, nothing cut. The row says with
 * `counted_formerly` whether its events were, and with `may_disagree` whether its figures may contradict each other, as what
 * waits in quarantine may: if they do, each is shown under its own type as it was told, and they are no buckets.
 */
export const tokenParts = once((prefix) => partsUnder(prefix, false));

/** The same of a row that has `countItemRows` too: `part(token_type, tokens, row_count)`. */
export const tokenPartsWithRows = once((prefix) => partsUnder(prefix, true));

/** Of an event, the tokens of the type in `column`. Of one event alone a part may exceed its whole: sums are exact. */
export function tokensOfType(event: string, column: string): Fragment {
  const cases = TYPED_FIGURES.map(
    (name) =>
      `when '${FIGURES[name].tokenType}' then ${bucketText(name, (part) => `${event}.${columnOf(part)}`)}`,
  );
  return sql.raw(`case ${column} ${cases.join(' ')} end`);
}
