import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import type { Breakdown } from '../../../pricing/statements/statement.ts';
import { addressWith } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { modelInWords } from '../../pages/words.ts';
import type { CsvTable } from '../../platform/csv.ts';
import { groupIdOfRow } from '../../statements/groups.ts';
import type { PortalView } from '../frame/define-page.ts';
import type { ReaderLocale } from '../words/reader.ts';
import type { Stated } from './stated.ts';
import { tableWords } from './table-words.ts';

/** What a table divides by. */
type Dimension = 'day' | 'model' | 'feature' | 'user';
const DIMENSIONS: readonly Dimension[] = ['model', 'feature', 'user', 'day'];
/** More users than these are looked for, and not looked through. */
const MANY_USERS = 25;

interface PartRow {
  value: string;
  tokenCount: bigint;
  /** Null: some of it has no price yet. */
  amountMinor: bigint | null;
  /** What no usage explains, or is on no line: it is none of the dimension's values. */
  isRest: boolean;
}

/** The tables of a statement, or of the days that were picked of it. */
export function partsTables(stated: Stated, view: PortalView): Html {
  const tables = DIMENSIONS.map((dimension) =>
    dataTable(tableOf(stated, dimension, view), rowsOf(stated, dimension), view.address),
  );
  return html`<div class="parts">${tables}</div>`;
}

/** The same as CSV, by the names of the tables. */
export function partsCsv(stated: Stated, view: PortalView): Record<string, () => CsvTable> {
  return Object.fromEntries(
    DIMENSIONS.map((dimension) => {
      const table = withCsvColumns(tableOf(stated, dimension, view), stated, dimension);
      return [table.name, () => csvOfTable(table, rowsOf(stated, dimension), view.address.query)];
    }),
  );
}

function rowsOf(stated: Stated, dimension: Dimension): PartRow[] {
  const { statement, picked } = stated;
  const unknown = unpricedValues(stated, dimension);
  const toRow = (row: Breakdown['rows'][number]): PartRow => ({
    ...row,
    amountMinor: unknown.has(row.value) ? null : row.amountMinor,
    isRest: false,
  });
  const whole = {
    day: statement.byDay,
    model: statement.byModel,
    feature: statement.byFeature,
    user: statement.byUser,
  };
  if (picked === null) {
    const { rows, rest } = whole[dimension];
    const restRow: PartRow[] =
      rest === null
        ? []
        : [
            {
              value: '',
              ...rest,
              amountMinor: statement.totals.isUnpriced ? null : rest.amountMinor,
              isRest: true,
            },
          ];
    return [...rows.map(toRow), ...restRow];
  }
  const { span, parts } = picked;
  const days = statement.byDay.rows.filter(({ value }) => value >= span.firstDay && value <= span.lastDay);
  return { day: days, model: parts.byModel, feature: parts.byFeature, user: parts.byUser }[dimension].map(
    toRow,
  );
}

/** Values with usage of lines that have no price yet: what they come to nobody knows. */
function unpricedValues({ statement, users }: Stated, dimension: Dimension): ReadonlySet<string> {
  if (!statement.totals.isUnpriced) return new Set();
  const unpriced = new Set(
    statement.groups
      .filter(({ lines }) => lines.some(({ amountMinor }) => amountMinor === null))
      .map(({ groupId }) => groupId),
  );
  if (dimension === 'user')
    return new Set(users.filter((row) => unpriced.has(groupIdOfRow(row))).map(({ subject }) => subject));
  return new Set(
    statement.usage.filter((row) => unpriced.has(groupIdOfRow(row))).map((row) => row[dimension]),
  );
}

