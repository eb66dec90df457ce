import { html } from 'hono/html';
import { type DisplayNames, readDisplayNames } from '../../catalog/display-names.ts';
import { stackedBars } from '../../pages/charts/stacked-bars.ts';
import type { Html } from '../../pages/html.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { modelInWords } from '../../pages/words.ts';
import { addMs } from '../../platform/clock.ts';
import { decideStatementsSoFar, type Statement } from '../../statements/decide.ts';
import { readStatementSoFar } from '../../statements/gather.ts';
import { usageOfLines } from '../../statements/groups.ts';
import { periodsOfGroups } from '../../statements/spans.ts';
import type { StatementUsage } from '../../statements/usage.ts';
import { readUserUsage } from '../../statements/user-usage.ts';
import { definePage, type PortalView } from '../frame/define-page.ts';
import { sharedAllowances } from '../statement/allowances.ts';
import { daysChart } from '../statement/days.ts';
import { shareOf } from '../statement/parts.ts';
import { tableWords } from '../statement/table-words.ts';
import { askPeriod, dataAsOf } from '../usage/gather.ts';
import { periodInWords } from '../usage/invoices.ts';

interface Material {
  names: DisplayNames;
  userId: string;
  dataAsOf: Date | null;
  /** One for each subscription; of the statement only its period, its days and what is left of what is included are shown. */
  parts: readonly { statement: Statement; usage: readonly StatementUsage[] }[];
}

/** What one user has used in the running period, and what is left; nothing of others, and no money, which the customer pays. */
export const userPage = definePage({
  path: '',
  of: 'user',
  parameters: ['csv', 'models-sort', 'features-sort', 'days-sort'],
  prepare: (view) => askPeriod(view, { users: true, history: false }),
  gather: async (snapshot, { reader, now }, asked): Promise<Material> => {
    const { customerId, userId } = reader;
    const subject = userId ?? '';
    const soFar = await readStatementSoFar(snapshot, customerId, { asked, now, history: false });
    const statements = decideStatementsSoFar(soFar);
    const parts: { statement: Statement; usage: readonly StatementUsage[] }[] = [];
    for (const statement of statements) {
      const read = { subject, periods: periodsOfGroups(statement) };
      const usage = await readUserUsage(snapshot, customerId, read);
      parts.push({ statement, usage: usageOfLines({ usage, users: [] }, statement.lines).usage });
    }
    return {
      parts,
      userId: subject,
      names: await readDisplayNames(snapshot, customerId, [subject]),
      dataAsOf: await dataAsOf(snapshot, soFar),
    };
  },
  show: (material: Material, view) => {
    const { words } = view.locale;
    const [first] = material.parts;
    const tables = material.parts.flatMap(({ usage }, index) => tablesOf(usage, index, view));
    return {
      title:
        first === undefined
          ? words.frame.userUsage
          : words.user.title(periodInWords(first.statement.period, view.locale)),
      dataAsOf: material.dataAsOf,
      body:
        first === undefined
          ? html`<p class="lead">${words.user.none}</p>`
          : html`${material.parts.map((part, index) => article(part, index, material, view))}<p class="muted">${words.user.noInvoice}</p>`,
      csv: Object.fromEntries(
        tables.map(({ table, rows }) => [table.name, () => csvOfTable(table, rows, view.address.query)]),
      ),
    };
  },
});

function article(
  { statement, usage }: Material['parts'][number],
  index: number,
  { names, userId }: Material,
  view: PortalView,
): Html {
  const { locale } = view;
  const { words, day, count } = locale;
  const { start, end } = statement.period;
  const tokenCount = usage.reduce((sum, row) => sum + row.tokenCount, 0n);
  const models = new Set(usage.map(({ model }) => model));
  const byDay = Map.groupBy(usage, (row) => row.day);
  const days = statement.days.map(({ day: its }) => ({
    day: its,
    models: (byDay.get(its) ?? []).map((row) => ({
      value: row.model,
      tokenCount: row.tokenCount,
      amountMinor: 0n,
    })),
  }));
  const chart = daysChart(days, {
    id: `drawn${index === 0 ? '' : `-${index + 1}`}`,
    title: words.days.tokensTitle,
    locale,
    cost: null,
  });
  return html`<article>
    <p class="lead">${nameCell(names.get(userId) ?? userId)}${index === 0 ? '' : html`, ${words.days.span(day(start), day(addMs(end, -1)))}`}</p>
    <dl class="figures">
      <div class="chief"><dt>${words.user.tokens}</dt><dd>${count(tokenCount)}</dd></div>
      <div><dt>${words.user.models}</dt><dd>${count(models.size)}</dd></div>
    </dl>
    <h2>${words.user.left}</h2>
    ${sharedAllowances(statement, locale)}
    ${chart === null ? html`<p class="notice">${words.user.nothing}</p>` : stackedBars(chart)}
    ${tablesOf(usage, index, view).map(({ table, rows }) => dataTable(table, rows, view.address))}
  </article>`;
}

interface UserRow {
  value: string;
  tokenCount: bigint;
}

function tablesOf(
  usage: readonly StatementUsage[],
  index: number,
  view: PortalView,
): { table: TableDefinition<UserRow>; rows: UserRow[] }[] {
  const suffix = index === 0 ? '' : `-${index + 1}`;
  return (['model', 'feature', 'day'] as const).map((dimension) => {
    const sums = new Map<string, bigint>();
    for (const row of usage) sums.set(row[dimension], (sums.get(row[dimension]) ?? 0n) + row.tokenCount);
    const rows = [...sums].map(([value, tokenCount]) => ({ value, tokenCount }));
    const total = rows.reduce((sum, { tokenCount }) => sum + tokenCount, 0n);
    return { table: tableOf(dimension, { total, suffix }, view), rows };
  });
}

function tableOf(
  dimension: 'model' | 'feature' | 'day',
  { total, suffix }: { total: bigint; suffix: string },
  { locale, href }: PortalView,
): TableDefinition<UserRow> {
  const { words, dayListed, count, share } = locale;
  const captions = { model: words.parts.byModel, feature: words.parts.byFeature, day: words.parts.byDay };
  const nameOf = (value: string): Html | string => {
    if (dimension === 'day') return html`<a href="${href('/hours', { day: value })}">${dayListed(value)}</a>`;
    if (value === '') return dimension === 'model' ? words.noModel : words.noFeature;
    return nameCell(dimension === 'model' ? modelInWords(value) : value, 60);
  };
  const columns: Column<UserRow>[] = [
    {
      name: dimension,
      title: words.table[dimension],
      kind: 'text',
      isRowHeader: true,
      cell: ({ value }) => nameOf(value),
      csv: ({ value }) => value,
      sortBy: ({ value }) => value,
    },
    {
      name: 'tokens',
      title: words.table.tokens,
      kind: 'number',
      cell: ({ tokenCount }) => count(tokenCount),
      csv: ({ tokenCount }) => String(tokenCount),
      sortBy: ({ tokenCount }) => tokenCount,
    },
    {
      name: 'share',
      title: words.table.share,
      kind: 'number',
      cell: ({ tokenCount }) => (total > 0n ? share(shareOf(tokenCount, total)) : '–'),
    },
  ];
  return {
    name: `${dimension}s${suffix}`,
    caption: captions[dimension],
    columns,
    sort: dimension === 'day' ? 'day' : '-tokens',
    empty: words.parts.empty,
    words: tableWords(locale),
    isCompact: true,
    pageSize: dimension === 'day' ? 62 : 25,
  };
}
