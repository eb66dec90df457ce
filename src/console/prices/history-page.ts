import { html } from 'hono/html';
import { resolveModel } from '../../../pricing/prices/lookup.ts';
import { nearModels } from '../../../pricing/prices/near-models.ts';
import type { PriceBook, PriceEntry } from '../../../pricing/prices/price-book.ts';
import { PRICE_KINDS, type PriceKind } from '../../../pricing/prices/rows.ts';
import { textOf } from '../../pages/address.ts';
import { stepChart } from '../../pages/charts/steps.ts';
import { optionField } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { decimalOrder } from '../../pages/table/decimal-order.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { moneyInWords, tokenTypeInWords } from '../../pages/words.ts';
import { DAY_MS } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { readPriceBook } from '../../prices/book.ts';
import { renderChange } from '../../prices/sync/change-text.ts';
import { type ConsoleView, definePage, type PageContent } from '../frame/define-page.ts';
import { offered } from '../frame/form-lines.ts';
import { HISTORY_PATH, PRICES_PATH } from './address.ts';
import {
  amountCell,
  amountOf,
  changeInFile,
  changeInWords,
  dayCell,
  tiersInWords,
  typeInWords,
  unitInWords,
} from './words.ts';

/** One price of the history, and the one before it. */
interface HistoryRow {
  entry: PriceEntry;
  before: PriceEntry | null;
  until: string | null;
}

interface Material {
  book: PriceBook;
  /** As it was asked for. */
  asked: string;
  /** Null: the book does not know it. */
  model: string | null;
  tokenType: PriceKind;
  timelines: { name: string; entries: readonly PriceEntry[] }[];
}

/** What is drawn on both sides of what changed. */
const MARGIN_MS = 60 * DAY_MS;

async function gather(snapshot: LedgerSnapshot, { address: { query } }: ConsoleView): Promise<Material> {
  const book = await readPriceBook(snapshot);
  const asked =
    textOf(query, 'model') ?? (book.models.includes('gpt-4o') ? 'gpt-4o' : (book.models[0] ?? ''));
  const model = resolveModel(book, { model: asked })?.model ?? null;
  const kinds = PRICE_KINDS.filter((kind) => timelinesOf(book, model, kind).length > 0);
  const tokenType = PRICE_KINDS.find((kind) => kind === query.get('tokenType')) ?? kinds[0] ?? 'prompt';
  return { book, asked, model, tokenType, timelines: timelinesOf(book, model, tokenType) };
}

/** Of each deployment type, region and tier that the model has a price of its own for; global first. */
function timelinesOf(book: PriceBook, model: string | null, tokenType: PriceKind): Material['timelines'] {
  return [...book.timelines.values()].flatMap((entries) => {
    const [first] = entries;
    if (first === undefined || first.row.model !== model || first.row.tokenType !== tokenType) return [];
    return [{ name: placeInWords(first.row), entries }];
  });
}

function placeInWords(row: PriceEntry['row']): string {
  const place = `${typeInWords(row.deploymentType)}${row.region === '*' ? '' : ` ${row.region}`}`;
  return [place, ...tiersInWords(row)].join(', ');
}

const HISTORY: TableDefinition<HistoryRow> = {
  name: 'history',
  caption: 'The same as a table',
  empty: 'The book has no such price.',
  pageSize: 100,
  columns: [
    {
      name: 'type',
      title: 'Deployment',
      kind: 'text',
      isRowHeader: true,
      cell: ({ entry: { row } }) =>
        html`<span>${typeInWords(row.deploymentType)}${row.region === '*' ? '' : html` ${nameCell(row.region)}`}${tiersInWords(row).map((tier) => `, ${tier}`)}</span>`,
      csv: ({ entry: { row } }) => [`${row.deploymentType} ${row.region}`, ...tiersInWords(row)].join(', '),
      sortBy: ({ entry: { row } }) => `${row.deploymentType} ${row.region} ${tiersInWords(row).join()}`,
    },
    {
      name: 'from',
      title: 'From',
      kind: 'text',
      cell: ({ entry: { row } }) => dayCell(row.effectiveFrom, 'ever'),
      csv: ({ entry: { row } }) => row.effectiveFrom,
      sortBy: ({ entry: { startMs } }) => startMs,
    },
    {
      name: 'until',
      title: 'Until',
      kind: 'text',
      cell: ({ until }) => dayCell(until),
      csv: ({ until }) => until,
      sortBy: ({ until }) => until,
    },
    {
      name: 'amount',
      title: 'A million',
      kind: 'number',
      cell: ({ entry: { row } }) => amountCell(row),
      csv: ({ entry: { row } }) => amountOf(row),
      sortBy: ({ entry: { row } }) => decimalOrder(amountOf(row)),
    },
    {
      name: 'changePercent',
      title: 'Change',
      kind: 'number',
      cell: (row) => changeInWords(changeOf(row)) || html`<span class="muted">–</span>`,
      csv: (row) => changeInFile(changeOf(row)),
    },
    {
      name: 'source',
      title: 'Source',
      kind: 'text',
      cell: ({ entry: { row } }) =>
        html`<span>${nameCell(row.source)}${row.listedAt === '' ? '' : html` <span class="muted">list of ${row.listedAt}</span>`}${row.note === '' ? '' : html`<br><span class="muted">${nameCell(row.note, 200)}</span>`}</span>`,
      csv: ({ entry: { row } }) => row.source,
      sortBy: ({ entry: { row } }) => row.source,
    },
  ],
};