function tableOf(stated: Stated, dimension: Dimension, view: PortalView): TableDefinition<PartRow> {
  const { statement, suffix, names, picked } = stated;
  const users = statement.byUser.rows;
  const { locale } = view;
  const { words } = locale;
  const { currency } = statement.head;
  const total = picked?.parts.tokenCount ?? statement.totals.tokenCount;
  const captions = {
    day: words.parts.byDay,
    model: words.parts.byModel,
    feature: words.parts.byFeature,
    user: words.parts.byUser,
  };
  const name: Column<PartRow> = {
    name: dimension,
    title: words.table[dimension],
    kind: 'text',
    isRowHeader: true,
    cell: (row) => nameOf(row, dimension, stated, view),
    csv: (row) => (row.isRest ? null : row.value),
    sortBy: (row) => (row.isRest ? null : row.value),
  };
  const columns: Column<PartRow>[] = [
    dimension === 'user'
      ? { ...name, sortBy: (row) => (row.isRest ? null : (names.get(row.value) ?? row.value)) }
      : name,
    {
      name: 'tokens',
      title: words.table.tokens,
      kind: 'number',
      cell: ({ tokenCount }) => locale.count(tokenCount),
      csv: ({ tokenCount }) => String(tokenCount),
      sortBy: ({ tokenCount }) => tokenCount,
    },
    {
      name: 'share',
      title: words.table.share,
      kind: 'number',
      cell: ({ tokenCount }) => (total > 0n ? locale.share(shareOf(tokenCount, total)) : '–'),
    },
    {
      name: 'amount',
      title: words.table.amount,
      kind: 'number',
      cell: ({ amountMinor }) => amountCell(amountMinor, currency, locale),
      csv: ({ amountMinor }) => (amountMinor === null ? null : formatMinor(amountMinor, currency)),
      sortBy: ({ amountMinor }) => amountMinor,
    },
  ];
  return {
    name: `${dimension}s${suffix}`,
    caption:
      picked === null ? captions[dimension] : `${captions[dimension]}, ${spanInWords(picked.span, locale)}`,
    columns,
    isCompact: true,
    empty: words.parts.empty,
    words: tableWords(locale),
    ...(dimension === 'day' ? { pageSize: 62 } : {}),
    ...(dimension === 'user'
      ? {
          pageSize: MANY_USERS,
          filters:
            users.length <= MANY_USERS
              ? []
              : [
                  {
                    name: `user${suffix}`,
                    title: words.table.findUser,
                    matches: ({ value }: PartRow, asked: string) =>
                      [value, names.get(value) ?? ''].some((text) =>
                        text.toLowerCase().includes(asked.toLowerCase()),
                      ),
                  },
                ],
        }
      : {}),
  };
}

/** What people see in words stands in columns of its own. */
function withCsvColumns(
  table: TableDefinition<PartRow>,
  { statement, names }: Stated,
  dimension: Dimension,
): TableDefinition<PartRow> {
  const column = (name: string, csv: (row: PartRow) => string | null): Column<PartRow> => ({
    name,
    title: '',
    kind: 'text',
    cell: () => '',
    csv,
  });
  const called = column('name', (row) => (row.isRest ? null : (names.get(row.value) ?? null)));
  const currency = column('currency', () => statement.head.currency);
  return { ...table, columns: [...table.columns, ...(dimension === 'user' ? [called] : []), currency] };
}

function nameOf(
  row: PartRow,
  dimension: Dimension,
  { statement, names, suffix }: Stated,
  view: PortalView,
): Html | string {
  const { words, day, dayListed } = view.locale;
  const { value } = row;
  if (row.isRest) return html`<span class="rest-row">${restName(row, view.locale)}</span>`;
  if (dimension === 'day') {
    const hours = statement.head.invoiceId === null ? view.href('/hours', { day: value }) : null;
    const picks = addressWith(view.address, { from: value, to: value, csv: null });
    return html`<a href="${picks}#drawn${suffix}">${dayListed(value)}</a>${hours === null ? '' : html` <a class="muted" href="${hours}">24 h<span class="unseen">: ${words.days.hours}, ${day(value)}</span></a>`}`;
  }
  if (value === '') return { model: words.noModel, feature: words.noFeature, user: words.noUser }[dimension];
  if (dimension === 'user') return nameCell(names.get(value) ?? value, 60);
  return nameCell(dimension === 'model' ? modelInWords(value) : value, 60);
}

function restName({ tokenCount }: PartRow, { words: { rest } }: ReaderLocale): string {
  if (tokenCount === 0n) return rest.base;
  return tokenCount < 0n ? rest.notBilled : rest.notDivided;
}

/** Null: unknown, which is not zero. */
export function amountCell(
  amountMinor: bigint | null,
  currency: string,
  locale: ReaderLocale,
): Html | string {
  if (amountMinor === null) return html`<span class="unknown">${locale.words.unknown}</span>`;
  const text = locale.minor(amountMinor, currency);
  return amountMinor === 0n ? html`<span class="muted">${text}</span>` : text;
}

/** Of counts of any size; good for showing. */
export function shareOf(part: bigint, whole: bigint): number {
  return Number((part * 1_000_000n) / whole) / 1_000_000;
}

export function spanInWords(
  { firstDay, lastDay }: { firstDay: string; lastDay: string },
  { words, day }: ReaderLocale,
): string {
  return firstDay === lastDay ? day(firstDay) : words.days.span(day(firstDay), day(lastDay));
}
