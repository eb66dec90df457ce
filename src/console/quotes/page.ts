import { html } from 'hono/html';
import { textOf } from '../../pages/address.ts';
import { moneyCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { choosePage, csvOfTable, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import {
  countEarlierQuotes,
  type EarlierFilter,
  type EarlierOrder,
  type EarlierQuote,
  listEarlierQuotes,
} from '../../quotes/earlier.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { NEW_QUOTE_PATH } from './form/draw.ts';

interface Material {
  quotes: EarlierQuote[];
  quoteCount: number;
}

/** A CSV has at most so many; narrower filters tell the rest. */
const CSV_ROWS = 100_000;

const STATES = ['open', 'accepted', 'expired'] as const;

function earlierTable(now: Date): TableDefinition<EarlierQuote> {
  return {
    name: 'quotes',
    caption: 'Earlier quotes',
    sort: '-created',
    empty: html`There is none yet. <a href="${NEW_QUOTE_PATH}">Make the first</a>.`,
    filters: [
      { name: 'text', title: 'Title, customer or id' },
      { name: 'by', title: 'By' },
      { name: 'state', title: 'State', options: STATES.map((value) => ({ value, title: value })) },
    ],
    columns: [
      {
        name: 'title',
        title: 'Quote',
        kind: 'text',
        isRowHeader: true,
        cell: ({ quoteId, title }) =>
          html`<a href="/console/quotes/${quoteId}">${nameCell(title ?? 'Quote for AI usage')}</a>`,
        csv: ({ title }) => title,
      },
      {
        name: 'customer',
        title: 'For',
        kind: 'text',
        cell: ({ preparedFor, customerId }) =>
          preparedFor === null && customerId === null
            ? html`<span class="muted">–</span>`
            : nameCell(preparedFor ?? customerId ?? ''),
        csv: ({ preparedFor, customerId }) => preparedFor ?? customerId,
        sortBy: ({ customerId }) => customerId,
      },
      {
        name: 'amount',
        title: 'A month',
        kind: 'number',
        cell: ({ offeredAmount, currency }) => moneyCell(offeredAmount, currency),
        csv: ({ offeredAmount }) => offeredAmount,
      },
      {
        name: 'currency',
        title: 'Currency',
        kind: 'text',
        cell: ({ currency }) => currency.toUpperCase(),
        csv: ({ currency }) => currency,
      },
      instantColumn('created', 'Made', ({ createdAt }) => createdAt),
      {
        name: 'by',
        title: 'By',
        kind: 'text',
        cell: ({ createdBy }) => nameCell(actorInWords(createdBy)),
        csv: ({ createdBy }) => createdBy,
        sortBy: ({ createdBy }) => createdBy,
      },
      {
        name: 'until',
        title: 'State',
        kind: 'text',
        cell: (quote) => stateCell(quote, now),
        csv: ({ validUntil }) => validUntil?.toISOString() ?? null,
        sortBy: ({ validUntil }) => validUntil?.getTime() ?? null,
      },
      {
        name: 'accepted',
        title: 'Accepted by',
        kind: 'text',
        cell: ({ acceptedBy }) =>
          acceptedBy === null ? html`<span class="muted">–</span>` : nameCell(acceptedBy),
        csv: ({ acceptedBy, acceptedAt }) =>
          acceptedAt === null ? null : `${acceptedAt.toISOString()} ${acceptedBy}`,
      },
      {
        name: 'id',
        title: 'Again',
        kind: 'text',
        cell: ({ quoteId, title }) =>
          html`<a href="${NEW_QUOTE_PATH}?from=${quoteId}" aria-label="Start from this: ${title ?? quoteId}">Start from this</a>`,
        csv: ({ quoteId }) => quoteId,
      },
    ],
  };
}

/** `key:sales desk (key_…)` is `sales desk`: who it is, and not by which key. */
function actorInWords(actor: string): string {
  return actor.replace(/^key:(.*) \(key_\w+\)$/, '$1');
}

function stateCell({ validUntil, acceptedAt }: EarlierQuote, now: Date) {
  if (acceptedAt !== null) {
    return html`<span class="tag good">accepted ${acceptedAt.toISOString().slice(0, 10)}</span>`;
  }
  if (validUntil === null) return html`<span class="muted">–</span>`;
  const day = validUntil.toISOString().slice(0, 10);
  return validUntil > now
    ? html`open until <time>${day}</time>`
    : html`<span class="muted">expired <time>${day}</time></span>`;
}

async function gather(snapshot: LedgerSnapshot, { address: { query }, now }: ConsoleView): Promise<Material> {
  const filter: EarlierFilter = {
    text: textOf(query, 'text'),
    createdBy: textOf(query, 'by'),
    state: STATES.find((state) => state === query.get('state')),
    now,
  };
  const { pageNumber, pageSize, sort } = readTableQuery(earlierTable(now), query);
  const isCsv = query.has('csv');
  return {
    quotes: await listEarlierQuotes(snapshot, filter, {
      order: (sort?.column ?? 'created') as EarlierOrder,
      isDescending: sort?.isDescending ?? true,
      limit: isCsv ? CSV_ROWS : pageSize,
      offset: isCsv ? 0 : (pageNumber - 1) * pageSize,
    }),
    quoteCount: await countEarlierQuotes(snapshot, filter),
  };
}

export const quotesPage = definePage<Material>({
  path: '/console/quotes',
  title: 'Quotes',
  scopes: ['sales', 'finance'],
  rail: { title: 'Quotes', key: 'q' },
  gather,
  show: ({ quotes, quoteCount }, { address, now }) => {
    const definition = earlierTable(now);
    const page = choosePage(definition, address.query, quoteCount);
    return {
      body: html`<p class="lead">What usage would cost us and bring us, as it was told to customers. <a class="button" href="${NEW_QUOTE_PATH}">New quote</a></p>
${pagedTable(definition, { ...page, rows: quotes }, address)}`,
      csv: { quotes: () => csvOfTable(definition, quotes, address.query) },
    };
  },
});