function changeOf({ entry, before }: HistoryRow): string {
  return before === null || before.picoPerUnit === null || entry.picoPerUnit === null
    ? ''
    : renderChange(before.picoPerUnit, entry.picoPerUnit);
}

function show(material: Material, view: ConsoleView): PageContent {
  const { book, model, tokenType, timelines } = material;
  const rows = timelines.flatMap(({ entries }) =>
    entries.map((entry, index) => ({
      entry,
      before: entries[index - 1] ?? null,
      until: entries[index + 1]?.row.effectiveFrom ?? null,
    })),
  );
  const title = model === null ? 'History of a price' : `${model}, ${tokenTypeInWords(tokenType)}`;
  return {
    title,
    body: html`<p class="lead">${answer(material, rows)} <a href="${PRICES_PATH}">All prices</a></p>
${choice(material)}
${rows.length === 0 ? '' : drawing(material, rows, view.now)}
${rows.length === 0 ? '' : dataTable(HISTORY, rows, view.address)}
<p class="muted">As the book of version ${book.version} has it. A price that another corrected is no longer in it; who changed what stands in the audit log.</p>`,
    csv: { history: () => csvOfTable(HISTORY, rows, view.address.query) },
  };
}

function answer({ book, asked, model, tokenType }: Material, rows: readonly HistoryRow[]): Html {
  if (model === null) {
    const near = nearModels(book, asked);
    return html`The book knows no model ${nameCell(asked)}.${near.length === 0 ? '' : html` Near names: ${near.join(', ')}.`}`;
  }
  if (rows.length === 0)
    return html`The book has no price of ${nameCell(model)} for ${tokenTypeInWords(tokenType)}.`;
  const changes = rows.filter((row) => changeOf(row) !== '').length;
  return changes === 0
    ? html`It has not changed since the book knows it.`
    : html`It changed ${changes === 1 ? 'once' : `${changes} times`}.`;
}

function choice({ book, asked, tokenType }: Material): Html {
  return html`<form class="filters" method="get" action="${HISTORY_PATH}"><label><span>Model</span><input name="model" value="${asked}" list="models" maxlength="256" autocomplete="off"></label><label><span>Tokens</span><select name="tokenType">${PRICE_KINDS.map((kind) => optionField(kind, tokenTypeInWords(kind), kind === tokenType))}</select></label><button class="quiet">Show</button>${offered('models', book.models)}</form>`;
}

function drawing({ timelines, book, tokenType }: Material, rows: readonly HistoryRow[], now: Date): Html {
  const starts = rows.map(({ entry }) => entry.startMs).filter(Number.isFinite);
  const start = Math.min(now.getTime(), ...starts) - MARGIN_MS;
  const end = Math.max(now.getTime(), ...starts) + MARGIN_MS;
  const [first] = rows;
  const unit = first === undefined ? '' : unitInWords(first.entry.row);
  return stepChart({
    id: 'steps',
    title: `${book.currency.toUpperCase()} for ${unit === 'a million' ? 'a million tokens' : unit}`,
    description: `The price for ${unit} of ${tokenTypeInWords(tokenType)} over time, one line for each kind of deployment; the table below has every step.`,
    span: [start, end],
    series: timelines.map(({ name, entries }) => ({
      name,
      steps: entries.map(({ row, startMs }) => {
        const amount = amountOf(row);
        return {
          fromMs: startMs,
          value: amount === null ? null : Number(amount),
          text: amount === null ? 'ended' : `${moneyInWords(amount, row.currency)} ${unitInWords(row)}`,
        };
      }),
    })),
    scaleText: (value, axis) =>
      moneyInWords(value === 0 ? '0' : value.toFixed(Math.max(...axis) < 2 ? 3 : 2), book.currency),
  });
}

export const historyPage = definePage<Material>({
  path: HISTORY_PATH,
  title: 'History of a price',
  scopes: ['sales', 'finance'],
  gather,
  show,
});
